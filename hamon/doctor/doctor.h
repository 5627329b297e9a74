/* `hamon doctor`: what is wrong on this node, ranked, each with the exact fix. LOOKS[] (doctor.c)
 * has one row per part that is looked at, FLAWS[] (flaw.c) one per mistake that can be found.
 * A look runs in a child of its own with a deadline, changes nothing, and leaves only findings
 * behind. */
#pragma once

#include "hamon/config.h"
#include "hamon/doctor/flaw.h"
#include "hamon/mailcow.h"

struct doctor {
        const char *file; /* hamon.conf */
        struct config config;
        struct conf_source *sources; /* of its values, one per row */
        struct mailcow mailcow;      /* what mailcow.conf says */
        size_t look;                 /* the row of LOOKS[] that runs */
        struct flaws found;
};

/* A finding, to be filled by the two below; never NULL: what is too much is counted and dropped. */
struct flaw *found(struct doctor *d, enum flaw_id id, const char *fmt, ...) PRINTF(3, 4);

/* Where: any words, or the line of hamon.conf in which a value of d->config stands. */
void found_at(struct flaw *f, const char *fmt, ...) PRINTF(2, 3);
void found_at_key(const struct doctor *d, struct flaw *f, const void *value);
/* The fix: a command or a line to be written. Nothing foreign goes in here but what found_word()
 * lets through: people paste it into a root shell. */
void found_fix(struct flaw *f, const char *fmt, ...) PRINTF(2, 3);
const char *found_word(const char *s); /* s, or "NAME" if it is no plain word */

/* The looks. */
void look_config(struct doctor *d);
void look_files(struct doctor *d);
void look_daemon(struct doctor *d);
void look_system(struct doctor *d);
void look_cert(struct doctor *d);
void look_docker(struct doctor *d);
void look_galera(struct doctor *d);
void look_schema(struct doctor *d);
void look_peers(struct doctor *d);
void look_keepalived(struct doctor *d);
void look_provider(struct doctor *d);
void look_dns(struct doctor *d);

/* `hamon doctor [--json]`. Returns 0 (nothing, or only hints), 1, EX_USAGE, EX_NOPERM. */
int doctor_command(const char *file, int argc, char **argv);
