/* The connection to the Docker engine: ask its version, open the event stream, then fetch the list,
 * and inspect single containers for what neither of them tells. Whatever breaks (docker_lose())
 * drops all of it and starts again after a pause. What the answers say of containers is
 * docker_sync.c's.
 *
 * HTTP callbacks only note what happened; on_step() runs from the loop right after them, starts
 * what is missing and tells the owner. So no request is started, cancelled or freed inside another
 * one's callback, and the owner may call anything here from his, docker_free() included. */
#include "hamon/docker.h"

#include "hamon/docker_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- what the owner sees ---- */

void docker_soon(struct docker *d)
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

void docker_works(struct docker *d)
{
        if (!d->synced)
                d->works_at = loop_now(d->loop);
        set_engine(d, ENGINE_OK, true, "");
}

/* ---- failure ---- */

void docker_lose(struct docker *d, enum engine_state state, const char *text)
{
        if (d->broken)
                return; /* the first cause counts, what follows are its effects */
        set_engine(d, state, false, text);
        d->broken = d->phase != PHASE_WAIT;
        docker_soon(d);
}

void docker_lose_http(struct docker *d, const char *what, const struct http_result *r)
{
        const struct docker_failure f = { .what = what,
                                          .socket = d->socket,
                                          .error = r->error,
                                          .message = r->message,
                                          .status = r->status,
                                          .body = r->body,
                                          .len = r->len };
        char text[sizeof(d->text)];

        docker_lose(d, docker_json_failure(&f, text, sizeof(text)), text);
}

static void on_deadline(void *arg)
{
        struct docker *d = arg;

        docker_lose_http(d, "", &(struct http_result){ .error = -ETIMEDOUT, .message = "" });
}

/* ---- requests ---- */

void docker_ask(struct docker *d, struct http_request *rq, const char *url, struct http_call **call)
{
        rq->url = url;
        rq->unix_socket = d->socket;
        rq->connect_timeout = d->timeout;

        int r = http_start(d->http, rq, call);
        if (r < 0) {
                *call = NULL;
                docker_lose(d, ENGINE_ERROR, strerror(-r));
        }
}

static void on_ping(void *arg, const struct http_result *r)
{
        struct docker *d = arg;

        d->ping = NULL;
        if (r->error || r->status != 200)
                docker_lose_http(d, "ping", r);
        else if (d->phase == PHASE_WAIT)
                timer_set(&d->timer[TIMER_RETRY], 0);
}

void docker_poll(struct docker *d)
{
        struct http_request rq = { .arg = d, .on_done = on_ping, .timeout = d->timeout };

        if (d->ping || d->phase == PHASE_VERSION) /* that asks the same */
                return;
        docker_ask(d, &rq, "http://docker/_ping", &d->ping);
}

static void on_version(void *arg, const struct http_result *r)
{
        struct docker *d = arg;
        struct docker_version v;
        char text[80];

        d->version = NULL;
        if (r->error || r->status != 200) {
                docker_lose_http(d, "version", r);
                return;
        }
        if (docker_json_version(r->body, r->len, &v) < 0) {
                docker_lose(d, ENGINE_ERROR, "version: the answer makes no sense");
                return;
        }
        if (v.api < API_OLDEST) {
                snprintf(text, sizeof(text),
                         "the engine speaks API %u.%u, at least %u.%u is needed", v.api / 1000,
                         v.api % 1000, API_OLDEST / 1000, API_OLDEST % 1000);
                docker_lose(d, ENGINE_TOO_OLD, text);
                return;
        }
        /* engines to come give up old versions; what we read has been stable for years */
        d->api = MAX(MIN(v.api, API_NEWEST), v.min_api);
        d->phase = PHASE_STREAM;
        docker_soon(d);
}

static void on_retry(void *arg)
{
        struct docker *d = arg;
        struct http_request rq = { .arg = d, .on_done = on_version, .timeout = d->timeout };

        if (d->phase != PHASE_WAIT)
                return;
        d->phase = PHASE_VERSION;
        docker_ask(d, &rq, "http://docker/version", &d->version);
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
                docker_start_events(d);
        if (d->phase == PHASE_LIVE && d->list_wanted && !d->list)
                docker_start_list(d);
        if (d->phase == PHASE_LIVE)
                docker_start_inspects(d);

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
        d->proc = strdup(c->proc ? c->proc : "/proc");
        docker_pids_init(&d->pids, l, d->proc, docker_on_end, d);

        int r = d->socket && d->project && d->proc ? init_timers(d) : -ENOMEM;
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
        docker_pids_done(&d->pids);
        docker_table_done(&d->table);
        free(d->socket);
        free(d->project);
        free(d->proc);
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
