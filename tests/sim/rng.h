/* Chance: splitmix64, the whole of a seed's randomness. */
#pragma once

#include "hamon/core/verdict.h"

struct rng {
        uint64_t s;
};

static inline uint64_t rng_next(struct rng *r)
{
        uint64_t z = r->s += 0x9e3779b97f4a7c15u;

        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return z ^ (z >> 31);
}

static inline msec_t rng_between(struct rng *r, msec_t lo, msec_t hi)
{
        return lo + (msec_t)(rng_next(r) % (uint64_t)(hi - lo + 1));
}

static inline bool rng_chance(struct rng *r, unsigned percent)
{
        return rng_next(r) % 100 < percent;
}
