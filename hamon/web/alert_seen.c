/* A ring of hashes. What it forgets lifts the floor, so that nothing is ever told anew. */
#include "hamon/web/alert_seen.h"

#include <inttypes.h>

static uint64_t mix(uint64_t hash, const char *s)
{
        do
                hash = (hash ^ (unsigned char)*s) * UINT64_C(0x100000001b3);
        while (*s++);
        return hash;
}

uint64_t alert_seen_hash(const struct event_line *e)
{
        char numbers[64];
        uint64_t hash = mix(UINT64_C(0xcbf29ce484222325), e->at);

        snprintf(numbers, sizeof numbers, "%" PRIu64 " %" PRId64, e->epoch, e->took);
        hash = mix(hash, e->node);
        hash = mix(hash, e->kind);
        hash = mix(hash, e->from);
        hash = mix(hash, e->to);
        hash = mix(hash, e->reason);
        hash = mix(hash, e->detail);
        return mix(hash, numbers);
}

bool alert_seen_new(struct alert_seen *s, const struct event_line *e)
{
        uint64_t hash = alert_seen_hash(e);
        size_t place = s->n % SEEN_MAX;

        if (e->at_ms < s->floor_ms)
                return false;
        for (size_t i = 0; i < MIN(s->n, (size_t)SEEN_MAX); i++)
                if (s->hash[i] == hash)
                        return false;
        if (s->n >= SEEN_MAX)
                s->floor_ms = MAX(s->floor_ms, s->at_ms[place] + 1);
        s->hash[place] = hash;
        s->at_ms[place] = e->at_ms;
        s->n++;
        return true;
}
