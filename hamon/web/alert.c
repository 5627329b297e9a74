/* The seam of the alert part: snapshot -> events and conditions -> book -> queue -> disk ->
 * targets. */
#include "hamon/web/alert.h"

#include "hamon/web/alert_beat.h"
#include "hamon/web/alert_disk.h"
#include "hamon/web/alert_send.h"
#include "hamon/web/alert_state.h"
#include "lib/log.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

enum {
        SETTLE_MIN = 1000,
        REPEAT_MS = 15 * 60000,
        ERRORS_MAX = 16 * 1024,
        EVENTS_AGE = 24 * 3600000
};

struct job { /* what is under way to a target */
        struct alerts *of;
        size_t target;
        uint64_t serial;
        struct alert_sending *sending;
};

struct beating { /* of a target that wants a sign of life */
        struct alerts *of;
        size_t target;
        struct alert_sending *sending;
        msec_t next_at, down_since;
        bool down, told_up;
};

struct alerts {
        struct loop *loop;
        const struct config *config;
        struct alert_targets targets;
        struct alert_state state;
        struct http *http;
        struct alert_disk *disk;
        struct timer kick; /* looks at the queue */
        struct job jobs[ALERT_TARGETS];
        struct beating beats[ALERT_TARGETS];
        uint64_t written; /* state.book.changes as of the last write, and what was sent since */
        bool dirty;
        int disk_error;
        struct alert_conditions conditions;
        char mistakes[512]; /* of the targets' files */
};

