/* A hash table with open addressing. Nonces are random and of our own making, so their first bytes
 * are the hash and nobody can aim at one slot. What has expired goes when room is needed, in one
 * sweep, and not again before the next one can expire. */
#include "signup/gate/spent.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct slot {
        unsigned char nonce[TICKET_NONCE];
        int64_t until; /* 0 = free */
};

struct memory {
        struct spent spent;
        pthread_mutex_t lock;
        struct slot *slots, *spare; /* `mask` + 1 each, the spare ones all free */
        size_t mask, count, cap;
        int64_t sweep_at; /* nothing expires before */
};

static struct slot *find(const struct memory *m, struct slot *slots, const unsigned char *nonce)
{
        size_t at = 0;

        memcpy(&at, nonce, sizeof at);
        while (slots[at & m->mask].until &&
               memcmp(slots[at & m->mask].nonce, nonce, TICKET_NONCE) != 0)
                at++;
        return &slots[at & m->mask];
}

static void sweep(struct memory *m, int64_t now)
{
        struct slot *old = m->slots;

        m->count = 0;
        m->sweep_at = INT64_MAX;
        for (size_t i = 0; i <= m->mask; i++) {
                if (old[i].until <= now)
                        continue;
                *find(m, m->spare, old[i].nonce) = old[i];
                m->sweep_at = MIN(m->sweep_at, old[i].until);
                m->count++;
        }
        memset(old, 0, (m->mask + 1) * sizeof *old);
        m->slots = m->spare;
        m->spare = old;
}

static int take_locked(struct memory *m, const unsigned char *nonce, int64_t until, int64_t now)
{
        struct slot *s = find(m, m->slots, nonce);

        if (s->until)
                return -EALREADY;
        if (m->count == m->cap) {
                if (now < m->sweep_at)
                        return -ENOSPC;
                sweep(m, now);
                if (m->count == m->cap)
                        return -ENOSPC;
                s = find(m, m->slots, nonce);
        }
        memcpy(s->nonce, nonce, TICKET_NONCE);
        s->until = MAX(until, 1);
        m->sweep_at = m->count++ ? MIN(m->sweep_at, until) : until;
        return 0;
}

static int memory_take(struct spent *s, const unsigned char nonce[TICKET_NONCE], int64_t until,
                       int64_t now)
{
        struct memory *m = (struct memory *)s;

        pthread_mutex_lock(&m->lock);
        int r = take_locked(m, nonce, until, now);
        pthread_mutex_unlock(&m->lock);
        return r;
}

static void memory_free(struct spent *s)
{
        struct memory *m = (struct memory *)s;

        pthread_mutex_destroy(&m->lock);
        free(m->slots);
        free(m->spare);
        free(m);
}

static const struct spent_ops OPS = { .take = memory_take, .free = memory_free };

int spent_memory_new(size_t cap, struct spent **ret)
{
        size_t size = 16;

        if (cap == 0 || cap > SIZE_MAX / 4 / sizeof(struct slot))
                return -EINVAL;
        while (size < cap * 2) /* half of it stays free, so that a search is short */
                size *= 2;

        struct memory *m = calloc(1, sizeof *m);
        if (!m)
                return -ENOMEM;
        m->spent.ops = &OPS;
        pthread_mutex_init(&m->lock, NULL);
        m->slots = calloc(size, sizeof *m->slots);
        m->spare = calloc(size, sizeof *m->spare);
        m->mask = size - 1;
        m->cap = cap;
        if (!m->slots || !m->spare) {
                memory_free(&m->spent);
                return -ENOMEM;
        }
        *ret = &m->spent;
        return 0;
}
