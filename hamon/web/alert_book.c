/* The decisions of alert_book.h. An entry is found by its key; what has been calm for a day is
 * forgotten, and the longest calm one makes room for a new one. */
#include "hamon/web/alert_book.h"

#include <inttypes.h>
#include <string.h>

enum { OVER_HOLD = 10000, FORGET = 24 * 3600 * 1000 };

void alert_book_init(struct alert_book *b, const struct book_rule *r, const char *me,
                     const char *cluster, msec_t now)
{
        *b = (struct alert_book){ .rule = *r, .speaker_since = now };
        alert_copy(b->me, sizeof b->me, me);
        alert_copy(b->cluster, sizeof b->cluster, cluster);
        alert_flood_init(&b->flood, r->burst, r->pace, now);
}

void alert_book_rule(struct alert_book *b, const struct book_rule *r)
{
        b->rule = *r;
        alert_flood_rule(&b->flood, r->burst, r->pace);
}

/* ---- entries ---- */

static struct book_entry *find(struct alert_book *b, const char *key)
{
        for (size_t i = 0; i < b->n; i++)
                if (strcmp(b->entries[i].m.key, key) == 0)
                        return &b->entries[i];
        return NULL;
}

static bool is_calm(const struct book_entry *e)
{
        return !e->present && !e->told && e->more == 0;
}

static void forget_calm(struct alert_book *b, msec_t now)
{
        size_t kept = 0;

        for (size_t i = 0; i < b->n; i++)
                if (!is_calm(&b->entries[i]) || now - b->entries[i].touched < FORGET)
                        b->entries[kept++] = b->entries[i];
        b->n = kept;
}

/* The place of a new entry; full of what is not calm, the one touched longest ago goes. */
static struct book_entry *make_room(struct alert_book *b)
{
        struct book_entry *worst = &b->entries[0];

        if (b->n < BOOK_ENTRIES)
                return &b->entries[b->n++];
        for (size_t i = 1; i < b->n; i++) {
                struct book_entry *e = &b->entries[i];
                if (is_calm(e) != is_calm(worst) ? is_calm(e) : e->touched < worst->touched)
                        worst = e;
        }
        return worst;
}

static struct book_entry *entry(struct alert_book *b, const char *key, msec_t now)
{
        struct book_entry *e = find(b, key);

        if (!e) {
                e = make_room(b);
                *e = (struct book_entry){ .since = now, .window_at = now };
                str_copy(e->m.key, sizeof e->m.key, key);
        }
        e->touched = now;
        return e;
}

/* ---- telling ---- */

static bool window_full(const struct book_entry *e, msec_t now)
{
        return e->repeat > 0 && now - e->window_at < e->repeat && e->window_n >= BOOK_PER_WINDOW;
}

static void count(struct book_entry *e, msec_t now)
{
        if (e->window_n == 0 || now - e->window_at >= e->repeat) {
                e->window_at = now;
                e->window_n = 0;
        }
        e->window_n++;
        e->more = 0;
}

static void tell(struct alert_book *b, struct book_entry *e, const struct alert_message *m,
                 msec_t now)
{
        struct alert_message told = *m;
        bool end = m->phase == PHASE_OVER;

        told.more = e->more;
        alert_identify(&told);
        b->changes++;
        count(e, now);
        e->kept_back = !alert_flood_tell(&b->flood, &told, end && !e->kept_back, now) && !end;
}

/* ---- own events ---- */

/* What merely happens: the first one at once, then one for all that came within `repeat`. */
static void happened(struct alert_book *b, const struct alert_rule *r,
                     const struct alert_message *m, msec_t now)
{
        struct book_entry *e = entry(b, m->key, now);
        bool within = r->repeat > 0 && e->window_n > 0 && now - e->window_at < r->repeat;

        e->source = BOOK_EVENT;
        e->level = false;
        e->repeat = r->repeat;
        e->m = *m;
        b->changes++;
        if (within)
                e->more++;
        else
                tell(b, e, m, now);
}

