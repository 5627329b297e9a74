/* What is still to be sent, and to whom: one entry per message, with a mark for each target that
 * has not got it yet. Each target gets its messages one after the other, in their order; one that
 * fails is left alone for longer and longer. Pure: no clock, no randomness of its own, no malloc.
 */
#pragma once

#include "hamon/web/alert_format.h"

enum {
        QUEUE_MAX = 128,
        QUEUE_AGE = 24 * 3600 * 1000, /* then it is too old to be news */
        QUEUE_FIRST = 1000,           /* pause after the first failure, doubled with each more */
        QUEUE_LONGEST = 5 * 60 * 1000,
        QUEUE_REFUSALS = 6, /* a message that is refused so often is given up */
};

struct queue_item {
        struct alert_message m;
        msec_t since;
        uint32_t open; /* targets, a bit each */
        uint32_t refused[ALERT_TARGETS];
};

struct queue_target {
        char name[ALERT_NAME];
        char error[200];  /* of the last try that did not work; already scrubbed */
        bool ok;          /* the last try worked, or there was none */
        bool busy;        /* something is under way: */
        unsigned tries;   /* that failed in a row */
        uint64_t sending; /* its serial */
        msec_t again_at;
        uint64_t sent, failed;
};

struct alert_queue {
        struct queue_item items[QUEUE_MAX]; /* the oldest first */
        uint64_t serials[QUEUE_MAX];        /* names an item in this process's life */
        uint64_t last_serial;
        size_t n;
        size_t n_targets;
        struct queue_target targets[ALERT_TARGETS];
        uint64_t dropped; /* messages that some target never got: too many, too old, refused */
};

/* The targets there are now. What was kept for one that is gone is dropped. */
void alert_queue_targets(struct alert_queue *q, const struct alert_targets *t);

/* For all targets that want it. Full: what matters least and is oldest goes. */
void alert_queue_add(struct alert_queue *q, const struct alert_targets *t,
                     const struct alert_message *m, msec_t now);
void alert_queue_expire(struct alert_queue *q, msec_t now);

/* The message that target `i` is to get now, marked as under way; NULL = none. Valid until the next
 * call. `ret_serial` names it in alert_queue_done(). */
const struct alert_message *alert_queue_take(struct alert_queue *q, size_t i, msec_t now,
                                             uint64_t *ret_serial);
/* `random`: any number, for the jitter. */
void alert_queue_done(struct alert_queue *q, size_t i, uint64_t serial,
                      const struct alert_outcome *o, uint64_t random, msec_t now);

/* ms until there may be something to take; -1 = nothing waits. */
msec_t alert_queue_wait(const struct alert_queue *q, msec_t now);

/* The pause after so many failures in a row: half of it fixed, half by chance. */
msec_t alert_queue_pause(unsigned tries, uint64_t random);
