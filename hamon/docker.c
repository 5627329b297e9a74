/* The connection to the Docker engine: ask its version, open the event stream, then fetch the list,
 * and inspect single containers for what neither of them tells. Whatever breaks (lose()) drops all
 * of it and starts again after a pause.
 *
 * HTTP callbacks only note what happened; step() runs from the loop right after them, starts what
 * is missing and tells the owner. So no request is started, cancelled or freed inside another one's
 * callback, and the owner may call anything here from his, docker_free() included.
 *
 * Who is right? The engine publishes a death before its list shows it. So an event beats every list
 * that started less than `settle` after it, and such a list is followed by another one. */
#include "hamon/docker.h"

#include "hamon/docker_impl.h"

/* ---- what the owner sees ---- */

static void soon(struct docker *d)
{
        timer_set(&d->timer[TIMER_STEP], 0);
}

static void set_engine(struct docker *d, enum engine_state state, bool synced, const char *text)
{
        if (d->engine == state && d->synced == synced && strcmp(d->text, text) == 0)
                return;
        d->engine = state;
        d->synced = synced;
        str_copy(d->text, sizeof(d->text), text);
        d->dirty = true;
}

/* ---- failure ---- */

/* The connection is of no use any more: unsynced at once, the rest in step(). While we wait for the
 * next attempt this only says why (a ping may know better). */
static void lose(struct docker *d, enum engine_state state, const char *text)
{
        if (d->broken)
                return; /* the first cause counts, what follows are its effects */
        set_engine(d, state, false, text);
        d->broken = d->phase != PHASE_WAIT;
        soon(d);
}

/* A request failed. `what` names it in the sentence. */
static void lose_http(struct docker *d, const char *what, const struct http_result *r)
{
        const struct docker_failure f = { .what = what,
                                          .socket = d->socket,
                                          .error = r->error,
                                          .message = r->message,
                                          .status = r->status,
                                          .body = r->body,
                                          .len = r->len };
        char text[sizeof(d->text)];

        lose(d, docker_json_failure(&f, text, sizeof(text)), text);
}

static void on_deadline(void *arg)
{
        struct docker *d = arg;

        lose_http(d, "", &(struct http_result){ .error = -ETIMEDOUT, .message = "" });
}

/* ---- requests ---- */

/* Starts a GET; fills in what is the same for all. On failure the connection is given up. */
static void start(struct docker *d, struct http_request *rq, const char *url,
                  struct http_call **call)
{
        rq->url = url;
        rq->unix_socket = d->socket;
        rq->connect_timeout = d->timeout;

        int r = http_start(d->http, rq, call);
        if (r < 0) {
                *call = NULL;
                lose(d, ENGINE_ERROR, strerror(-r));
        }
}

static void add_url(const struct docker *d, const char *path, struct buf *url)
{
        buf_addf(url, "http://docker/v%u.%u%s", d->api / 1000, d->api % 1000, path);
}

static void on_ping(void *arg, const struct http_result *r)
{
        struct docker *d = arg;

        d->ping = NULL;
        if (r->error || r->status != 200)
                lose_http(d, "ping", r);
        else if (d->phase == PHASE_WAIT)
                timer_set(&d->timer[TIMER_RETRY], 0);
}

void docker_poll(struct docker *d)
{
        struct http_request rq = { .arg = d, .on_done = on_ping, .timeout = d->timeout };

        if (d->ping || d->phase == PHASE_VERSION) /* that asks the same */
                return;
        start(d, &rq, "http://docker/_ping", &d->ping);
}

static void on_version(void *arg, const struct http_result *r)
{
        struct docker *d = arg;
        struct docker_version v;
        char text[80];

        d->version = NULL;
        if (r->error || r->status != 200) {
                lose_http(d, "version", r);
                return;
        }
        if (docker_json_version(r->body, r->len, &v) < 0) {
                lose(d, ENGINE_ERROR, "version: the answer makes no sense");
                return;
        }
        if (v.api < API_OLDEST) {
                snprintf(text, sizeof(text),
                         "the engine speaks API %u.%u, at least %u.%u is needed", v.api / 1000,
                         v.api % 1000, API_OLDEST / 1000, API_OLDEST % 1000);
                lose(d, ENGINE_TOO_OLD, text);
                return;
        }
        /* engines to come give up old versions; what we read has been stable for years */
        d->api = MAX(MIN(v.api, API_NEWEST), v.min_api);
        d->phase = PHASE_STREAM;
        soon(d);
}

static void on_retry(void *arg)
{
        struct docker *d = arg;
        struct http_request rq = { .arg = d, .on_done = on_version, .timeout = d->timeout };

        if (d->phase != PHASE_WAIT)
                return;
        d->phase = PHASE_VERSION;
        start(d, &rq, "http://docker/version", &d->version);
}

