/* At most `burst` messages at once and then one in `pace`; what is more is counted, and named in
 * one message ("12 more"). The last third of the burst is for errors alone. The end of what was
 * told is paid for by its begin: it always goes out, or a pager would ring for it for ever. Pure:
 * no clock, no malloc. */
#pragma once

#include "hamon/web/alert_message.h"

enum { FLOOD_READY = 32, FLOOD_TITLES = 8 };

struct alert_flood {
        uint64_t burst;
        msec_t pace;

        uint64_t tokens;
        msec_t tokens_at;

        uint64_t held; /* kept back since held_since */
        msec_t held_since;
        enum log_level level; /* the highest of them */
        char titles[FLOOD_TITLES][ALERT_TITLE];

        struct alert_message ready[FLOOD_READY];
        size_t n_ready;
};

void alert_flood_init(struct alert_flood *f, uint64_t burst, msec_t pace, msec_t now);
void alert_flood_rule(struct alert_flood *f, uint64_t burst, msec_t pace);
/* `paid`: the end of what went out. Returns whether it goes out by itself; else it is kept back. */
bool alert_flood_tell(struct alert_flood *f, const struct alert_message *m, bool paid, msec_t now);
/* Is it time to name what was kept back? `node` and `cluster` say so. */
void alert_flood_step(struct alert_flood *f, const char *cluster, const char *node, msec_t now,
                      int64_t unix_ms);
bool alert_flood_next(struct alert_flood *f, struct alert_message *ret); /* false = none */
