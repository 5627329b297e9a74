/* The buckets of limit.h: a hash table of sets of WAYS buckets. */
#include "signup/limit.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { WAYS = 8, MICRO = 1000 };

struct bucket {
        unsigned char key[LIMIT_KEY];
        uint8_t kind, used;
        int64_t tat; /* microseconds: when it will be full again */
};

struct limit {
        pthread_mutex_t lock;
        uint64_t seed;
        size_t sets;
        struct bucket v[];
};

int limit_new(size_t buckets, struct limit **ret)
{
        size_t sets = MAX(buckets / WAYS, (size_t)1);
        struct limit *l = calloc(1, sizeof *l + sets * WAYS * sizeof *l->v);

        if (!l)
                return -ENOMEM;
        if (getrandom(&l->seed, sizeof l->seed, 0) != (ssize_t)sizeof l->seed ||
            pthread_mutex_init(&l->lock, NULL) != 0) {
                free(l);
                return -EIO;
        }
        l->sets = sets;
        *ret = l;
        return 0;
}

void limit_free(struct limit *l)
{
        if (!l)
                return;
        pthread_mutex_destroy(&l->lock);
        free(l);
}

/* FNV-1a with a random start: nobody outside can aim at a set. */
static uint64_t mix(uint64_t h, const void *data, size_t len)
{
        const unsigned char *p = data;

        for (size_t i = 0; i < len; i++)
                h = (h ^ p[i]) * 0x100000001b3ULL;
        return h ^ (h >> 29);
}

static void fold(const struct limit *l, const void *key, size_t len, unsigned char out[LIMIT_KEY])
{
        memset(out, 0, LIMIT_KEY);
        if (len <= LIMIT_KEY) {
                memcpy(out, key, len);
                return;
        }
        uint64_t a = mix(l->seed ^ 0xcbf29ce484222325ULL, key, len), b = mix(~l->seed, key, len);
        memcpy(out, &a, sizeof a);
        memcpy(out + sizeof a, &b, sizeof b);
}

static struct bucket *find(struct limit *l, enum limit_kind kind, const unsigned char *key,
                           bool make)
{
        uint64_t h = mix(l->seed + (uint64_t)kind, key, LIMIT_KEY);
        struct bucket *set = &l->v[h % l->sets * WAYS], *free_one = NULL, *oldest = set;

        for (size_t i = 0; i < WAYS; i++) {
                struct bucket *b = &set[i];
                if (b->used && b->kind == kind && memcmp(b->key, key, LIMIT_KEY) == 0)
                        return b;
                if (!b->used && !free_one)
                        free_one = b;
                if (b->tat < oldest->tat)
                        oldest = b;
        }
        if (!make)
                return NULL;
        struct bucket *b = free_one ? free_one : oldest;
        *b = (struct bucket){ .kind = (uint8_t)kind, .used = 1 };
        memcpy(b->key, key, LIMIT_KEY);
        return b;
}

static int64_t step_of(const struct rate *rate)
{
        return MAX(rate->period * MICRO / (int64_t)rate->count, (int64_t)1);
}

bool limit_take(struct limit *l, enum limit_kind kind, const void *key, size_t len,
                const struct rate *rate, msec_t now, msec_t *ret_wait)
{
        unsigned char folded[LIMIT_KEY];
        int64_t now_us = now * MICRO;

        if (rate->count == 0)
                return true;
        int64_t step = step_of(rate), room = step * (int64_t)rate->count;
        fold(l, key, len, folded);
        pthread_mutex_lock(&l->lock);
        struct bucket *b = find(l, kind, folded, true);
        int64_t tat = MAX(b->tat, now_us) + step;
        bool ok = tat - now_us <= room;
        if (ok)
                b->tat = tat;
        pthread_mutex_unlock(&l->lock);
        if (!ok)
                *ret_wait = (tat - now_us - room + MICRO - 1) / MICRO;
        return ok;
}

void limit_give(struct limit *l, enum limit_kind kind, const void *key, size_t len,
                const struct rate *rate)
{
        unsigned char folded[LIMIT_KEY];

        if (rate->count == 0)
                return;
        fold(l, key, len, folded);
        pthread_mutex_lock(&l->lock);
        struct bucket *b = find(l, kind, folded, false);
        if (b)
                b->tat -= step_of(rate);
        pthread_mutex_unlock(&l->lock);
}
