/* What this node's events cannot know is seen in the snapshots: that another node took the lead,
 * and whether a master that let go was well when it did. A master that was unfit and handed over is
 * a fail-over too, for all but the lease. */
#include "hamon/web/failover_watch.h"

#include "hamon/web/failovers.h"
#include "lib/json.h"
#include "lib/log.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BUCKETS = 12 };

/* Upper bounds in ms: of phases and of whole fail-overs alike. */
static const msec_t BOUNDS[BUCKETS] = { 50,   100,   250,   500,   1000,  2500,
                                        5000, 10000, 15000, 30000, 60000, 120000 };

struct histogram {
        uint64_t buckets[BUCKETS], count; /* not cumulative */
        msec_t sum;
};

struct watch {
        struct failover seen[FAILOVERS_MAX]; /* of other nodes, newest last */
        size_t n_seen;
        struct failover own[FAILOVERS_MAX];
        size_t n_own;
        struct {
                char holder[64];
                uint64_t epoch;
                bool known, fit;
        } last;        /* who led when somebody did */
        uint64_t told; /* the newest epoch of ours that was counted, or was there before us */
        bool begun;
        msec_t running_since;                 /* loop time, of the last in `seen` */
        struct failover hints[FAILOVERS_MAX]; /* epoch, kind and old of what was seen to begin */
        size_t n_hints;

        uint64_t counts[FAILOVER_KINDS_][FAILOVER_RESULTS_];
        struct histogram phases[FAILOVER_PHASES], whole[FAILOVER_KINDS_];
        struct loop *loop;
};

