/* What we know of the containers, and how it stays true: events fold into the table as they come, a
 * list puts it right, an inspection tells what neither of them does. docker.c has the connection.
 *
 * Who is right? The engine publishes a death before its list shows it. So an event beats every list
 * that started less than `settle` after it, and such a list is followed by another one. The kernel
 * tells a death before all of them (docker_pid.h), and nobody talks it back to life: only a start
 * does, or an inspection that shows another process. */
#include "hamon/docker_impl.h"

#include <errno.h>
#include <time.h>

static void add_url(const struct docker *d, const char *path, struct buf *url)
{
        buf_addf(url, "http://docker/v%u.%u%s", d->api / 1000, d->api % 1000, path);
}

/* ---- entries ---- */

/* NULL: more than we can hold, or no memory. Then we know nothing: the next list starts afresh. */
static struct docker_entry *add_entry(struct docker *d, const char *id, const char *service)
{
        bool room = d->table.n < MAX_CONTAINERS;
        struct docker_entry *e = room ? docker_table_add(&d->table, id) : NULL;

        if (!e) {
                docker_lose(d, ENGINE_ERROR, room ? "out of memory" : "too many containers");
                docker_pids_done(&d->pids);
                docker_table_done(&d->table);
                return NULL;
        }
        str_copy(e->c.service, sizeof(e->c.service), service);
        d->dirty = true;
        docker_table_want(&d->table, e, true);
        return e;
}

static void unwatch(struct docker *d, struct docker_entry *e)
{
        docker_pid_drop(&d->pids, e->watch);
        e->watch = 0;
}

static void watch(struct docker *d, struct docker_entry *e, pid_t pid)
{
        if (e->watch && e->pid == pid)
                return;
        unwatch(d, e);
        e->watch = docker_pid_watch(&d->pids, e->c.id, pid);
        if (e->watch)
                e->pid = pid;
}

/* What lists and inspections that began earlier say of this container counts for nothing now. */
static void overtake(struct docker *d, struct docker_entry *e)
{
        e->seq = ++d->seq;
        e->event_at = loop_now(d->loop);
        d->list_contested = true;
}

void docker_on_end(void *arg, const char *id)
{
        struct docker *d = arg;
        struct docker_entry *e = docker_table_find(&d->table, id);

        if (!e)
                return;
        unwatch(d, e);
        d->dirty |= docker_fold_end(e, time(NULL));
        overtake(d, e);
        docker_soon(d);
}

static void remove_entry(struct docker *d, struct docker_entry *e)
{
        unwatch(d, e);
        docker_table_remove(&d->table, e);
        d->dirty = true;
}

/* ---- events ---- */

/* A start is looked at soon, to watch its process (it cost the engine far more than the look does);
 * a death not before it may have been restarted, so that one look does for both. */
static void plan_inspection(struct docker *d, struct docker_entry *e, enum docker_action a)
{
        if (a == DOCKER_OOM || a == DOCKER_HEALTH || a == DOCKER_PAUSE)
                return;
        if (a == DOCKER_START)
                e->inspect_at = e->asked_at ? e->asked_at + d->settle / START_SOON : 0;
        else if (a == DOCKER_DIE)
                e->inspect_at = MAX(e->inspect_at, loop_now(d->loop) + d->settle);
        docker_table_want(&d->table, e, true);
}

static void apply_event(struct docker *d, const struct docker_event *ev)
{
        struct docker_entry *e = docker_table_find(&d->table, ev->id);

        if (ev->action == DOCKER_DESTROY) {
                d->list_contested = true;
                if (d->list)
                        docker_table_note_gone(&d->table, ev->id);
                if (e)
                        remove_entry(d, e);
                return;
        }
        if (!e && (ev->action == DOCKER_OOM || ev->action == DOCKER_HEALTH)) {
                d->list_wanted = true; /* its state is unknown */
                return;
        }
        if (!e)
                e = add_entry(d, ev->id, ev->service);
        if (!e)
                return;

        d->dirty |= docker_fold_event(e, ev);
        if (ev->action == DOCKER_START || !docker_is_up(e->c.facts.state))
                unwatch(d, e);
        plan_inspection(d, e, ev->action);
        overtake(d, e);
}

