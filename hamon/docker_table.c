/* The table of containers: a dense array with an open-addressing index by id (linear probing, at
 * most half full, no tombstones), so that a thousand containers and ten thousand events cost
 * nothing worth naming. Below it the folds: what an event, a list's item or an inspection changes
 * in one entry. Pure but for the allocator. */
#include "hamon/docker_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- the index ---- */

static uint64_t table_hash(const char *id)
{
        uint64_t h = UINT64_C(14695981039346656037); /* FNV-1a */

        for (; *id; id++)
                h = (h ^ (unsigned char)*id) * UINT64_C(1099511628211);
        return h;
}

static size_t table_mask(const struct docker_table *t)
{
        return 2 * t->size - 1;
}

/* The slot that holds the id, or the free one where it belongs. */
static size_t table_slot(const struct docker_table *t, const char *id, uint64_t hash)
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

struct docker_entry *docker_table_find(const struct docker_table *t, const char *id)
{
        if (t->size == 0)
                return NULL;

        uint32_t i = t->slots[table_slot(t, id, table_hash(id))];
        return i ? &t->v[i - 1] : NULL;
}

static int table_grow(struct docker_table *t)
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

struct docker_entry *docker_table_add(struct docker_table *t, const char *id)
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
static void table_unslot(struct docker_table *t, size_t hole)
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

void docker_table_remove(struct docker_table *t, struct docker_entry *e)
{
        struct docker_entry *last = &t->v[t->n - 1];

        docker_table_want(t, e, false);
        table_unslot(t, table_slot(t, e->c.id, e->hash));
        if (e != last) {
                t->slots[table_slot(t, last->c.id, last->hash)] = (uint32_t)(e - t->v) + 1;
                *e = *last;
        }
        t->n--;
}

void docker_table_done(struct docker_table *t)
{
        free(t->v);
        free(t->slots);
        *t = (struct docker_table){ .n = 0 };
}

/* ---- notes for later: what to inspect, what is gone ---- */

void docker_table_want(struct docker_table *t, struct docker_entry *e, bool wanted)
{
        if (e->wanted == wanted)
                return;
        e->wanted = wanted;
        t->n_wanted = wanted ? t->n_wanted + 1 : t->n_wanted - 1;
}

struct docker_entry *docker_table_next_wanted(struct docker_table *t, msec_t now, msec_t *ret_wait)
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

void docker_table_note_gone(struct docker_table *t, const char *id)
{
        if (t->n_gone < TABLE_GONE)
                t->gone[t->n_gone++] = table_hash(id);
}

bool docker_table_is_gone(const struct docker_table *t, const char *id)
{
        uint64_t hash = table_hash(id);

        for (size_t i = 0; i < t->n_gone; i++)
                if (t->gone[i] == hash)
                        return true;
        return t->n_gone == TABLE_GONE;
}

/* ---- the folds ---- */

bool docker_is_up(enum ctr_state s)
{
        return s == CTR_RUNNING || s == CTR_PAUSED;
}

bool docker_is_late(const struct docker_entry *e)
{
        return e->c.ended && e->c.facts.exit_code < 0;
}

/* True if it is news. */
static bool update(struct docker_entry *e, const struct docker_container *now)
{
        const struct docker_container *was = &e->c;
        bool same =
                was->facts.state == now->facts.state && was->facts.health == now->facts.health &&
                was->facts.exit_code == now->facts.exit_code && was->facts.oom == now->facts.oom &&
                was->facts.no_start == now->facts.no_start && was->restarts == now->restarts &&
                was->since == now->since && was->ended == now->ended;

        if (!same)
                e->c = *now;
        return !same;
}

bool docker_fold_event(struct docker_entry *e, const struct docker_event *ev)
{
        struct docker_container c = e->c;
        struct container_facts *f = &c.facts;

        switch (ev->action) {
        case DOCKER_CREATE:
                *f = (struct container_facts){ .state = CTR_CREATED };
                c.since = ev->time;
                c.ended = false;
                break;
        case DOCKER_START:
                *f = (struct container_facts){ .state = CTR_RUNNING, .oom = f->oom };
                if (e->has_health)
                        f->health = HEALTH_STARTING;
                c.since = ev->time;
                c.ended = false;
                break;
        case DOCKER_DIE:
                *f = (struct container_facts){ .state = CTR_EXITED,
                                               .exit_code = ev->exit_code,
                                               .oom = f->oom };
                c.since = ev->time;
                break;
        case DOCKER_PAUSE: /* health stands still, and is valid again after the unpause */
                f->state = c.ended ? f->state : CTR_PAUSED;
                break;
        case DOCKER_UNPAUSE: /* a killed one dies on thawing, before we hear of that */
                f->state = c.ended ? f->state : CTR_RUNNING;
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
        return update(e, &c);
}

bool docker_fold_item(struct docker_entry *e, const struct docker_item *it)
{
        struct docker_container c = e->c;

        if (it->state != CTR_PAUSED) /* a list does not tell a paused container's health */
                c.facts.health = it->health;
        if (it->health != HEALTH_NONE)
                e->has_health = true;
        c.facts.state = it->state;
        c.facts.exit_code = it->exit_code;
        c.facts.no_start = c.facts.no_start && !docker_is_up(it->state);
        c.ended = c.ended && !docker_is_up(it->state);
        if (it->state == CTR_CREATED)
                c.since = it->created;
        return update(e, &c);
}

bool docker_fold_detail(struct docker_entry *e, const struct docker_detail *det, bool fresh)
{
        struct docker_container c = e->c;

        c.restarts = det->restarts;
        c.facts.oom = det->oom;
        e->has_health = e->has_health || det->has_healthcheck;
        if (fresh) {
                c.facts.state = det->state;
                c.facts.health = det->health;
                c.facts.exit_code = det->exit_code;
                c.facts.no_start = det->no_start;
                c.ended = c.ended && !docker_is_up(det->state);
        }
        if (fresh || c.since == 0)
                c.since = det->since;
        return update(e, &c);
}

bool docker_fold_end(struct docker_entry *e, int64_t now)
{
        struct docker_container c = e->c;

        c.facts = (struct container_facts){ .state = CTR_EXITED,
                                            .exit_code = -1,
                                            .oom = c.facts.oom };
        c.since = now;
        c.ended = true;
        return update(e, &c);
}