static int64_t wall_ms(void)
{
        struct timespec ts;

        clock_gettime(CLOCK_REALTIME, &ts);
        return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static uint64_t any_number(void)
{
        uint64_t n = 0;

        return getrandom(&n, sizeof n, GRND_NONBLOCK) == (ssize_t)sizeof n ? n : 0;
}

/* ---- sending ---- */

static void save(struct alerts *a);
static void pump(struct alerts *a);

static void on_sent(void *arg, const struct alert_outcome *o)
{
        struct job *j = arg;
        struct alerts *a = j->of;
        const struct queue_target *t = &a->state.queue.targets[j->target];
        bool was_ok = t->ok;

        j->sending = NULL;
        alert_queue_done(&a->state.queue, j->target, j->serial, o, any_number(), loop_now(a->loop));
        if (o->end != ALERT_SENT && was_ok) /* the first of a row */
                log_event(LOG_WARN, "alert_target", LS("target", t->name), LS("error", o->error));
        else if (o->end == ALERT_SENT && !was_ok)
                log_event(LOG_INFO, "alert_target", LS("target", t->name),
                          LS("msg", "works again"));
        a->dirty = true;
        save(a);
        pump(a);
}

static void send_to(struct alerts *a, size_t i)
{
        struct job *j = &a->jobs[i];
        msec_t now = loop_now(a->loop);
        const struct alert_message *m = alert_queue_take(&a->state.queue, i, now, &j->serial);

        if (!m)
                return;
        int r = alert_send(a->loop, a->http, &a->targets.v[i], m, on_sent, j, &j->sending);
        if (r < 0) {
                struct alert_outcome o = { .end = ALERT_REFUSED };
                str_copy(o.error, sizeof o.error, strerror(-r));
                j->sending = NULL;
                alert_queue_done(&a->state.queue, i, j->serial, &o, any_number(), now);
                a->dirty = true;
        }
}

/* Nothing is sent that is not on disk, or that the disk did not take in time. */
static void pump(struct alerts *a)
{
        msec_t now = loop_now(a->loop);

        if (alert_disk_waits(a->disk))
                return;
        for (size_t i = 0; i < a->targets.n; i++)
                send_to(a, i);
        msec_t wait = alert_queue_wait(&a->state.queue, now);
        if (wait >= 0)
                timer_set(&a->kick, wait);
}

static void on_kick(void *arg)
{
        pump(arg);
}

/* ---- the disk ---- */

static void on_written(void *arg, int error)
{
        struct alerts *a = arg;

        if (error != a->disk_error && error < 0)
                log_event(LOG_WARN, "alert_state", LS("file", a->config->alert.state),
                          LS("error", strerror(-error)),
                          LS("msg", "after a crash something may be told twice, or not at all"));
        a->disk_error = error;
        save(a); /* what has changed meanwhile */
        pump(a);
}

static void save(struct alerts *a)
{
        CLEANUP(buf_done) struct buf text = BUF(STATE_MAX);

        if (!a->dirty && a->written == a->state.book.changes)
                return;
        if (alert_disk_waits(a->disk))
                return; /* on_written() comes again */
        int r = alert_state_write(&a->state, loop_now(a->loop), wall_ms(), &text);
        if (r == 0)
                r = alert_disk_write(a->disk, buf_str(&text), text.len);
        if (r == -EBUSY)
                return; /* it hangs, and was told: at the next snapshot */
        a->dirty = false;
        a->written = a->state.book.changes;
        if (r < 0)
                on_written(a, r);
}

static void load(struct alerts *a)
{
        const char *path = a->config->alert.state;
        CLEANUP(freep) char *text = NULL;
        char aside[1100];
        int64_t wall = wall_ms();

        a->state.seen.floor_ms = wall; /* the first start tells no history */
        int r = read_file(path, STATE_MAX, &text, NULL);
        if (r == 0) {
                r = alert_state_read(text, loop_now(a->loop), wall, &a->state);
                a->state.seen.floor_ms =
                        MAX(a->state.seen.floor_ms, r == 0 ? wall - EVENTS_AGE : wall);
        }
        if (r == 0 || r == -ENOENT)
                return;
        snprintf(aside, sizeof aside, "%s.bad", path);
        log_event(LOG_WARN, "alert_state", LS("file", path),
                  LS("error", r == -EBADMSG ? "not readable; it is put aside" : strerror(-r)),
                  LS("to", aside));
        if (rename(path, aside) < 0)
                log_event(LOG_WARN, "alert_state", LS("file", aside), LS("error", strerror(errno)));
}

/* ---- signs of life ---- */

static void on_beat(void *arg, const struct alert_outcome *o)
{
        struct beating *b = arg;
        struct queue_target *t = &b->of->state.queue.targets[b->target];
        bool ok = o->end == ALERT_SENT;

        b->sending = NULL;
        if (t->ok != ok)
                log_event(ok ? LOG_INFO : LOG_WARN, "alert_target", LS("target", t->name),
                          LS(ok ? "msg" : "error", ok ? "works again" : o->error));
        t->ok = ok;
        t->sent += ok;
        t->failed += !ok;
        str_copy(t->error, sizeof t->error, o->error);
}

/* Down is said when it has lasted; up at once. In between the monitor waits, as it would if nobody
 * spoke. */
static void beat(struct alerts *a, struct beating *b, const struct alert_beat *k, msec_t now)
{
        const struct alert_target *t = &a->targets.v[b->target];

        if (!k->send || k->up)
                b->down = false;
        else if (!b->down) {
                b->down = true;
                b->down_since = now;
        }
        bool changed = k->up != b->told_up;
        if (!k->send || b->sending || (now < b->next_at && !changed) ||
            (b->down && now - b->down_since < a->config->alert.patience))
                return;
        b->next_at = now + t->k.interval;
        b->told_up = k->up;
        if (alert_send_beat(a->loop, a->http, t, k->up, k->text, k->ping, on_beat, b, &b->sending) <
            0)
                b->sending = NULL;
}

static void beat_all(struct alerts *a, const struct alert_view *v, const cJSON *extra, msec_t now)
{
        struct alert_beat k;

        for (size_t i = 0; i < a->targets.n; i++) {
                const struct alert_target *t = &a->targets.v[i];
                if (!alert_target_beats(t))
                        continue;
                alert_beat_now(v, extra, (enum alert_scope)t->k.scope, a->config->node.name, &k);
                beat(a, &a->beats[i], &k, now);
        }
}

/* ---- a snapshot ---- */

static void take_events(struct alerts *a, const struct snap *snap, msec_t now)
{
        struct alert_message m;

        for (size_t i = 0; i < snap->n_events; i++) {
                const struct event_line *e = &snap->events[i];
                const struct alert_rule *r = alert_rule_find(e);
                if (!r || !alert_seen_new(&a->state.seen, e))
                        continue;
                alert_rule_message(r, e, a->config->cluster.name, &m);
                alert_book_event(&a->state.book, r, &m, now);
                a->dirty = true;
        }
}

static void queue_told(struct alerts *a, msec_t now)
{
        struct alert_message m;

        while (alert_book_next(&a->state.book, &m)) {
                log_event(LOG_INFO, "alert_told", LS("key", m.key),
                          LS("phase", ALERT_PHASES[m.phase]), LS("msg", m.title));
                alert_queue_add(&a->state.queue, &a->targets, &m, now);
                a->dirty = true;
        }
}

static void on_snap(void *part, const struct snap *snap)
{
        struct alerts *a = part;
        const struct config *c = a->config;
        msec_t now = loop_now(a->loop);
        bool fresh = snap->status && now - snap->at <= c->check.stale + c->check.interval;
        struct alert_view v;

        take_events(a, snap, now);
        alert_view_read(fresh ? snap->status : NULL, c->check.stale, &v);
        alert_view_conditions(&v, snap->extra, c, &a->conditions);
        alert_book_step(&a->state.book, &v, &a->conditions, now, wall_ms());
        queue_told(a, now);
        alert_queue_expire(&a->state.queue, now);
        save(a);
        pump(a);
        beat_all(a, &v, snap->extra, now);
}

/* ---- report ---- */

static void add_target(cJSON *list, const struct alert_target *t, const struct queue_target *q)
{
        cJSON *o = cJSON_CreateObject();

        cJSON_AddStringToObject(o, "name", t->name);
        cJSON_AddStringToObject(o, "format", ALERT_FORMAT_NAMES[t->k.format]);
        cJSON_AddBoolToObject(o, "ok", q->ok);
        cJSON_AddStringToObject(o, "error", q->error);
        cJSON_AddItemToArray(list, o);
}

static void report(const void *part, cJSON *into)
{
        const struct alerts *a = part;
        const struct alert_queue *q = &a->state.queue;
        cJSON *o = cJSON_AddObjectToObject(into, "alerts");
        uint64_t sent = 0, failed = 0;

        for (size_t i = 0; i < q->n_targets; i++) {
                sent += q->targets[i].sent;
                failed += q->targets[i].failed;
        }
        cJSON_AddNumberToObject(o, "queued", (double)q->n);
        cJSON_AddNumberToObject(o, "sent", (double)sent);
        cJSON_AddNumberToObject(o, "failed", (double)failed);
        cJSON_AddNumberToObject(o, "dropped", (double)q->dropped);
        cJSON_AddStringToObject(o, "error",
                                *a->mistakes        ? a->mistakes
                                : a->disk_error < 0 ? strerror(-a->disk_error)
                                                    : "");
        cJSON *list = cJSON_AddArrayToObject(o, "targets");
        for (size_t i = 0; i < a->targets.n; i++)
                add_target(list, &a->targets.v[i], &q->targets[i]);
}

/* ---- beginning and end ---- */

static int load_targets(struct alerts *a)
{
        CLEANUP(buf_done) struct buf errors = BUF(ERRORS_MAX);
        char *rest = NULL;

        int r = alert_targets_load(a->config->alert.dir, &a->targets, &errors);
        if (r == -ENOMEM)
                return r;
        if (errors.len == 0)
                return 0;
        alert_copy(a->mistakes, sizeof a->mistakes, buf_str(&errors));
        for (char *line = strtok_r(errors.data, "\n", &rest); line;
             line = strtok_r(NULL, "\n", &rest))
                log_event(LOG_ERROR, "alert_target", LS("error", line),
                          LS("msg", "this target is left out"));
        return 0;
}

/* How late a view may be, and by how much two nodes' views may differ. */
static void start_book(struct alerts *a)
{
        const struct config *c = a->config;
        const struct book_rule rule = { .settle = MAX(c->check.stale, (msec_t)SETTLE_MIN),
                                        .slack = 3 * c->check.interval,
                                        .stagger = c->alert.patience,
                                        .burst = c->alert.burst,
                                        .pace = c->alert.pace,
                                        .repeat = REPEAT_MS };

        alert_book_init(&a->state.book, &rule, c->node.name, c->cluster.name, loop_now(a->loop));
}

static void destroy(void *part)
{
        struct alerts *a = part;

        if (!a)
                return;
        for (size_t i = 0; i < ALERT_TARGETS; i++) {
                alert_send_cancel(a->jobs[i].sending);
                alert_send_cancel(a->beats[i].sending);
        }
        alert_disk_free(a->disk);
        http_free(a->http);
        timer_done(&a->kick);
        alert_targets_free(&a->targets);
        free(a);
}

static int create(const struct part_needs *needs, void **ret)
{
        struct alerts *a = calloc(1, sizeof *a);
        int r;

        if (!a)
                return -ENOMEM;
        a->loop = needs->loop;
        a->config = needs->config;
        for (size_t i = 0; i < ALERT_TARGETS; i++) {
                a->jobs[i] = (struct job){ .of = a, .target = i };
                a->beats[i] = (struct beating){ .of = a, .target = i };
        }
        if ((r = load_targets(a)) < 0 || (r = http_new(a->loop, &a->http)) < 0 ||
            (r = timer_init(&a->kick, a->loop, on_kick, a)) < 0 ||
            (r = alert_disk_new(a->loop, a->config->alert.state, on_written, a, &a->disk)) < 0) {
                destroy(a);
                return r;
        }
        start_book(a);
        load(a);
        alert_queue_targets(&a->state.queue, &a->targets);
        pump(a);
        *ret = a;
        return 0;
}

const struct part_row PART_ALERT = {
        .name = "alerts", .create = create, .destroy = destroy, .snap = on_snap, .report = report
};
