/* The containers docker.c knows: a dense array with an open-addressing index by id, so that a
 * thousand containers and ten thousand events cost nothing worth naming; and what an event, a list
 * or an inspection makes of one of them. Pure. Only docker.c and its test include this; pointers
 * into the array last until the next add or remove. */
#pragma once

#include "hamon/docker.h"
#include "hamon/docker_json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct docker_entry {
        struct docker_container c;
        uint64_t hash;     /* of c.id */
        uint64_t seq;      /* number of its last event, 0 = none yet */
        msec_t event_at;   /* when that came */
        msec_t inspect_at; /* not to be inspected before */
        uint32_t mark;     /* number of the last list that named it */
        bool has_health;   /* a healthcheck is configured */
        bool want_inspect;
};

struct docker_table {
        struct docker_entry *v;
        size_t n, size;
        uint32_t *slots; /* 2 * size of them: index + 1, 0 = free */
};

static inline uint64_t table_hash(const char *id)
{
        uint64_t h = UINT64_C(14695981039346656037); /* FNV-1a */

        for (; *id; id++)
                h = (h ^ (unsigned char)*id) * UINT64_C(1099511628211);
        return h;
}

static inline size_t table_mask(const struct docker_table *t)
{
        return 2 * t->size - 1;
}

/* The slot that holds the id, or the free one where it belongs. */
static inline size_t table_slot(const struct docker_table *t, const char *id, uint64_t hash)
{
        size_t s = hash & table_mask(t);

        while (t->slots[s]) {
                const struct docker_entry *e = &t->v[t->slots[s] - 1];
                if (e->hash == hash && strcmp(e->c.id, id) == 0)
                        break;
                s = (s + 1) & table_mask(t);
        }
        return s;
}

static inline struct docker_entry *table_find(const struct docker_table *t, const char *id)
{
        if (t->size == 0)
                return NULL;

        uint32_t i = t->slots[table_slot(t, id, table_hash(id))];
        return i ? &t->v[i - 1] : NULL;
}

static inline int table_grow(struct docker_table *t)
{
        size_t size = t->size ? 2 * t->size : 32;
        struct docker_entry *v = reallocarray(t->v, size, sizeof(*v));
        if (!v)
                return -ENOMEM;
        t->v = v;

        uint32_t *slots = calloc(2 * size, sizeof(*slots));
        if (!slots)
                return -ENOMEM;
        free(t->slots);
        t->slots = slots;
        t->size = size;
        for (size_t i = 0; i < t->n; i++)
                slots[table_slot(t, v[i].c.id, v[i].hash)] = (uint32_t)i + 1;
        return 0;
}

/* A new, zeroed entry with this id, which must not be there yet. */
static inline struct docker_entry *table_add(struct docker_table *t, const char *id)
{
        if ((t->n == t->size || !t->v) && table_grow(t) < 0)
                return NULL;

        struct docker_entry *e = &t->v[t->n];
        *e = (struct docker_entry){ .hash = table_hash(id) };
        str_copy(e->c.id, sizeof(e->c.id), id);
        t->slots[table_slot(t, id, e->hash)] = (uint32_t)++t->n;
        return e;
}

/* Free a slot and move up what had to step aside for it. */
static inline void table_unslot(struct docker_table *t, size_t hole)
{
        size_t mask = table_mask(t);

        t->slots[hole] = 0;
        for (size_t s = (hole + 1) & mask; t->slots[s]; s = (s + 1) & mask) {
                size_t home = t->v[t->slots[s] - 1].hash & mask;
                if (((s - home) & mask) < ((s - hole) & mask))
                        continue; /* its home lies behind the hole */
                t->slots[hole] = t->slots[s];
                t->slots[s] = 0;
                hole = s;
        }
}

/* The last entry takes the place of the removed one. */
static inline void table_remove(struct docker_table *t, struct docker_entry *e)
{
        struct docker_entry *last = &t->v[t->n - 1];

        table_unslot(t, table_slot(t, e->c.id, e->hash));
        if (e != last) {
                t->slots[table_slot(t, last->c.id, last->hash)] = (uint32_t)(e - t->v) + 1;
                *e = *last;
        }
        t->n--;
}

static inline void table_free(struct docker_table *t)
{
        free(t->v);
        free(t->slots);
        *t = (struct docker_table){ .n = 0 };
}

/* ---- facts: each fold changes a copy `c` of e->c, so that the caller sees what is new ---- */

static inline bool docker_same(const struct docker_container *a, const struct docker_container *b)
{
        return a->facts.state == b->facts.state && a->facts.health == b->facts.health &&
               a->facts.exit_code == b->facts.exit_code && a->facts.oom == b->facts.oom &&
               a->restarts == b->restarts && a->since == b->since;
}

static inline void docker_fold_event(const struct docker_event *ev, struct docker_entry *e,
                                     struct docker_container *c)
{
        struct container_facts *f = &c->facts;

        switch (ev->action) {
        case DOCKER_CREATE:
                *f = (struct container_facts){ .state = CTR_CREATED };
                c->since = ev->time;
                break;
        case DOCKER_START:
                *f = (struct container_facts){ .state = CTR_RUNNING, .oom = f->oom };
                if (e->has_health)
                        f->health = HEALTH_STARTING;
                c->since = ev->time;
                break;
        case DOCKER_DIE:
                *f = (struct container_facts){ .state = CTR_EXITED,
                                               .exit_code = ev->exit_code,
                                               .oom = f->oom };
                c->since = ev->time;
                break;
        case DOCKER_PAUSE: /* health stands still, and is valid again after the unpause */
                f->state = CTR_PAUSED;
                break;
        case DOCKER_UNPAUSE:
                f->state = CTR_RUNNING;
                break;
        case DOCKER_OOM:
                f->oom = true;
                break;
        case DOCKER_HEALTH:
                e->has_health = e->has_health || ev->health != HEALTH_NONE;
                f->health = ev->health;
                break;
        default:
                break;
        }
}

static inline void docker_fold_item(const struct docker_item *it, struct docker_entry *e,
                                    struct docker_container *c)
{
        if (it->state != CTR_PAUSED) /* a list does not tell a paused container's health */
                c->facts.health = it->health;
        if (it->health != HEALTH_NONE)
                e->has_health = true;
        c->facts.state = it->state;
        c->facts.exit_code = it->exit_code;
        if (it->state == CTR_CREATED)
                c->since = it->created;
}

/* `fresh`: no event came since the inspection was asked for. */
static inline void docker_fold_detail(const struct docker_detail *det, bool fresh,
                                      struct docker_entry *e, struct docker_container *c)
{
        c->restarts = det->restarts;
        c->facts.oom = det->oom;
        e->has_health = e->has_health || det->has_healthcheck;
        if (fresh) {
                c->facts.state = det->state;
                c->facts.health = det->health;
                c->facts.exit_code = det->exit_code;
        }
        if (fresh || c->since == 0)
                c->since = det->since;
}
