/* The last canaries and what they add up to. Pure. */
#pragma once

#include "hamon/web/canary_reason.h"

enum {
        CANARY_KEPT = 120,
        CANARY_JUDGED = 20, /* fewer say nothing about 95 of 100 */
};

struct canary_mark {
        msec_t at;              /* loop time */
        msec_t delivery, login; /* -1 = it did not come to that */
        enum canary_reason reason;
};

struct canary_stats {
        struct canary_mark marks[CANARY_KEPT]; /* a ring; canary_at() */
        size_t n, next;
};

void canary_add(struct canary_stats *s, const struct canary_mark *m);
const struct canary_mark *canary_at(const struct canary_stats *s, size_t i); /* 0 = the oldest */

enum canary_what { CANARY_DELIVERY, CANARY_LOGIN };
/* The least time that `percent` of 100 stayed within; one that failed took `failed`. -1: none yet.
 */
msec_t canary_percentile(const struct canary_stats *s, enum canary_what what, unsigned percent,
                         msec_t failed);
/* The last one's reason, or which target is missed although it came through. */
enum canary_reason canary_judge(const struct canary_stats *s, msec_t delivery_target,
                                msec_t login_target, msec_t failed);