static void set_present(struct alert_book *b, struct book_entry *e, bool present, msec_t now)
{
        if (e->present == present)
                return;
        b->changes++;
        if (!present && !e->told && window_full(e, now))
                e->more++; /* it came and went while it was not to be told */
        e->present = present;
        e->since = now;
}

/* What is this node's alone waits for nobody; events are weighed as they come, so that an end that
 * is read in the same moment does not swallow its beginning. */
static void weigh_own(struct alert_book *b, struct book_entry *e, msec_t now)
{
        msec_t hold = e->present ? e->hold : MIN(e->hold, (msec_t)OVER_HOLD);

        if (e->present == e->told || now - e->since < hold || window_full(e, now))
                return;
        if (!e->present)
                e->m.phase = PHASE_OVER;
        tell(b, e, &e->m, now);
        e->told = e->present;
}

static void begun_or_over(struct alert_book *b, const struct alert_rule *r,
                          const struct alert_message *m, msec_t now)
{
        bool open = r->sort == SORT_OPEN;
        struct book_entry *e = open ? entry(b, m->key, now) : find(b, m->key);

        if (!e || (!open && !e->present))
                return;                                      /* the end of what never began */
        enum log_level level = open ? m->level : e->m.level; /* who hears of one hears of both */
        e->source = BOOK_EVENT;
        e->level = true;
        if (open) {
                e->hold = r->hold;
                e->repeat = r->repeat;
        }
        if (open != e->present || !e->told) {
                e->m = *m;
                e->m.level = level;
        }
        set_present(b, e, open, now);
        weigh_own(b, e, now);
}

/* A daemon that starts tells anew what is wrong. */
static void begun_anew(struct alert_book *b, const struct alert_message *m, msec_t now)
{
        for (size_t i = 0; i < b->n; i++) {
                struct book_entry *e = &b->entries[i];
                if (e->source != BOOK_EVENT || !e->level || !e->present)
                        continue;
                e->m.at_ms = m->at_ms;
                set_present(b, e, false, now);
        }
}

void alert_book_event(struct alert_book *b, const struct alert_rule *r,
                      const struct alert_message *m, msec_t now)
{
        switch (r->sort) {
        case SORT_ONCE:
                happened(b, r, m, now);
                break;
        case SORT_OPEN:
        case SORT_OVER:
                begun_or_over(b, r, m, now);
                break;
        case SORT_RESET:
                begun_anew(b, m, now);
                break;
        }
}

/* ---- conditions ---- */

struct turn { /* of one step */
        struct alert_book *b;
        const struct alert_view *v;
        const struct alert_conditions *k;
        msec_t now;
        int speaker;
        bool fresh; /* the first good view for a while */
};

/* The end is told with how long it was, not with what to do about it. */
static void dated_end(struct book_entry *e, int64_t unix_ms)
{
        int64_t s = MAX((int64_t)0, unix_ms - e->m.at_ms) / 1000;

        if (s < 120)
                snprintf(e->m.text, sizeof e->m.text, "it lasted for %" PRId64 " s", s);
        else
                snprintf(e->m.text, sizeof e->m.text, "it lasted for %" PRId64 " h %" PRId64 " min",
                         s / 3600, s / 60 % 60);
        e->m.at_ms = unix_ms;
}

/* While this node was away: others have said so. */
static bool ended_without_us(const struct turn *t, const struct book_entry *e)
{
        return t->fresh && e->source == BOOK_CLUSTER && e->present && t->v->heard > 1 &&
               t->speaker != t->v->me;
}

