/* The set of probes: asks what PROBES[] names, each with a deadline of its own, and reports each
 * answer as it comes. An adapter: whether an answer matters is judged elsewhere. */
#pragma once

#include "hamon/core/probes.h"
#include "lib/loop.h"

struct probes;

struct probe_target {
        bool on;
        const char *address; /* numeric; not used by rows of PROBES[] with `container` */
        unsigned port;
};

struct probes_config { /* all copied */
        struct probe_target targets[PROBE_COUNT_];
        msec_t timeout;             /* of each */
        const char *host;           /* the name in the certificate and of the web site; "" = none */
        const char *redis_password; /* "" = none */
        const char *volume;         /* where it is mounted */
        const char *socket;         /* of the Docker engine, which knows containers' addresses */
        const char *project;
};

struct probe_answer {
        enum probe probe;
        struct finding finding; /* RES_SKIP: nobody could ask */
        const char *text;       /* what was wrong, with names and numbers, or "answers" */
        msec_t took;
};

/* From the loop. Everything below may be called from it, probes_free() too. */
typedef void (*probe_fn)(void *arg, const struct probe_answer *a);

/* -EINVAL: an address that is not numeric, a port outside 1..65535. */
int probes_new(struct loop *l, const struct probes_config *c, probe_fn fn, void *arg,
               struct probes **ret);
void probes_free(struct probes *p); /* NULL is fine */

/* Ask all that are on, or one; what is under way already is not asked twice. */
void probes_run(struct probes *p);
void probes_run_one(struct probes *p, enum probe which);
bool probes_busy(const struct probes *p, enum probe which);
