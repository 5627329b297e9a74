/* The local Galera member: one status query per galera_poll() on a kept-open, non-blocking
 * connection (MariaDB Connector/C), every step under a deadline. Facts only, no judgement. */
#pragma once

#include "hamon/core/facts.h"
#include "lib/loop.h"

struct galera;

struct galera_config {
        const char *socket; /* unix socket, at most 107 bytes; NULL or "" = TCP */
        const char *host;   /* numeric address: no resolver is ever waited for */
        unsigned port;
        const char *user;
        const char *password; /* may be NULL; copied and wiped on free */
        const char *database; /* may be NULL: status needs none */
        msec_t timeout;       /* for connect + greeting, and for each query */
};

/* Called from the loop once per finished poll, good or bad, and may call galera_poll() or
 * galera_free(). When the idle connection ends, one poll starts by itself: news of a server that
 * died does not wait for the next interval. */
typedef void (*galera_fn)(void *arg, const struct galera_facts *f);

/* -EINVAL: no user, no deadline, a path too long, a host that is a name. Copies what it needs. */
int galera_new(struct loop *l, const struct galera_config *c, galera_fn fn, void *arg,
               struct galera **ret);
void galera_free(struct galera *g);

/* Ask now. If a poll is under way, another one follows it at once (several calls are one). */
void galera_poll(struct galera *g);