static void take_condition(struct turn *t, const struct alert_condition *c, int64_t unix_ms)
{
        static const enum book_source SOURCES[] = {
                [WHOSE_OWN] = BOOK_OWN, [WHOSE_SIDE] = BOOK_SIDE, [WHOSE_CLUSTER] = BOOK_CLUSTER
        };
        struct book_entry *e = c->present ? entry(t->b, c->m.key, t->now) : find(t->b, c->m.key);

        if (!e)
                return;
        e->source = SOURCES[c->whose];
        e->level = true;
        e->hold = c->hold;
        e->repeat = t->b->rule.repeat;
        str_copy(e->about, sizeof e->about, c->about);
        if (!c->present && ended_without_us(t, e))
                e->told = false;
        if (c->present && (!e->present || !e->told)) { /* in the words of now, dated by its begin */
                int64_t began = e->present ? e->m.at_ms : unix_ms;
                e->m = c->m;
                e->m.at_ms = began;
        }
        if (!c->present && e->present)
                dated_end(e, unix_ms);
        set_present(t->b, e, c->present, t->now);
}

static bool is_listed(const struct alert_conditions *k, const char *key)
{
        for (size_t i = 0; i < k->n; i++)
                if (strcmp(k->v[i].m.key, key) == 0)
                        return true;
        return false;
}

static bool is_frozen(const struct book_entry *e, const struct alert_conditions *k)
{
        return e->source == BOOK_EVENT || (e->source == BOOK_OWN && k->own_frozen) ||
               (e->source >= BOOK_SIDE && k->cluster_frozen);
}

/* Not listed: over, or nothing can be said. What was not told yet begins to count anew then. */
static void take_unlisted(struct alert_book *b, const struct alert_conditions *k, msec_t now,
                          int64_t unix_ms)
{
        for (size_t i = 0; i < b->n; i++) {
                struct book_entry *e = &b->entries[i];
                bool frozen = is_frozen(e, k);
                if (e->source == BOOK_EVENT || is_listed(k, e->m.key) || !e->present)
                        continue;
                if (!frozen) {
                        dated_end(e, unix_ms);
                        set_present(b, e, false, now);
                } else if (!e->told) {
                        e->present = false;
                        e->since = now;
                }
        }
}

/* ---- who speaks ---- */

static int index_of(const struct alert_view *v, const char *name)
{
        for (size_t i = 0; i < v->n; i++)
                if (*name && strcmp(v->nodes[i].name, name) == 0)
                        return (int)i;
        return -1;
}

static void look_who_speaks(struct turn *t)
{
        const char *name;

        t->speaker = alert_view_speaker(t->v);
        name = t->speaker >= 0 ? t->v->nodes[t->speaker].name : "";
        if (strcmp(name, t->b->speaker) == 0)
                return;
        str_copy(t->b->before, sizeof t->b->before, t->b->speaker);
        t->b->before_since = t->b->speaker_since;
        str_copy(t->b->speaker, sizeof t->b->speaker, name);
        t->b->speaker_since = t->now;
}

/* When whoever has spoken since `since` tells what has been due since `due`. */
static msec_t tells_at(const struct turn *t, int speaker, msec_t since, msec_t due)
{
        const struct book_rule *r = &t->b->rule;
        msec_t at = MAX(due, since) + r->settle;

        if (!t->v->majority)
                at += r->stagger * (msec_t)alert_view_missing_before(t->v, (size_t)speaker);
        return at;
}

/* Did it live so long? */
static bool lived_until(const struct turn *t, int node, msec_t at)
{
        const struct alert_view_node *n = &t->v->nodes[node];

        return n->age >= 0 && t->now - n->age >= at;
}

enum { NOBODY_YET = -1 };

/* Whom it is about cannot know of it: then the first one that is heard speaks. */
static int speaker_but(const struct turn *t, int about)
{
        if (t->speaker != about)
                return t->speaker;
        for (size_t i = 0; i < t->v->n; i++)
                if (t->v->nodes[i].heard && (int)i != about)
                        return (int)i;
        return NOBODY_YET;
}

