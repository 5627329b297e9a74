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

#include "hamon/docker_json.h"
#include "hamon/docker_table.h"
#include "lib/http.h"
#include "lib/jsplit.h"

enum {
        API_OLDEST = 24, /* 1.24: Actor and Action in events */
        API_NEWEST = 43, /* 1.43: what we know and ask for */
        MAX_CONTAINERS = 10000,
        MAX_OBJECT = 256 * 1024,
        MAX_INSPECT = 1024 * 1024,
        MAX_GONE = 4096,
        N_INSPECT = 2,      /* at once */
        SETTLE = 1000,      /* ms; see docker_config */
        FOLLOW_MAX = 16,    /* settles between a list and the next one, if events go on */
        INSPECT_AGAIN = 10, /* settles after a failed inspection; else one */
        BACKOFF_MIN = 100,  /* ms; the very first retry is at once */
        BACKOFF_MAX = 1000, /* ms */
        LIST_PATIENCE = 10, /* a list that keeps coming may take so many timeouts */
};

_Static_assert(sizeof(((struct docker_container *)0)->id) == DOCKER_ID_SIZE, "ids fit");

enum phase {
        PHASE_WAIT,    /* for the next attempt */
        PHASE_VERSION, /* asking GET /version */
        PHASE_STREAM,  /* opening the event stream */
        PHASE_LIVE,    /* the stream is open; lists and inspects may run */
};

struct inspection {
        struct docker *d;
        struct http_call *call;
        char id[DOCKER_ID_SIZE];
        uint64_t seq; /* the container's last event when we asked */
};

struct docker {
        struct loop *loop;
        struct http *http;
        char *socket, *project;
        msec_t timeout, settle;
        docker_changed_fn changed;
        void *arg;

        enum engine_state engine;
        char text[256];
        bool synced;
        bool dirty; /* the owner is to be told */

        enum phase phase;
        bool broken;     /* drop everything in the next step */
        unsigned tries;  /* since it last worked */
        msec_t works_at; /* since when it works, 0 = it does not */
        unsigned api;
        struct http_call *version, *ping, *events, *list;
        struct timer step, retry, deadline, relist, later;

        struct docker_table table;
        struct jsplit event_split, list_split;
        uint64_t seq; /* events so far */
        bool list_wanted;
        bool list_contested; /* an event contradicts the list or may */
        int list_error;
        msec_t list_at; /* when it was asked for */
        uint32_t list_mark;
        msec_t follow;  /* pause before the list after this one */
        uint64_t *gone; /* hashes of what was destroyed while the list is on its way */
        size_t n_gone;

        struct inspection inspect[N_INSPECT];
        size_t n_inspect, cursor; /* entries that want one; where to look next */
        struct docker_stats stats;
};

/* ---- what the owner sees ---- */

static void soon(struct docker *d)
{
        timer_set(&d->step, 0);
}

static void set_engine(struct docker *d, enum engine_state state, const char *text)
{
        if (d->engine == state && strcmp(d->text, text) == 0)
                return;
        d->engine = state;
        str_copy(d->text, sizeof(d->text), text);
        d->dirty = true;
        soon(d);
}

static void set_synced(struct docker *d, bool synced)
{
        if (d->synced == synced)
                return;
        d->synced = synced;
        d->dirty = true;
        soon(d);
}

static void set_container(struct docker *d, struct docker_entry *e,
                          const struct docker_container *now)
{
        if (docker_same(&e->c, now))
                return;
        e->c = *now;
        d->dirty = true;
}

/* ---- failure ---- */

/* The connection is of no use any more: unsynced at once, the rest in step(). While we wait for the
 * next attempt this only says why (a ping may know better). */
static void lose(struct docker *d, enum engine_state state, const char *text)
{
        if (d->broken)
                return; /* the first cause counts, what follows are its effects */
        set_synced(d, false);
        set_engine(d, state, text);
        d->broken = d->phase != PHASE_WAIT;
        soon(d);
}

static const struct {
        int error;
        enum engine_state state;
        const char *text; /* the socket's path follows */
} HTTP_ERRORS[] = {
        { -ENOENT, ENGINE_REFUSED, "there is no socket " },
        { -ECONNREFUSED, ENGINE_REFUSED, "nobody listens on " },
        { -EACCES, ENGINE_REFUSED, "no permission to use " },
        { -ECONNRESET, ENGINE_REFUSED, "the engine hung up on " },
        { -EAGAIN, ENGINE_TIMEOUT, "the engine takes no more connections on " },
        { -ETIMEDOUT, ENGINE_TIMEOUT, "the engine does not answer on " },
};