static int64_t wall_ms(void)
{
        struct timespec ts;

        clock_gettime(CLOCK_REALTIME, &ts); /* for people; nothing is decided by it */
        return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void stamp(struct failover *f)
{
        time_t seconds = (time_t)(f->began_ms / 1000);
        struct tm tm = { .tm_year = 0 };
        char text[24];

        gmtime_r(&seconds, &tm);
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
        snprintf(f->began, sizeof f->began, "%s.%03dZ", text, (int)(f->began_ms % 1000));
}

static struct failover *append(struct failover *list, size_t *n, const struct failover *f)
{
        if (*n == FAILOVERS_MAX)
                memmove(list, list + 1, --*n * sizeof *list);
        list[*n] = *f;
        return &list[(*n)++];
}

/* ---- other nodes, by the snapshots ---- */

static const cJSON *node_named(const cJSON *status, const char *name)
{
        const cJSON *n;

        cJSON_ArrayForEach(n, json_at(status, "nodes")) if (strcmp(json_text(n, "name"), name) ==
                                                            0) return n;
        return NULL;
}

static void end_seen(struct watch *w, enum failover_result result, msec_t now)
{
        struct failover *f = w->n_seen > 0 ? &w->seen[w->n_seen - 1] : NULL;

        if (!f || f->result != FAILOVER_RUNNING)
                return;
        f->result = result;
        f->total = now - w->running_since;
}

/* The lease went to `holder`: from whom, and was that one well? */
static void moved(struct watch *w, const cJSON *status, const char *holder, uint64_t epoch,
                  msec_t now)
{
        struct failover f = { .epoch = epoch, .began_ms = wall_ms(), .kind = FAILOVER_SWITCHOVER };

        if (!*w->last.holder || strcmp(w->last.holder, holder) == 0)
                f.kind = FAILOVER_START;
        else if (!w->last.fit)
                f.kind = FAILOVER_FAILOVER;
        str_copy(f.node, sizeof f.node, holder);
        str_copy(f.old, sizeof f.old, w->last.holder);
        stamp(&f);
        append(w->hints, &w->n_hints, &f);
        end_seen(w, FAILOVER_FAILED, now);
        if (strcmp(holder, json_text(status, "node")) == 0)
                return;
        append(w->seen, &w->n_seen, &f);
        w->running_since = now;
}

static void look(struct watch *w, const cJSON *status, msec_t now)
{
        const char *holder = json_text(status, "lease.holder");
        uint64_t epoch = (uint64_t)json_number(status, "lease.epoch", 0);
        const cJSON *n = node_named(status, holder);

        if (!json_true(status, "lease.known"))
                return;
        if (w->last.known && epoch > w->last.epoch && *holder)
                moved(w, status, holder, epoch, now);
        else if (w->last.known && !*holder)
                end_seen(w, FAILOVER_FAILED, now);
        if (n && strcmp(json_text(n, "state"), "master") == 0)
                end_seen(w, FAILOVER_DONE, now);
        if (*holder) {
                str_copy(w->last.holder, sizeof w->last.holder, holder);
                w->last.epoch = epoch;
                w->last.fit = n && strcmp(json_text(n, "verdict"), "fit") == 0;
        }
        w->last.known = true;
}

/* ---- this node, by its events ---- */

static void count(struct histogram *h, msec_t took)
{
        h->count++;
        h->sum += took;
        for (size_t i = 0; i < BUCKETS; i++)
                if (took <= BOUNDS[i]) {
                        h->buckets[i]++;
                        return;
                }
}

static void account(struct watch *w, const struct failover *f)
{
        w->counts[f->kind][f->result]++;
        if (f->result != FAILOVER_DONE)
                return;
        count(&w->whole[f->kind], f->total);
        for (size_t i = 0; i < f->n_phases; i++)
                for (size_t k = 0; failover_phase_name(k); k++)
                        if (strcmp(failover_phase_name(k), f->phases[i].name) == 0)
                                count(&w->phases[k], f->phases[i].took);
}

/* The fold calls whatever was released a switchover. */
static void apply_hint(const struct watch *w, struct failover *f)
{
        for (size_t i = 0; i < w->n_hints; i++) {
                const struct failover *h = &w->hints[i];
                if (h->epoch != f->epoch || f->kind != FAILOVER_SWITCHOVER)
                        continue;
                f->kind = h->kind == FAILOVER_START ? f->kind : h->kind;
                if (!*f->old && h->kind != FAILOVER_START)
                        str_copy(f->old, sizeof f->old, h->old);
        }
}

static void part_snap(void *part, const struct snap *snap)
{
        struct watch *w = part;

        if (snap->status)
                look(w, snap->status, loop_now(w->loop));
        w->n_own = failovers_fold(snap->events, snap->n_events, wall_ms(), w->own, FAILOVERS_MAX);
        for (size_t i = 0; i < w->n_own; i++) {
                struct failover *f = &w->own[i];
                apply_hint(w, f);
                if (f->result == FAILOVER_RUNNING || f->epoch <= w->told)
                        continue;
                if (w->begun)
                        account(w, f);
                w->told = f->epoch;
        }
        w->begun = true;
}

/* ---- report ---- */

static void add_one(cJSON *list, const struct failover *f)
{
        cJSON *o = cJSON_CreateObject();
        cJSON *phases;

        cJSON_AddNumberToObject(o, "epoch", (double)f->epoch);
        cJSON_AddStringToObject(o, "node", f->node);
        cJSON_AddStringToObject(o, "from", f->old);
        cJSON_AddStringToObject(o, "began", f->began);
        cJSON_AddStringToObject(o, "kind", FAILOVER_KINDS[f->kind]);
        cJSON_AddStringToObject(o, "result", FAILOVER_RESULTS[f->result]);
        cJSON_AddNumberToObject(o, "total_ms", (double)f->total);
        phases = cJSON_AddArrayToObject(o, "phases");
        for (size_t i = 0; i < f->n_phases; i++) {
                cJSON *p = cJSON_CreateObject();
                cJSON_AddStringToObject(p, "name", f->phases[i].name);
                cJSON_AddNumberToObject(p, "from_ms", (double)f->phases[i].from);
                cJSON_AddNumberToObject(p, "ms", (double)f->phases[i].took);
                cJSON_AddItemToArray(phases, p);
        }
        cJSON_AddItemToArray(list, o);
}

/* Both lists are in order of epochs. */
static void add_all(cJSON *into, const struct watch *w)
{
        cJSON *list = cJSON_AddArrayToObject(into, "failovers");
        size_t total = w->n_own + w->n_seen,
               skip = total > FAILOVERS_MAX ? total - FAILOVERS_MAX : 0;

        for (size_t own = 0, seen = 0; own + seen < total;) {
                bool take_own = seen == w->n_seen ||
                                (own < w->n_own && w->own[own].epoch <= w->seen[seen].epoch);
                const struct failover *f = take_own ? &w->own[own++] : &w->seen[seen++];
                if (own + seen > skip)
                        add_one(list, f);
        }
}

static void add_histogram(cJSON *list, const char *key, const char *name, const struct histogram *h)
{
        cJSON *o = cJSON_CreateObject();
        cJSON *buckets;
        uint64_t sum = 0;

        cJSON_AddStringToObject(o, key, name);
        cJSON_AddNumberToObject(o, "count", (double)h->count);
        cJSON_AddNumberToObject(o, "sum_ms", (double)h->sum);
        buckets = cJSON_AddArrayToObject(o, "buckets");
        for (size_t i = 0; i < BUCKETS; i++) {
                cJSON *b = cJSON_CreateObject();
                sum += h->buckets[i];
                cJSON_AddNumberToObject(b, "le_ms", (double)BOUNDS[i]);
                cJSON_AddNumberToObject(b, "n", (double)sum);
                cJSON_AddItemToArray(buckets, b);
        }
        cJSON_AddItemToArray(list, o);
}

static void add_counts(cJSON *into, const struct watch *w)
{
        cJSON *o = cJSON_AddObjectToObject(into, "failover_times");
        cJSON *list = cJSON_AddArrayToObject(o, "counts");

        for (size_t k = 0; k < FAILOVER_KINDS_; k++)
                for (size_t r = FAILOVER_DONE; r < FAILOVER_RESULTS_; r++) {
                        cJSON *c = cJSON_CreateObject();
                        cJSON_AddStringToObject(c, "kind", FAILOVER_KINDS[k]);
                        cJSON_AddStringToObject(c, "result", FAILOVER_RESULTS[r]);
                        cJSON_AddNumberToObject(c, "n", (double)w->counts[k][r]);
                        cJSON_AddItemToArray(list, c);
                }
        list = cJSON_AddArrayToObject(o, "whole");
        for (size_t k = 0; k < FAILOVER_KINDS_; k++)
                add_histogram(list, "kind", FAILOVER_KINDS[k], &w->whole[k]);
        list = cJSON_AddArrayToObject(o, "phases");
        for (size_t k = 0; failover_phase_name(k); k++)
                add_histogram(list, "phase", failover_phase_name(k), &w->phases[k]);
}

static void part_report(const void *part, cJSON *into)
{
        const struct watch *w = part;

        add_all(into, w);
        add_counts(into, w);
}

static int part_new(const struct part_needs *needs, void **ret)
{
        struct watch *w = calloc(1, sizeof *w);

        if (!w)
                return -ENOMEM;
        w->loop = needs->loop;
        *ret = w;
        return 0;
}

const struct part_row FAILOVER_PART = { "failovers", part_new, free, part_snap, part_report };