/* Who has told, or tells now, what has been due since `due`: an index; NOBODY_YET. */
static int who_says(const struct turn *t, const struct book_entry *e, msec_t due)
{
        const struct alert_book *b = t->b;
        int before = index_of(t->v, b->before), about = index_of(t->v, e->about);
        int speaker = speaker_but(t, about);

        if (before >= 0 && before != t->v->me && before != about) {
                msec_t at = tells_at(t, before, b->before_since, due) + b->rule.slack;
                if (at <= b->speaker_since && lived_until(t, before, at))
                        return before; /* another one, and its time was long enough */
        }
        if (speaker < 0)
                return NOBODY_YET;
        msec_t at = tells_at(t, speaker, b->speaker_since, due);
        if (speaker == t->v->me)
                return t->now >= at ? speaker : NOBODY_YET;
        return lived_until(t, speaker, at + b->rule.slack) ? speaker : NOBODY_YET;
}

/* ---- what is due ---- */

static void tell_as(struct turn *t, struct book_entry *e, int who)
{
        if (who == NOBODY_YET)
                return;
        e->mine = who == t->v->me;
        if (!e->present)
                e->m.phase = PHASE_OVER;
        if (e->mine)
                tell(t->b, e, &e->m, t->now);
        else
                e->kept_back = false; /* what another told counts as told */
        e->told = e->present;
        t->b->changes++;
}

/* The other nodes of this side count it as told; who told it tells its end, for the speaker of then
 * may have been on another side. */
static void end_side(struct turn *t, struct book_entry *e, msec_t due)
{
        if (!e->mine)
                e->told = false;
        else if (t->now >= due)
                tell_as(t, e, t->v->me);
}

static void weigh(struct turn *t, struct book_entry *e)
{
        msec_t due = e->since + (e->present ? e->hold : MIN(e->hold, (msec_t)OVER_HOLD));

        if (!e->level)
                return;
        if (e->source < BOOK_SIDE || t->v->n == 0) {
                weigh_own(t->b, e, t->now);
                return;
        }
        if (e->present == e->told || window_full(e, t->now) ||
            (t->k->cluster_frozen && !is_listed(t->k, e->m.key)))
                return;
        if (e->source == BOOK_SIDE && !e->present)
                end_side(t, e, due);
        else
                tell_as(t, e, who_says(t, e, due));
}

/* "12 more like this": of what merely happens, or has come and gone while nothing was told of it.
 */
static void weigh_more(struct turn *t, struct book_entry *e)
{
        if (e->present || e->told || e->more == 0 || t->now - e->window_at < e->repeat)
                return;
        e->more--; /* the one that is told stands for itself */
        e->m.phase = PHASE_EVENT;
        tell(t->b, e, &e->m, t->now);
}

/* ---- a step ---- */

/* Gone for so long that the others have seen it? */
static void look_for_gap(struct turn *t)
{
        struct alert_book *b = t->b;

        if (t->v->blind || !t->v->majority)
                return;
        t->fresh = !b->looked || t->now - b->looked_at > b->rule.settle;
        b->looked = true;
        b->looked_at = t->now;
}

void alert_book_step(struct alert_book *b, const struct alert_view *v,
                     const struct alert_conditions *k, msec_t now, int64_t unix_ms)
{
        struct turn t = { .b = b, .v = v, .k = k, .now = now };

        look_who_speaks(&t);
        look_for_gap(&t);
        for (size_t i = 0; i < k->n; i++)
                take_condition(&t, &k->v[i], unix_ms);
        take_unlisted(b, k, now, unix_ms);
        for (size_t i = 0; i < b->n; i++) {
                weigh(&t, &b->entries[i]);
                weigh_more(&t, &b->entries[i]);
        }
        forget_calm(b, now);
        alert_flood_step(&b->flood, b->cluster, b->me, now, unix_ms);
}

bool alert_book_next(struct alert_book *b, struct alert_message *ret)
{
        return alert_flood_next(&b->flood, ret);
}