static int on_event(void *arg, const char *object, size_t len)
{
        struct docker *d = arg;
        struct docker_event ev;

        int r = docker_json_event(object, len, d->project, &ev);
        if (r <= 0)
                return r;
        d->stats.events++;
        apply_event(d, &ev);
        return 0;
}

static int on_events_data(void *arg, const char *data, size_t len)
{
        struct docker *d = arg;

        docker_soon(d);
        if (d->broken)
                return -1;
        if (jsplit_feed(&d->event_split, data, len, on_event, d) >= 0)
                return 0;
        d->stats.events_bad++;
        docker_lose(d, ENGINE_ERROR, "the event stream makes no sense");
        return -1;
}

static void on_events_head(void *arg, int status)
{
        struct docker *d = arg;

        if (status != 200 || d->phase != PHASE_STREAM)
                return; /* on_events_done has the engine's words */
        timer_clear(&d->timer[TIMER_DEADLINE]);
        d->stats.reconnects += d->stats.lists > 0; /* it worked before */
        d->phase = PHASE_LIVE;
        d->list_wanted = true;
        docker_soon(d);
}

static void on_events_done(void *arg, const struct http_result *r)
{
        struct docker *d = arg;

        d->events = NULL;
        if (d->phase == PHASE_LIVE)
                docker_lose(d, ENGINE_REFUSED, "the engine went away (its event stream ended)");
        else
                docker_lose_http(d, "events", r);
}

void docker_start_events(struct docker *d)
{
        struct http_request rq = { .arg = d,
                                   .on_head = on_events_head,
                                   .on_data = on_events_data,
                                   .on_done = on_events_done };
        CLEANUP(buf_done) struct buf url = BUF(8192);

        add_url(d, "/events?filters=", &url);
        docker_json_filters(d->project, true, &url);
        jsplit_reset(&d->event_split);
        timer_set(&d->timer[TIMER_DEADLINE], d->timeout);
        docker_ask(d, &rq, buf_str(&url), &d->events);
}

/* ---- the list ---- */

/* An event may have overtaken what the list says of this container. */
static bool unsettled(const struct docker *d, const struct docker_entry *e)
{
        return e->seq > 0 && e->event_at > d->list_at - d->settle;
}

static int on_item(void *arg, const char *object, size_t len)
{
        struct docker *d = arg;
        struct docker_item it;

        int r = docker_json_item(object, len, d->project, &it);
        if (r <= 0)
                return r;

        struct docker_entry *e = docker_table_find(&d->table, it.id);
        if (!e) {
                if (docker_table_is_gone(&d->table, it.id))
                        return 0;
                e = add_entry(d, it.id, it.service);
                if (!e)
                        return -E2BIG;
        }
        e->mark = d->list_mark;
        if (unsettled(d, e)) {
                d->list_contested = true;
                return 0;
        }
        /* a start that failed makes no event, and no list tells it */
        if (e->c.facts.state != it.state || it.state == CTR_EXITED || it.state == CTR_CREATED)
                docker_table_want(&d->table, e, true);
        if (docker_is_late(e) && docker_is_up(it.state))
                return 0; /* or it runs anew: the inspection tells */
        d->dirty |= docker_fold_item(e, &it);
        if (!docker_is_up(it.state))
                unwatch(d, e);
        return 0;
}

static int on_list_data(void *arg, const char *data, size_t len)
{
        struct docker *d = arg;

        timer_set(&d->timer[TIMER_DEADLINE], d->timeout);
        d->list_error = jsplit_feed(&d->list_split, data, len, on_item, d);
        return d->list_error < 0 ? -1 : 0;
}

/* Forget what the list did not name. */
static void sweep(struct docker *d)
{
        for (size_t i = d->table.n; i-- > 0;) {
                struct docker_entry *e = &d->table.v[i];
                if (e->mark == d->list_mark)
                        continue;
                if (unsettled(d, e))
                        d->list_contested = true;
                else
                        remove_entry(d, e);
        }
}

static void list_complete(struct docker *d)
{
        bool first = !d->synced;

        sweep(d);
        d->stats.lists++;
        docker_works(d);

        /* The engine sends the stream's header a moment before it subscribes us: the second list
         * catches what fell into that gap. */
        if (d->list_contested || first) {
                d->follow = d->follow ? MIN(2 * d->follow, FOLLOW_MAX * d->settle) : d->settle;
                timer_set(&d->timer[TIMER_RELIST], d->follow);
        } else {
                d->follow = 0;
        }
}

