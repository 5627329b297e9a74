/* The breaker of breaker.h. The row counts; this node only remembers that it lost the lead. */
#include "hamon/core/breaker.h"

#include <string.h>

void breaker_ban(struct breaker *b, const struct breaker_rule *r, uint64_t epoch, msec_t now)
{
        *b = (struct breaker){ .banned = true, .banned_until = now + r->wait, .epoch = epoch };
}

void breaker_forgive(struct breaker *b)
{
        *b = (struct breaker){ .banned = false };
}

void breaker_see(struct breaker *b, const struct breaker_rule *r, const struct lease_row *row,
                 const char *me, msec_t now)
{
        msec_t left = r->wait - row->since_age;

        if (b->banned && row->failovers == 0 && (b->counted || row->epoch > b->epoch))
                breaker_forgive(b); /* our loss was counted before: an operator took it back */
        if (row->failovers == 0)
                return;
        b->counted = b->banned;
        if (!b->banned && strcmp(row->loser, me) == 0 && left > 0)
                *b = (struct breaker){ .banned = true,
                                       .banned_until = now + left,
                                       .epoch = row->epoch,
                                       .counted = true };
}

bool breaker_banned(const struct breaker *b, msec_t now)
{
        return b->banned && now < b->banned_until;
}

static bool fresh(const struct breaker_rule *r, const struct lease_row *row)
{
        return row->since_age <= r->wait;
}

bool breaker_open(const struct breaker_rule *r, const struct lease_row *row, bool counts)
{
        return (fresh(r, row) ? row->failovers : 0) + counts > r->max;
}

msec_t breaker_pause(const struct breaker_rule *r, const struct lease_row *row)
{
        msec_t pause = r->pause;

        for (uint64_t n = r->max; fresh(r, row) && n < row->failovers && pause < r->most; n++)
                pause *= 2;
        return pause < r->most ? pause : r->most;
}
