/* All that the alert part must know after a restart, as one JSON text: one file, replaced as a
 * whole, so that what was told, what is to be sent and what was looked at never contradict each
 * other. Times are kept as ages, since CLOCK_BOOTTIME begins anew with each boot. */
#pragma once

#include "hamon/web/alert_book.h"
#include "hamon/web/alert_queue.h"
#include "hamon/web/alert_seen.h"

enum { STATE_MAX = 2 * 1024 * 1024 };

struct alert_state {
        struct alert_book book;
        struct alert_queue queue;
        struct alert_seen seen;
};

int alert_state_write(const struct alert_state *s, msec_t now, int64_t unix_ms, struct buf *out);
/* Into a state that alert_book_init() has begun. -EBADMSG: no state of ours, and nothing changed
 * that matters: begin anew. */
int alert_state_read(const char *text, msec_t now, int64_t unix_ms, struct alert_state *s);