/* A request failed. `what` names it in the sentence. */
static void lose_http(struct docker *d, const char *what, const struct http_result *r)
{
        char text[sizeof(d->text)], message[160];

        for (size_t i = 0; r->error && i < ARRAY_SIZE(HTTP_ERRORS); i++) {
                if (HTTP_ERRORS[i].error != r->error)
                        continue;
                snprintf(text, sizeof(text), "%s%s", HTTP_ERRORS[i].text, d->socket);
                lose(d, HTTP_ERRORS[i].state, text);
                return;
        }
        if (r->error)
                snprintf(text, sizeof(text), "%s: %s", what, r->message);
        else if (docker_json_message(r->body, r->len, message, sizeof(message)))
                snprintf(text, sizeof(text), "%s: HTTP %d: %s", what, r->status, message);
        else
                snprintf(text, sizeof(text), "%s: HTTP %d", what, r->status);
        lose(d, ENGINE_ERROR, text);
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
                timer_set(&d->retry, 0);
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
        if (v.api < DOCKER_API(1, API_OLDEST)) {
                snprintf(text, sizeof(text), "the engine speaks API %u.%u, at least 1.%d is needed",
                         v.api / 1000, v.api % 1000, API_OLDEST);
                lose(d, ENGINE_TOO_OLD, text);
                return;
        }
        /* engines to come give up old versions; what we read has been stable for years */
        d->api = MAX(MIN(v.api, DOCKER_API(1, API_NEWEST)), v.min_api);
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

static void want_inspect(struct docker *d, struct docker_entry *e, bool want)
{
        if (e->want_inspect == want)
                return;
        e->want_inspect = want;
        d->n_inspect = want ? d->n_inspect + 1 : d->n_inspect - 1;
        if (want)
                soon(d);
}

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
                want_inspect(d, e, true);
                return;
        }

        struct docker_container c = e->c;
        docker_fold_detail(&det, e->seq == in->seq, e, &c);
        set_container(d, e, &c);
}

static void start_inspect(struct docker *d, struct inspection *in, struct docker_entry *e)
{
        struct http_request rq = {
                .arg = in, .on_done = on_inspect, .timeout = d->timeout, .max_body = MAX_INSPECT
        };
        CLEANUP(buf_done) struct buf url = BUF(256);

        add_url(d, "/containers/", &url);
        buf_addf(&url, "%s/json", e->c.id);
        want_inspect(d, e, false);
        e->inspect_at = loop_now(d->loop) + d->settle;
        in->d = d;
        in->seq = e->seq;
        str_copy(in->id, sizeof(in->id), e->c.id);
        start(d, &rq, buf_str(&url), &in->call);
}

/* The next entry in turn whose time has come; *ret_wait = ms until the first other one's has. */
static struct docker_entry *next_inspect(struct docker *d, msec_t *ret_wait)
{
        msec_t now = loop_now(d->loop), wait = INSPECT_AGAIN * d->settle;

        for (size_t i = 0; i < d->table.n; i++) {
                size_t at = (d->cursor + i) % d->table.n;
                struct docker_entry *e = &d->table.v[at];
                if (!e->want_inspect)
                        continue;
                if (e->inspect_at <= now) {
                        d->cursor = at + 1;
                        return e;
                }
                wait = MIN(wait, e->inspect_at - now);
        }
        *ret_wait = wait;
        return NULL;
}

static void start_inspects(struct docker *d)
{
        msec_t wait = 0;

        for (size_t i = 0; i < N_INSPECT && d->n_inspect > 0 && !d->broken; i++) {
                if (d->inspect[i].call)
                        continue;
                struct docker_entry *e = next_inspect(d, &wait);
                if (!e) {
                        timer_set(&d->later, wait);
                        return;
                }
                start_inspect(d, &d->inspect[i], e);
        }
}

/* ---- entries ---- */

static void remove_entry(struct docker *d, struct docker_entry *e)
{
        want_inspect(d, e, false);
        table_remove(&d->table, e);
        d->dirty = true;
}

/* More than we can hold, or no memory: then we know nothing, and the next list starts afresh. */
static void give_up_entries(struct docker *d)
{
        lose(d, ENGINE_ERROR,
             d->table.n < MAX_CONTAINERS ? "out of memory" : "too many containers");
        table_free(&d->table);
        d->n_inspect = 0;
}

static struct docker_entry *add_entry(struct docker *d, const char *id, const char *service)
{
        struct docker_entry *e = NULL;

        if (d->table.n < MAX_CONTAINERS)
                e = table_add(&d->table, id);
        if (!e) {
                give_up_entries(d);
                return NULL;
        }
        str_copy(e->c.service, sizeof(e->c.service), service);
        d->dirty = true;
        want_inspect(d, e, true);
        return e;
}

/* ---- events ---- */

static void note_gone(struct docker *d, uint64_t hash)
{
        if (!d->list)
                return;
        d->list_contested = true;
        if (d->n_gone < MAX_GONE)
                d->gone[d->n_gone++] = hash;
}

static bool is_gone(const struct docker *d, uint64_t hash)
{
        for (size_t i = 0; i < d->n_gone; i++)
                if (d->gone[i] == hash)
                        return true;
        return d->n_gone == MAX_GONE; /* then the list after this one tells */
}

