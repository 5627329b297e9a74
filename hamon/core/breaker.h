/* The breaker: keeps a cluster from throwing a broken service around. It counts fail-overs for
 * cause. The counters live in the lease row, and change only inside the compare-and-set of a take
 * or a release, so all nodes count the same. Pure.
 *
 *     banned  this node lost the lead for cause less than `wait` ago
 *     open    one more fail-over would be more than `max` for cause within `wait`
 *
 * Either one makes it HALTED: it does not claim by itself. It never stops a master that serves, and
 * when nobody serves, HALTED nodes claim all the same, each time after a longer pause. Taking a
 * released lease at a boot, a switchover, an operator's order: exempt. */
#pragma once

#include "hamon/core/lease.h"

struct breaker_rule {
        msec_t wait;  /* security_wait */
        unsigned max; /* max_failovers */
        msec_t pause; /* how long nobody must have served before a HALTED node claims; doubles */
        msec_t most;  /* up to this */
};

struct breaker { /* zeroed = closed */
        bool banned;
        msec_t banned_until; /* while banned */
        uint64_t epoch;      /* of the loss: a row of that epoch does not know of it yet */
        bool counted;        /* the row does: once its count is 0 again, an operator has acked */
};

/* We lost the lead for cause in this epoch. */
void breaker_ban(struct breaker *b, const struct breaker_rule *r, uint64_t epoch, msec_t now);
void breaker_forgive(struct breaker *b);

/* The row was read: it may say that we lost the lead, or that an operator closed the breaker. */
void breaker_see(struct breaker *b, const struct breaker_rule *r, const struct lease_row *row,
                 const char *me, msec_t now);

bool breaker_banned(const struct breaker *b, msec_t now);
/* Would one more fail-over be too many? `counts`: the take itself is one (the lease was not
 * released). */
bool breaker_open(const struct breaker_rule *r, const struct lease_row *row, bool counts);
/* How long nobody must have served before a node claims in spite of the breaker. */
msec_t breaker_pause(const struct breaker_rule *r, const struct lease_row *row);
