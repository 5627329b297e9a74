/* The rules of alert_queue.h. An item whose last target has got it, or has given it up, goes. */
#include "hamon/web/alert_queue.h"

#include <string.h>

static uint32_t bit(size_t target)
{
        return UINT32_C(1) << target;
}

static void remove_at(struct alert_queue *q, size_t at)
{
        q->n--;
        memmove(&q->items[at], &q->items[at + 1], (q->n - at) * sizeof q->items[0]);
        memmove(&q->serials[at], &q->serials[at + 1], (q->n - at) * sizeof q->serials[0]);
}

static void remove_done(struct alert_queue *q)
{
        for (size_t i = q->n; i-- > 0;)
                if (q->items[i].open == 0)
                        remove_at(q, i);
}

/* ---- targets ---- */

static size_t find(const struct queue_target *list, size_t n, const char *name)
{
        size_t i = 0;

        while (i < n && strcmp(list[i].name, name) != 0)
                i++;
        return i;
}

static void move_marks(struct queue_item *item, const size_t *was, size_t n)
{
        struct queue_item moved = *item;

        moved.open = 0;
        memset(moved.refused, 0, sizeof moved.refused);
        for (size_t i = 0; i < n; i++) {
                if (was[i] == ALERT_TARGETS)
                        continue;
                moved.open |= item->open & bit(was[i]) ? bit(i) : 0;
                moved.refused[i] = item->refused[was[i]];
        }
        *item = moved;
}

void alert_queue_targets(struct alert_queue *q, const struct alert_targets *t)
{
        struct queue_target fresh[ALERT_TARGETS] = { { .busy = false } };
        size_t was[ALERT_TARGETS];

        for (size_t i = 0; i < t->n; i++) {
                size_t old = find(q->targets, q->n_targets, t->v[i].name);
                was[i] = old < q->n_targets ? old : ALERT_TARGETS;
                fresh[i] =
                        old < q->n_targets ? q->targets[old] : (struct queue_target){ .ok = true };
                fresh[i].busy = false;
                fresh[i].again_at = 0; /* it may have been mended */
                str_copy(fresh[i].name, sizeof fresh[i].name, t->v[i].name);
        }
        for (size_t i = 0; i < q->n; i++) {
                bool open = q->items[i].open != 0;
                move_marks(&q->items[i], was, t->n);
                q->dropped += open && q->items[i].open == 0;
        }
        memcpy(q->targets, fresh, sizeof fresh);
        q->n_targets = t->n;
        remove_done(q);
}

/* ---- in ---- */

static bool is_under_way(const struct alert_queue *q, size_t at)
{
        for (size_t i = 0; i < q->n_targets; i++)
                if (q->targets[i].busy && q->targets[i].sending == q->serials[at])
                        return true;
        return false;
}

static void make_room(struct alert_queue *q)
{
        size_t worst = QUEUE_MAX;

        for (size_t i = 0; i < q->n; i++)
                if (!is_under_way(q, i) &&
                    (worst == QUEUE_MAX || q->items[i].m.level < q->items[worst].m.level))
                        worst = i;
        q->dropped++;
        remove_at(q, worst); /* ALERT_TARGETS < QUEUE_MAX: there is one */
}

void alert_queue_add(struct alert_queue *q, const struct alert_targets *t,
                     const struct alert_message *m, msec_t now)
{
        struct queue_item item = { .m = *m, .since = now };

        for (size_t i = 0; i < t->n; i++)
                if (alert_target_wants(&t->v[i], m))
                        item.open |= bit(i);
        if (item.open == 0)
                return;
        if (q->n == QUEUE_MAX)
                make_room(q);
        q->serials[q->n] = ++q->last_serial;
        q->items[q->n++] = item;
}

void alert_queue_expire(struct alert_queue *q, msec_t now)
{
        for (size_t i = q->n; i-- > 0;) {
                if (now - q->items[i].since < QUEUE_AGE || is_under_way(q, i))
                        continue;
                q->dropped++;
                remove_at(q, i);
        }
}

/* ---- out ---- */

const struct alert_message *alert_queue_take(struct alert_queue *q, size_t i, msec_t now,
                                             uint64_t *ret_serial)
{
        struct queue_target *t = &q->targets[i];

        if (t->busy || now < t->again_at)
                return NULL;
        for (size_t k = 0; k < q->n; k++) {
                if (!(q->items[k].open & bit(i)))
                        continue;
                t->busy = true;
                t->sending = q->serials[k];
                *ret_serial = t->sending;
                return &q->items[k].m;
        }
        return NULL;
}

msec_t alert_queue_pause(unsigned tries, uint64_t random)
{
        msec_t pause = QUEUE_FIRST;

        for (unsigned i = 1; i < tries && pause < QUEUE_LONGEST; i++)
                pause *= 2;
        pause = MIN(pause, (msec_t)QUEUE_LONGEST);
        return pause / 2 + (msec_t)(random % (uint64_t)(pause / 2 + 1));
}

static void back_off(struct queue_target *t, const struct alert_outcome *o, uint64_t random,
                     msec_t now)
{
        t->ok = false;
        t->failed++;
        t->tries++;
        str_copy(t->error, sizeof t->error, o->error);
        t->again_at = now + MAX(o->wait, alert_queue_pause(t->tries, random));
}

void alert_queue_done(struct alert_queue *q, size_t i, uint64_t serial,
                      const struct alert_outcome *o, uint64_t random, msec_t now)
{
        struct queue_target *t = &q->targets[i];
        size_t k = 0;

        t->busy = false;
        while (k < q->n && q->serials[k] != serial)
                k++;
        if (o->end == ALERT_SENT) {
                t->ok = true;
                t->sent++;
                t->tries = 0;
                t->error[0] = '\0';
                t->again_at = now;
        } else {
                back_off(t, o, random, now);
        }
        if (k == q->n)
                return;
        if (o->end == ALERT_REFUSED && ++q->items[k].refused[i] >= QUEUE_REFUSALS) {
                q->dropped++;
                q->items[k].open &= ~bit(i);
        } else if (o->end == ALERT_SENT) {
                q->items[k].open &= ~bit(i);
        }
        if (q->items[k].open == 0)
                remove_at(q, k);
}

msec_t alert_queue_wait(const struct alert_queue *q, msec_t now)
{
        msec_t wait = -1;

        for (size_t i = 0; i < q->n_targets; i++) {
                const struct queue_target *t = &q->targets[i];
                bool waits = false;
                for (size_t k = 0; k < q->n && !waits; k++)
                        waits = (q->items[k].open & bit(i)) != 0;
                if (!waits || t->busy)
                        continue;
                msec_t left = MAX((msec_t)0, t->again_at - now);
                wait = wait < 0 ? left : MIN(wait, left);
        }
        return wait;
}