static void on_list_done(void *arg, const struct http_result *r)
{
        struct docker *d = arg;

        d->list = NULL;
        timer_clear(&d->timer[TIMER_DEADLINE]);
        docker_soon(d);
        if (d->list_error == -EFBIG)
                docker_lose(d, ENGINE_ERROR, "list of containers: an entry is too big");
        else if (d->list_error < 0)
                docker_lose(d, ENGINE_ERROR, "list of containers: the answer makes no sense");
        else if (r->status == 200 && r->error != -ETIMEDOUT && d->list_split.place != JSPLIT_END)
                docker_lose(d, ENGINE_ERROR, "list of containers: cut off");
        else if (r->error || r->status != 200)
                docker_lose_http(d, "list of containers", r);
        else if (!d->broken)
                list_complete(d);
        d->table.n_gone = 0;
}

void docker_start_list(struct docker *d)
{
        struct http_request rq = { .arg = d,
                                   .on_data = on_list_data,
                                   .on_done = on_list_done,
                                   .timeout = d->timeout * LIST_PATIENCE };
        CLEANUP(buf_done) struct buf url = BUF(8192);

        add_url(d, "/containers/json?all=1&filters=", &url);
        docker_json_filters(d->project, false, &url);
        jsplit_reset(&d->list_split);
        timer_clear(&d->timer[TIMER_RELIST]);
        timer_set(&d->timer[TIMER_DEADLINE], d->timeout);
        d->list_wanted = d->list_contested = false;
        d->list_error = 0;
        d->list_at = loop_now(d->loop);
        d->list_mark++;
        d->table.n_gone = 0;
        docker_ask(d, &rq, buf_str(&url), &d->list);
}

void docker_resync(struct docker *d)
{
        d->list_wanted = true;
        docker_soon(d);
}

/* ---- single containers: what only an inspection tells ---- */

static void on_inspect(void *arg, const struct http_result *r)
{
        struct inspection *in = arg;
        struct docker *d = in->d;
        struct docker_entry *e = docker_table_find(&d->table, in->id);
        struct docker_detail det;

        in->call = NULL;
        docker_soon(d);
        if (!e || r->status == 404) /* gone; an event tells */
                return;
        if (r->error || r->status != 200 || docker_json_detail(r->body, r->len, &det) < 0) {
                e->inspect_at = loop_now(d->loop) + INSPECT_AGAIN * d->settle;
                docker_table_want(&d->table, e, true);
                return;
        }
        if (docker_is_late(e) && docker_is_up(det.state) && det.pid == e->pid)
                return; /* we know better */
        d->dirty |= docker_fold_detail(e, &det, e->seq == in->seq);
        if (!docker_is_up(e->c.facts.state))
                unwatch(d, e);
        else if (!e->wanted) /* else a start may have come meanwhile */
                watch(d, e, det.pid);
}

static void start_inspect(struct docker *d, struct inspection *in, struct docker_entry *e)
{
        struct http_request rq = {
                .arg = in, .on_done = on_inspect, .timeout = d->timeout, .max_body = MAX_INSPECT
        };
        CLEANUP(buf_done) struct buf url = BUF(256);

        add_url(d, "/containers/", &url);
        buf_addf(&url, "%s/json", e->c.id);
        docker_table_want(&d->table, e, false);
        e->asked_at = loop_now(d->loop);
        e->inspect_at = e->asked_at + d->settle;
        in->d = d;
        in->seq = e->seq;
        str_copy(in->id, sizeof(in->id), e->c.id);
        docker_ask(d, &rq, buf_str(&url), &in->call);
}

void docker_start_inspects(struct docker *d)
{
        msec_t now = loop_now(d->loop), wait;

        for (size_t i = 0; i < N_INSPECT && d->table.n_wanted > 0 && !d->broken; i++) {
                if (d->inspect[i].call)
                        continue;
                struct docker_entry *e = docker_table_next_wanted(&d->table, now, &wait);
                if (!e) {
                        timer_set(&d->timer[TIMER_INSPECT], wait);
                        return;
                }
                start_inspect(d, &d->inspect[i], e);
        }
}
