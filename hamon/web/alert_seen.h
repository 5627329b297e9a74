/* Which of a node's events were looked at already, by what they say: an event comes more than once,
 * from the daemon's memory and from its file, which may be rotated, moved or lost. Pure. */
#pragma once

#include "hamon/events.h"

enum { SEEN_MAX = 1024 };

struct alert_seen {
        int64_t floor_ms; /* all that is older (Unix time) counts as seen */
        size_t n;         /* of all times */
        uint64_t hash[SEEN_MAX];
        int64_t at_ms[SEEN_MAX];
};

/* True once for each event. */
bool alert_seen_new(struct alert_seen *s, const struct event_line *e);
uint64_t alert_seen_hash(const struct event_line *e);
