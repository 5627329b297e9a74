/* The Docker engine seen through its unix socket: a full list of the compose project's containers,
 * kept current by the /events stream and put right by a fresh list after every reconnect and every
 * docker_resync(). An adapter: it reports facts and judges nothing. */
#pragma once

#include "hamon/core/facts.h"
#include "lib/loop.h"

struct docker;

struct docker_config {
        const char *socket;  /* /run/docker.sock; copied */
        const char *project; /* label com.docker.compose.project; copied */
        msec_t timeout;      /* for each request that should answer at once */
        msec_t settle;       /* how long a list may lag behind the events; 0 = 1 s */
        const char *proc;    /* NULL = /proc; a test's own. Copied */
};

struct docker_container {
        char id[65];
        char service[64]; /* label com.docker.compose.service */
        struct container_facts facts;
        unsigned restarts; /* RestartCount of the engine, kept current by start events */
        int64_t since;     /* unix time of the last start or stop, else of the creation; 0 = unknown
                              yet */
        bool ended; /* the kernel saw its first process die, and nobody saw another one: it does
                       not run, also while docker_synced() is false */
};

/* Something about the engine or a container is different now. Called from the loop, once for all
 * that came in one turn; everything below may be called from it, docker_free() too. */
typedef void (*docker_changed_fn)(void *arg);

int docker_new(struct loop *l, const struct docker_config *c, docker_changed_fn changed, void *arg,
               struct docker **ret);
void docker_free(struct docker *d);

/* Ask the engine whether it lives (GET /_ping). A poll under way is not doubled. */
void docker_poll(struct docker *d);
/* Fetch the full list again soon; several calls are one. */
void docker_resync(struct docker *d);

enum engine_state docker_engine(const struct docker *d);
const char *docker_engine_text(const struct docker *d); /* a sentence, "" if nothing to say */
/* True while the list is complete and the event stream is alive: only then is the absence or state
 * of a container a fact (but for those that have `ended`). */
bool docker_synced(const struct docker *d);

size_t docker_count(const struct docker *d);
const struct docker_container *docker_get(const struct docker *d,
                                          size_t i); /* borrowed, no order */

/* Counters since docker_new(), for metrics and tests. */
struct docker_stats {
        uint64_t events;     /* that concern the project's containers */
        uint64_t events_bad; /* event streams dropped because they made no sense */
        uint64_t lists;      /* complete ones */
        uint64_t reconnects; /* event streams opened after the engine had worked before */
};
struct docker_stats docker_stats(const struct docker *d);
