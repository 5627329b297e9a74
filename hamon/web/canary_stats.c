/* A ring, and percentiles by nearest rank. */
#include "hamon/web/canary_stats.h"

#include <stdlib.h>

void canary_add(struct canary_stats *s, const struct canary_mark *m)
{
        s->marks[s->next] = *m;
        s->next = (s->next + 1) % CANARY_KEPT;
        s->n = MIN(s->n + 1, (size_t)CANARY_KEPT);
}

const struct canary_mark *canary_at(const struct canary_stats *s, size_t i)
{
        return &s->marks[(s->next + CANARY_KEPT - s->n + i) % CANARY_KEPT];
}

static int by_size(const void *a, const void *b)
{
        const msec_t *x = a, *y = b;

        return (*x > *y) - (*x < *y);
}

msec_t canary_percentile(const struct canary_stats *s, enum canary_what what, unsigned percent,
                         msec_t failed)
{
        msec_t all[CANARY_KEPT];

        if (s->n == 0)
                return -1;
        for (size_t i = 0; i < s->n; i++) {
                const struct canary_mark *m = canary_at(s, i);
                msec_t took = what == CANARY_DELIVERY ? m->delivery : m->login;
                all[i] = took < 0 ? failed : took;
        }
        qsort(all, s->n, sizeof all[0], by_size);
        size_t rank = (s->n * percent + 99) / 100;
        return all[rank > 0 ? rank - 1 : 0];
}

enum canary_reason canary_judge(const struct canary_stats *s, msec_t delivery_target,
                                msec_t login_target, msec_t failed)
{
        if (s->n == 0)
                return CANARY_OK;
        enum canary_reason last = canary_at(s, s->n - 1)->reason;
        if (last != CANARY_OK || s->n < CANARY_JUDGED)
                return last;
        if (canary_percentile(s, CANARY_DELIVERY, 95, failed) > delivery_target)
                return CANARY_SLOW_DELIVERY;
        if (canary_percentile(s, CANARY_LOGIN, 95, failed) > login_target)
                return CANARY_SLOW_LOGIN;
        return CANARY_OK;
}
