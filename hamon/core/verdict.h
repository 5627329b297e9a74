/* Results of one check -> its verdict, with rise, fall, grace and staleness; many checks -> one
 * verdict for the node. Pure: no clock, no I/O, no allocation, no logging. */
#pragma once

#include "hamon/core/reason.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef int64_t msec_t;

enum role { ROLE_STANDBY, ROLE_MASTER, ROLE_COUNT_ };

enum result {
        RES_SKIP, /* no news: the last verdict stands until it is stale */
        RES_WAIT, /* alive but not proven yet: neither heals nor hurts */
        RES_PASS,
        RES_FAIL,
};

enum verdict { V_UNKNOWN, V_UP, V_SUSPECT, V_DOWN, V_COUNT_ };

struct finding { /* one result with its reason */
        enum result result;
        enum reason reason;
};

struct rule {
        unsigned rise; /* results in a row that make a bad check good again, >= 1 */
        unsigned fall; /* results in a row that make a good check suspect, >= 1 */
        msec_t grace;  /* how long a check may be suspect before it is down */
        msec_t stale;  /* a verdict nobody refreshed for so long is unknown */
};

struct check_state { /* zeroed = never asked */
        enum verdict verdict;
        enum reason reason; /* of the last result but SKIP; of the failure while it recovers */
        enum result last;
        unsigned streak;   /* equal results in a row */
        msec_t fresh_at;   /* last result that was not SKIP */
        msec_t bad_since;  /* first failure since it was last UP; valid if bad */
        msec_t changed_at; /* when the verdict last changed */
        bool bad, seen;
};

/* Fold one finding into the check. Returns the verdict. */
enum verdict verdict_step(struct check_state *c, const struct rule *rule, struct finding f,
                          msec_t now);

/* Failing for long enough to count: only grace keeps it from being down, or it is. */
bool check_counts(const struct check_state *c);

/* When the verdict would change if nothing else happened: ms (> 0) from now until grace or
 * staleness runs out; -1 = never, or it already has and the next step will say so. Lets the daemon
 * wake exactly then, and never spin. */
msec_t verdict_next(const struct check_state *c, const struct rule *rule, msec_t now);

enum fitness { FIT, UNFIT, UNSURE, FITNESS_COUNT_ }; /* exit codes 0, 1, 2 */

struct node_check {
        const struct check_state *state;
        bool required; /* false: shown, but never makes the node unfit */
};

struct node_verdict {
        enum fitness fitness;
        enum reason reason;
        size_t culprit; /* index of the check the reason comes from; n if none */
        msec_t age;     /* of the oldest required result; 0 if none */
};

/* One verdict for the node: a required check that is DOWN makes it unfit, one that is UNKNOWN makes
 * it unsure, else it is fit (the reason then names the first SUSPECT, or a note such as
 * galera_donor). No required check at all = unsure. Earlier checks win ties. */
struct node_verdict node_judge(const struct node_check *checks, size_t n, msec_t now);

extern const char *const ROLES[ROLE_COUNT_];        /* standby, master */
extern const char *const VERDICTS[V_COUNT_];        /* unknown, up, suspect, down */
extern const char *const FITNESSES[FITNESS_COUNT_]; /* fit, unfit, unknown */
