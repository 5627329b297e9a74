/* What the events of this node say about the times it became master: when, why, and where the time
 * went. Pure. */
#pragma once

#include "hamon/events.h"

enum { FAILOVERS_MAX = 20, FAILOVER_PHASES = 9 };

enum failover_kind {
        FAILOVER_START,      /* nobody had led, or this node itself */
        FAILOVER_SWITCHOVER, /* the last master let go */
        FAILOVER_FAILOVER,   /* the last master fell silent */
        FAILOVER_KINDS_
};
enum failover_result { FAILOVER_RUNNING, FAILOVER_DONE, FAILOVER_FAILED, FAILOVER_RESULTS_ };

extern const char *const FAILOVER_KINDS[FAILOVER_KINDS_];     /* start, switchover, failover */
extern const char *const FAILOVER_RESULTS[FAILOVER_RESULTS_]; /* running, done, failed */

struct failover_phase {
        const char *name;  /* of failover_phase_name() */
        msec_t from, took; /* from: since the beginning; some run beside each other */
};

struct failover {
        uint64_t epoch;
        char node[64], old[64]; /* who became master; who was, "" = not known */
        char began[32];         /* ISO 8601, UTC */
        int64_t began_ms;       /* Unix time */
        enum failover_kind kind;
        enum failover_result result;
        msec_t total; /* so far, or until the node served */
        struct failover_phase phases[FAILOVER_PHASES];
        size_t n_phases;
};

/* The last `max` ones, newest last. `now`: Unix time in ms, for one that still runs. */
size_t failovers_fold(const struct event_line *events, size_t n, int64_t now, struct failover *ret,
                      size_t max);

/* wait, claim, attach, mount, mail, services, address, checks; NULL behind the last. */
const char *failover_phase_name(size_t i);