/* ---- single containers: what only an inspection tells ---- */

static void on_inspect(void *arg, const struct http_result *r)
{
        struct inspection *in = arg;
        struct docker *d = in->d;
        struct docker_entry *e = table_find(&d->table, in->id);
        struct docker_detail det;

        in->call = NULL;
        soon(d);
        if (!e || r->status == 404) /* gone; an event tells */
                return;
        if (r->error || r->status != 200 || docker_json_detail(r->body, r->len, &det) < 0) {
                e->inspect_at = loop_now(d->loop) + INSPECT_AGAIN * d->settle;
                table_want(&d->table, e, true);
                return;
        }
        d->dirty |= docker_fold_detail(e, &det, e->seq == in->seq);
}

static void start_inspect(struct docker *d, struct inspection *in, struct docker_entry *e)
{
        struct http_request rq = {
                .arg = in, .on_done = on_inspect, .timeout = d->timeout, .max_body = MAX_INSPECT
        };
        CLEANUP(buf_done) struct buf url = BUF(256);

        add_url(d, "/containers/", &url);
        buf_addf(&url, "%s/json", e->c.id);
        table_want(&d->table, e, false);
        e->inspect_at = loop_now(d->loop) + d->settle;
        in->d = d;
        in->seq = e->seq;
        str_copy(in->id, sizeof(in->id), e->c.id);
        start(d, &rq, buf_str(&url), &in->call);
}

static void start_inspects(struct docker *d)
{
        msec_t now = loop_now(d->loop), wait;

        for (size_t i = 0; i < N_INSPECT && d->table.n_wanted > 0 && !d->broken; i++) {
                if (d->inspect[i].call)
                        continue;
                struct docker_entry *e = table_next_wanted(&d->table, now, &wait);
                if (!e) {
                        timer_set(&d->timer[TIMER_INSPECT], wait);
                        return;
                }
                start_inspect(d, &d->inspect[i], e);
        }
}

/* ---- entries ---- */

/* NULL: more than we can hold, or no memory. Then we know nothing: the next list starts afresh. */
static struct docker_entry *add_entry(struct docker *d, const char *id, const char *service)
{
        bool room = d->table.n < MAX_CONTAINERS;
        struct docker_entry *e = room ? table_add(&d->table, id) : NULL;

        if (!e) {
                lose(d, ENGINE_ERROR, room ? "out of memory" : "too many containers");
                table_free(&d->table);
                return NULL;
        }
        str_copy(e->c.service, sizeof(e->c.service), service);
        d->dirty = true;
        table_want(&d->table, e, true);
        return e;
}

static void remove_entry(struct docker *d, struct docker_entry *e)
{
        table_remove(&d->table, e);
        d->dirty = true;
}

/* ---- events ---- */

static void apply_event(struct docker *d, const struct docker_event *ev)
{
        struct docker_entry *e = table_find(&d->table, ev->id);

        if (ev->action == DOCKER_DESTROY) {
                d->list_contested = true;
                if (d->list)
                        table_note_gone(&d->table, table_hash(ev->id));
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
        e->seq = ++d->seq;
        e->event_at = loop_now(d->loop);
        if (ev->action != DOCKER_OOM && ev->action != DOCKER_HEALTH && ev->action != DOCKER_PAUSE)
                table_want(&d->table, e, true);
        d->list_contested = true;
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

        soon(d);
        if (d->broken)
                return -1;
        if (jsplit_feed(&d->event_split, data, len, on_event, d) >= 0)
                return 0;
        d->stats.events_bad++;
        lose(d, ENGINE_ERROR, "the event stream makes no sense");
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
        soon(d);
}

static void on_events_done(void *arg, const struct http_result *r)
{
        struct docker *d = arg;

        d->events = NULL;
        if (d->phase == PHASE_LIVE)
                lose(d, ENGINE_REFUSED, "the engine went away (its event stream ended)");
        else
                lose_http(d, "events", r);
}

static void start_events(struct docker *d)
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
        start(d, &rq, buf_str(&url), &d->events);
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

        struct docker_entry *e = table_find(&d->table, it.id);
        if (!e) {
                if (table_is_gone(&d->table, table_hash(it.id)))
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
        if (e->c.facts.state != it.state)
                table_want(&d->table, e, true);
        d->dirty |= docker_fold_item(e, &it);
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
        if (first)
                d->works_at = loop_now(d->loop);
        set_engine(d, ENGINE_OK, true, "");

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
        soon(d);
        if (d->list_error == -EFBIG)
                lose(d, ENGINE_ERROR, "list of containers: an entry is too big");
        else if (d->list_error < 0)
                lose(d, ENGINE_ERROR, "list of containers: the answer makes no sense");
        else if (r->status == 200 && r->error != -ETIMEDOUT && d->list_split.place != JSPLIT_END)
                lose(d, ENGINE_ERROR, "list of containers: cut off");
        else if (r->error || r->status != 200)
                lose_http(d, "list of containers", r);
        else if (!d->broken)
                list_complete(d);
        d->table.n_gone = 0;
}

static void start_list(struct docker *d)
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
        start(d, &rq, buf_str(&url), &d->list);
}

