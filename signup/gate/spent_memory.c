/* A hash table with open addressing. Nonces are random and of our own making, so their first bytes
 * are the hash and nobody can aim at one slot. What has expired goes when room is needed, in one
 * sweep; the table grows and shrinks with what is left. */
#include "signup/gate/spent.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE_LEAST = 1024 };

struct slot {
        unsigned char nonce[TICKET_NONCE];
        int64_t until; /* 0 = free */
};

struct memory {
        struct spent spent;
        pthread_mutex_t lock;
        struct slot *slots; /* `mask` + 1 */
        size_t mask, count, cap;
        int64_t sweep_at; /* nothing expires before */
};

static struct slot *find(const struct memory *m, const unsigned char *nonce)
{
        size_t at = 0;

        memcpy(&at, nonce, sizeof at);
        while (m->slots[at & m->mask].until &&
               memcmp(m->slots[at & m->mask].nonce, nonce, TICKET_NONCE) != 0)
                at++;
        return &m->slots[at & m->mask];
}

/* What has expired goes; the table becomes as large as what is left wants. */
static int make_room(struct memory *m, int64_t now)
{
        size_t live = 0, size = SIZE_LEAST;

        if (m->count == m->cap && now < m->sweep_at)
                return -ENOSPC;
        for (size_t i = 0; i <= m->mask; i++)
                live += m->slots[i].until > now;
        if (live == m->cap)
                return -ENOSPC;
        while (size < live * 3 && size < m->cap * 2)
                size *= 2;
        struct memory next = { .slots = calloc(size, sizeof *next.slots), .mask = size - 1 };
        if (!next.slots)
                return -ENOMEM;
        m->sweep_at = INT64_MAX;
        for (size_t i = 0; i <= m->mask; i++)
                if (m->slots[i].until > now) {
                        *find(&next, m->slots[i].nonce) = m->slots[i];
                        m->sweep_at = MIN(m->sweep_at, m->slots[i].until);
                }
        free(m->slots);
        m->slots = next.slots;
        m->mask = next.mask;
        m->count = live;
        return 0;
}

static int take_locked(struct memory *m, const unsigned char *nonce, int64_t until, int64_t now)
{
        struct slot *s = find(m, nonce);

        if (s->until)
                return -EALREADY;
        if (m->count == m->cap || m->count * 2 > m->mask) { /* half is free: searches are short */
                int r = make_room(m, now);
                if (r < 0)
                        return r;
                s = find(m, nonce);
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
        free(m);
}

static const struct spent_ops OPS = { .take = memory_take, .free = memory_free };

int spent_memory_new(size_t cap, struct spent **ret)
{
        if (cap == 0 || cap > SIZE_MAX / 4 / sizeof(struct slot))
                return -EINVAL;
        struct memory *m = calloc(1, sizeof *m);
        if (!m)
                return -ENOMEM;
        m->spent.ops = &OPS;
        pthread_mutex_init(&m->lock, NULL);
        m->slots = calloc(SIZE_LEAST, sizeof *m->slots);
        m->mask = SIZE_LEAST - 1;
        m->cap = cap;
        if (!m->slots) {
                memory_free(&m->spent);
                return -ENOMEM;
        }
        *ret = &m->spent;
        return 0;
}
