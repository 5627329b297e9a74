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
        bool wanted;       /* an inspection is due */
};

enum { TABLE_GONE = 512 };

struct docker_table {
        struct docker_entry *v;
        size_t n, size;
        uint32_t *slots;           /* 2 * size of them: index + 1, 0 = free */
        size_t n_wanted, cursor;   /* inspections due; where to look for the next */
        uint64_t gone[TABLE_GONE]; /* hashes of what was destroyed while a list is on its way */
        size_t n_gone;
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

/* An inspection is a flag in the entry: a thousand wishes for the same one are one. */
static inline void table_want(struct docker_table *t, struct docker_entry *e, bool wanted)
{
        if (e->wanted == wanted)
                return;
        e->wanted = wanted;
        t->n_wanted = wanted ? t->n_wanted + 1 : t->n_wanted - 1;
}

/* The next one in turn whose time has come; else NULL, and the first other one's comes in
 * *ret_wait ms. */
static inline struct docker_entry *table_next_wanted(struct docker_table *t, msec_t now,
                                                     msec_t *ret_wait)
{
        msec_t first = INT64_MAX;

        for (size_t i = 0; i < t->n; i++) {
                struct docker_entry *e = &t->v[(t->cursor + i) % t->n];
                if (!e->wanted)
                        continue;
                if (e->inspect_at <= now) {
                        t->cursor = (t->cursor + i + 1) % t->n;
                        return e;
                }
                first = MIN(first, e->inspect_at);
        }
        *ret_wait = first - now;
        return NULL;
}

static inline void table_note_gone(struct docker_table *t, uint64_t hash)
{
        if (t->n_gone < TABLE_GONE)
                t->gone[t->n_gone++] = hash;
}

/* With too many of them, of everyone: the list after this one tells. */
static inline bool table_is_gone(const struct docker_table *t, uint64_t hash)
{
        for (size_t i = 0; i < t->n_gone; i++)
                if (t->gone[i] == hash)
                        return true;
        return t->n_gone == TABLE_GONE;
}

/* The last entry takes the place of the removed one. */
static inline void table_remove(struct docker_table *t, struct docker_entry *e)
{
        struct docker_entry *last = &t->v[t->n - 1];

        table_want(t, e, false);
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

/* ---- facts: each fold returns true if something its owner sees is new ---- */

static inline bool docker_update(struct docker_entry *e, const struct docker_container *now)
{
        const struct docker_container *was = &e->c;
        bool same =
                was->facts.state == now->facts.state && was->facts.health == now->facts.health &&
                was->facts.exit_code == now->facts.exit_code && was->facts.oom == now->facts.oom &&
                was->restarts == now->restarts && was->since == now->since;

        if (!same)
                e->c = *now;
        return !same;
}

static inline bool docker_fold_event(struct docker_entry *e, const struct docker_event *ev)
{
        struct docker_container c = e->c;
        struct container_facts *f = &c.facts;

        switch (ev->action) {
        case DOCKER_CREATE:
                *f = (struct container_facts){ .state = CTR_CREATED };
                c.since = ev->time;
                break;
        case DOCKER_START:
                *f = (struct container_facts){ .state = CTR_RUNNING, .oom = f->oom };
                if (e->has_health)
                        f->health = HEALTH_STARTING;
                c.since = ev->time;
                break;
        case DOCKER_DIE:
                *f = (struct container_facts){ .state = CTR_EXITED,
                                               .exit_code = ev->exit_code,
                                               .oom = f->oom };
                c.since = ev->time;
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
        return docker_update(e, &c);
}

static inline bool docker_fold_item(struct docker_entry *e, const struct docker_item *it)
{
        struct docker_container c = e->c;

        if (it->state != CTR_PAUSED) /* a list does not tell a paused container's health */
                c.facts.health = it->health;
        if (it->health != HEALTH_NONE)
                e->has_health = true;
        c.facts.state = it->state;
        c.facts.exit_code = it->exit_code;
        if (it->state == CTR_CREATED)
                c.since = it->created;
        return docker_update(e, &c);
}

/* `fresh`: no event came since the inspection was asked for. */
static inline bool docker_fold_detail(struct docker_entry *e, const struct docker_detail *det,
                                      bool fresh)
{
        struct docker_container c = e->c;

        c.restarts = det->restarts;
        c.facts.oom = det->oom;
        e->has_health = e->has_health || det->has_healthcheck;
        if (fresh) {
                c.facts.state = det->state;
                c.facts.health = det->health;
                c.facts.exit_code = det->exit_code;
        }
        if (fresh || c.since == 0)
                c.since = det->since;
        return docker_update(e, &c);
}