void docker_resync(struct docker *d)
{
        d->list_wanted = true;
        soon(d);
}

/* ---- the steps ---- */

static void drop(struct docker *d)
{
        http_cancel(take_ptr(d->version));
        http_cancel(take_ptr(d->ping));
        http_cancel(take_ptr(d->events));
        http_cancel(take_ptr(d->list));
        for (size_t i = 0; i < N_INSPECT; i++)
                http_cancel(take_ptr(d->inspect[i].call));
        for (size_t i = 0; i < N_TIMERS; i++)
                timer_clear(&d->timer[i]);
        d->phase = PHASE_WAIT;
        d->broken = false;
        d->follow = 0;
        d->table.n_gone = 0;
}

/* At once if it worked for a while, then slower and slower. */
static void retry_later(struct docker *d)
{
        if (d->works_at && loop_now(d->loop) - d->works_at >= BACKOFF_MAX)
                d->tries = 0;
        d->works_at = 0;

        msec_t pause = d->tries ? (msec_t)BACKOFF_MIN << MIN(d->tries - 1, 4U) : 0;
        d->tries++;
        timer_set(&d->timer[TIMER_RETRY], MIN(pause, (msec_t)BACKOFF_MAX));
}

static void on_step(void *arg)
{
        struct docker *d = arg;

        if (d->broken) {
                drop(d);
                retry_later(d);
        }
        if (d->phase == PHASE_STREAM && !d->events)
                start_events(d);
        if (d->phase == PHASE_LIVE && d->list_wanted && !d->list)
                start_list(d);
        if (d->phase == PHASE_LIVE)
                start_inspects(d);

        if (d->dirty) {
                d->dirty = false;
                d->changed(d->arg); /* d may be gone after this */
        }
}

static void on_relist(void *arg)
{
        docker_resync(arg);
}

static int init_timers(struct docker *d)
{
        static const timer_fn fns[N_TIMERS] = { [TIMER_STEP] = on_step,
                                                [TIMER_RETRY] = on_retry,
                                                [TIMER_DEADLINE] = on_deadline,
                                                [TIMER_RELIST] = on_relist,
                                                [TIMER_INSPECT] = on_step };

        for (size_t i = 0; i < N_TIMERS; i++)
                if (timer_init(&d->timer[i], d->loop, fns[i], d) < 0)
                        return -ENOMEM;
        return 0;
}

int docker_new(struct loop *l, const struct docker_config *c, docker_changed_fn changed, void *arg,
               struct docker **ret)
{
        struct docker *d = calloc(1, sizeof(*d));
        if (!d)
                return -ENOMEM;

        d->loop = l;
        d->timeout = c->timeout;
        d->settle = c->settle > 0 ? c->settle : SETTLE;
        d->changed = changed;
        d->arg = arg;
        jsplit_init(&d->event_split, MAX_OBJECT);
        jsplit_init(&d->list_split, MAX_OBJECT);
        d->socket = strdup(c->socket);
        d->project = strdup(c->project);

        int r = d->socket && d->project ? init_timers(d) : -ENOMEM;
        if (r >= 0)
                r = http_new(l, &d->http);
        if (r < 0) {
                docker_free(d);
                return r;
        }
        timer_set(&d->timer[TIMER_RETRY], 0);
        *ret = d;
        return 0;
}

void docker_free(struct docker *d)
{
        if (!d)
                return;
        drop(d);
        for (size_t i = 0; i < N_TIMERS; i++)
                timer_done(&d->timer[i]);
        if (d->http)
                http_free(d->http);
        jsplit_done(&d->event_split);
        jsplit_done(&d->list_split);
        table_free(&d->table);
        free(d->socket);
        free(d->project);
        free(d);
}

/* ---- questions ---- */

enum engine_state docker_engine(const struct docker *d)
{
        return d->engine;
}

const char *docker_engine_text(const struct docker *d)
{
        return d->text;
}

bool docker_synced(const struct docker *d)
{
        return d->synced;
}

size_t docker_count(const struct docker *d)
{
        return d->table.n;
}

const struct docker_container *docker_get(const struct docker *d, size_t i)
{
        return &d->table.v[i].c;
}

struct docker_stats docker_stats(const struct docker *d)
{
        return d->stats;
}
