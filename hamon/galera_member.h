/* This node's member of the database cluster, for the verbs of `hamon galera`: its container, its
 * data, what it says. Each call waits within the step's time. */
#pragma once

#include "hamon/core/judge.h"
#include "hamon/galera_data.h"
#include "hamon/step.h"
#include <limits.h>

#define MEMBER_SERVICE "mysql-mailcow"

/* What it says of itself; tried as hamon's own user, and as root, whose password Mailcow knows. */
void member_ask(struct step *s, struct galera_facts *ret);
static inline bool member_is_primary(const struct galera_facts *f)
{
        return f->reach == DB_OK && f->wsrep_on && f->primary && f->ready;
}
static inline bool member_is_synced(const struct galera_facts *f)
{
        return member_is_primary(f) && f->local_state == WSREP_SYNCED;
}

/* One statement as root of the database. 0, or it was said why not: -EIO. */
int member_say(struct step *s, const char *statement);

/* The data directory as this host has it: the volume's. 0, or an exit code and it was said. */
int member_place(struct step *s, char ret[PATH_MAX]);
/* What the files say; read in a child. 0, or an exit code and it was said. */
int member_data(struct step *s, struct galera_data *ret);
/* The data moves into a volume of the same name with `suffix`, which is made; instantly, and
 * nothing is copied. The member must be stopped. 0, or an exit code and it was said. */
int member_set_aside(struct step *s, const char *suffix);

/* The container. 0, or an exit code and it was said. The second: one that only waits for others has
 * nothing to write, and would not listen for half a minute. */
int member_stop(struct step *s);
int member_stop_waiting(struct step *s);
int member_start(struct step *s);
/* Does it run, or come back by itself? True also if the engine does not tell. */
bool member_runs(struct step *s);

/* Until it is a synced member; what it waits for is noted. False: out of time, it left the group,
 * or an order was refused, or is not obeyed: then it was said. */
bool member_await(struct step *s, struct galera_facts *ret);

/* How long until somebody listens at a node's Galera port? */
enum member_port { PORT_OPEN, PORT_CLOSED, PORT_SILENT };
enum member_port member_port(const char *address);