static void apply_event(struct docker *d, const struct docker_event *ev)
{
        struct docker_entry *e = table_find(&d->table, ev->id);

        if (ev->action == DOCKER_DESTROY) {
                note_gone(d, table_hash(ev->id));
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

        struct docker_container c = e->c;
        docker_fold_event(ev, e, &c);
        set_container(d, e, &c);
        e->seq = ++d->seq;
        e->event_at = loop_now(d->loop);
        if (ev->action != DOCKER_OOM && ev->action != DOCKER_HEALTH && ev->action != DOCKER_PAUSE)
                want_inspect(d, e, true);
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
        timer_clear(&d->deadline);
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
        timer_set(&d->deadline, d->timeout);
        start(d, &rq, buf_str(&url), &d->events);
}

/* ---- the list ---- */

/* An event may have overtaken what the list says of this container. */
static bool unsettled(const struct docker *d, const struct docker_entry *e)
{
        return e->seq > 0 && e->event_at > d->list_at - d->settle;
}

static void apply_item(struct docker *d, struct docker_entry *e, const struct docker_item *it)
{
        struct docker_container c = e->c;

        if (c.facts.state != it->state)
                want_inspect(d, e, true);
        docker_fold_item(it, e, &c);
        set_container(d, e, &c);
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
                if (is_gone(d, table_hash(it.id)))
                        return 0;
                e = add_entry(d, it.id, it.service);
                if (!e)
                        return -E2BIG;
        }
        e->mark = d->list_mark;
        if (unsettled(d, e))
                d->list_contested = true;
        else
                apply_item(d, e, &it);
        return 0;
}

static int on_list_data(void *arg, const char *data, size_t len)
{
        struct docker *d = arg;

        timer_set(&d->deadline, d->timeout);
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
        set_synced(d, true);
        set_engine(d, ENGINE_OK, "");

        /* The engine sends the stream's header a moment before it subscribes us: the second list
         * catches what fell into that gap. */
        if (d->list_contested || first) {
                d->follow = d->follow ? MIN(2 * d->follow, FOLLOW_MAX * d->settle) : d->settle;
                timer_set(&d->relist, d->follow);
        } else {
                d->follow = 0;
        }
}

static void on_list_done(void *arg, const struct http_result *r)
{
        struct docker *d = arg;

        d->list = NULL;
        timer_clear(&d->deadline);
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
        d->n_gone = 0;
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
        timer_clear(&d->relist);
        timer_set(&d->deadline, d->timeout);
        d->list_wanted = d->list_contested = false;
        d->list_error = 0;
        d->list_at = loop_now(d->loop);
        d->list_mark++;
        d->n_gone = 0;
        start(d, &rq, buf_str(&url), &d->list);
}

void docker_resync(struct docker *d)
{
        d->list_wanted = true;
        soon(d);
}

/* ---- the steps ---- */

static void cancel(struct http_call **call)
{
        http_cancel(take_ptr(*call));
}

static void drop(struct docker *d)
{
        struct timer *timers[] = { &d->retry, &d->deadline, &d->relist, &d->later };

        cancel(&d->version);
        cancel(&d->ping);
        cancel(&d->events);
        cancel(&d->list);
        for (size_t i = 0; i < N_INSPECT; i++)
                cancel(&d->inspect[i].call);
        for (size_t i = 0; i < ARRAY_SIZE(timers); i++)
                timer_clear(timers[i]);
        d->phase = PHASE_WAIT;
        d->broken = false;
        d->follow = 0;
        d->n_gone = 0;
}

/* At once if it worked for a while, then slower and slower. */
static void retry_later(struct docker *d)
{
        if (d->works_at && loop_now(d->loop) - d->works_at >= BACKOFF_MAX)
                d->tries = 0;
        d->works_at = 0;

        msec_t pause = d->tries ? (msec_t)BACKOFF_MIN << MIN(d->tries - 1, 4U) : 0;
        d->tries++;
        timer_set(&d->retry, MIN(pause, (msec_t)BACKOFF_MAX));
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

static void on_later(void *arg)
{
        soon(arg);
}

static int init_timers(struct docker *d)
{
        const struct {
                struct timer *timer;
                timer_fn fn;
        } rows[] = {
                { &d->step, on_step },     { &d->retry, on_retry }, { &d->deadline, on_deadline },
                { &d->relist, on_relist }, { &d->later, on_later },
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
                if (timer_init(rows[i].timer, d->loop, rows[i].fn, d) < 0)
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
        d->gone = calloc(MAX_GONE, sizeof(*d->gone));

        int r = d->socket && d->project && d->gone ? init_timers(d) : -ENOMEM;
        if (r >= 0)
                r = http_new(l, &d->http);
        if (r < 0) {
                docker_free(d);
                return r;
        }
        timer_set(&d->retry, 0);
        *ret = d;
        return 0;
}

void docker_free(struct docker *d)
{
        if (!d)
                return;
        drop(d);
        timer_done(&d->step);
        timer_done(&d->retry);
        timer_done(&d->deadline);
        timer_done(&d->relist);
        timer_done(&d->later);
        if (d->http)
                http_free(d->http);
        jsplit_done(&d->event_split);
        jsplit_done(&d->list_split);
        table_free(&d->table);
        free(d->gone);
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
