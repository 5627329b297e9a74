/* The HTTP client of http.h: libcurl's multi_socket interface on libevent. libcurl forbids most of
 * its functions inside its callbacks, so a call moves between three lists, and settle() does the
 * moving whenever libcurl is not on the stack: queued (to be added) -> running -> dead (to be
 * removed). What one request means to libcurl is in http_call.c. */
#include "lib/http.h"

#include "lib/http_impl.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { CONNECTIONS_KEPT = 4 };

static void enter(struct http *h)
{
        h->busy++;
}

static void bury(struct http_call *c)
{
        struct http *h = c->http;

        if (c->added)
                curl_multi_remove_handle(h->multi, c->easy);
        if (c->easy && h->n_idle < HANDLES_KEPT) {
                curl_easy_reset(c->easy);
                h->idle[h->n_idle++] = take_ptr(c->easy);
        }
        http_call_free(c);
}

static void bury_all(struct call_list *list)
{
        struct http_call *c;

        while ((c = TAILQ_FIRST(list))) {
                TAILQ_REMOVE(list, c, link);
                bury(c);
        }
}

static void destroy(struct http *h)
{
        bury_all(&h->queued);
        bury_all(&h->running);
        bury_all(&h->dead);
        while (h->n_idle > 0)
                curl_easy_cleanup(h->idle[--h->n_idle]);
        if (h->multi)
                curl_multi_cleanup(h->multi);
        timer_done(&h->curl_timer);
        timer_done(&h->kick);
        curl_global_cleanup();
        free(h);
}

/* The call is over: off the lists first, so that the callback may do what it likes. */
static void finish(struct http_call *c, CURLcode code)
{
        struct http *h = c->http;
        struct http_result result;

        TAILQ_REMOVE(c->added ? &h->running : &h->queued, c, link);
        c->over = true;
        http_call_result(c, code, &result);
        if (c->added)
                curl_multi_remove_handle(h->multi, c->easy);
        c->added = false;
        if (c->on_done)
                c->on_done(c->arg, &result);
        bury(c);
}

static void add_queued(struct http *h)
{
        struct http_call *c;

        while (!h->freed && (c = TAILQ_FIRST(&h->queued))) {
                if (curl_multi_add_handle(h->multi, c->easy) != CURLM_OK) {
                        finish(c, CURLE_OUT_OF_MEMORY);
                        continue;
                }
                TAILQ_REMOVE(&h->queued, c, link);
                c->added = true;
                TAILQ_INSERT_TAIL(&h->running, c, link);
        }
}

static void finish_ready(struct http *h)
{
        CURLMsg *m;
        int left;

        while (!h->freed && (m = curl_multi_info_read(h->multi, &left))) {
                char *c = NULL;
                if (m->msg != CURLMSG_DONE)
                        continue;
                CURLcode code = m->data.result; /* m dies with the handle's removal */
                curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &c);
                finish((struct http_call *)(void *)c, code);
        }
}

/* The end of every turn: libcurl is not on the stack, the user's callbacks may be run. */
static void leave(struct http *h)
{
        bury_all(&h->dead);
        finish_ready(h);
        add_queued(h);
        bury_all(&h->dead);
        if (--h->busy == 0 && h->freed)
                destroy(h);
}

static void on_kick(void *arg)
{
        struct http *h = arg;

        enter(h);
        leave(h);
}

static void on_curl_timer(void *arg)
{
        struct http *h = arg;
        int running;

        enter(h);
        curl_multi_socket_action(h->multi, CURL_SOCKET_TIMEOUT, 0, &running);
        leave(h);
}

static void on_socket_ready(evutil_socket_t fd, short what, void *arg)
{
        struct http *h = arg;
        int action = 0, running;

        if (what & EV_READ)
                action |= CURL_CSELECT_IN;
        if (what & EV_WRITE)
                action |= CURL_CSELECT_OUT;
        enter(h);
        curl_multi_socket_action(h->multi, fd, action, &running);
        leave(h);
}

/* libcurl wants to be told when the timer has run out. */
static int set_curl_timer(CURLM *multi, long ms, void *arg)
{
        struct http *h = arg;

        (void)multi;
        if (ms < 0)
                timer_clear(&h->curl_timer);
        else
                timer_set(&h->curl_timer, ms);
        return 0;
}

/* libcurl wants to be told about a socket. */
static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
        struct http *h = arg;
        struct event *ev = socket_arg;
        short events = EV_PERSIST;

        (void)easy;
        if (ev)
                event_free(ev);
        ev = NULL;
        if (what == CURL_POLL_IN || what == CURL_POLL_INOUT)
                events |= EV_READ;
        if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT)
                events |= EV_WRITE;
        if (what != CURL_POLL_REMOVE) {
                ev = event_new(h->loop->base, fd, events, on_socket_ready, h);
                if (!ev || event_add(ev, NULL) < 0) {
                        if (ev)
                                event_free(ev);
                        ev = NULL; /* the call ends by its timeout */
                }
        }
        curl_multi_assign(h->multi, fd, ev);
        return 0;
}

static int set_up(struct http *h)
{
        int r = timer_init(&h->curl_timer, h->loop, on_curl_timer, h);
        if (r == 0)
                r = timer_init(&h->kick, h->loop, on_kick, h);
        if (r < 0)
                return r;
        h->multi = curl_multi_init();
        if (!h->multi)
                return -ENOMEM;
        curl_multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
        curl_multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h);
        curl_multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, set_curl_timer);
        curl_multi_setopt(h->multi, CURLMOPT_TIMERDATA, h);
        curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_KEPT);
        curl_multi_setopt(h->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
        return 0;
}

int http_new(struct loop *l, struct http **ret)
{
        if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
                return -ENOMEM;

        struct http *h = calloc(1, sizeof *h);
        if (!h) {
                curl_global_cleanup();
                return -ENOMEM;
        }
        h->loop = l;
        TAILQ_INIT(&h->queued);
        TAILQ_INIT(&h->running);
        TAILQ_INIT(&h->dead);

        int r = set_up(h);
        if (r < 0) {
                destroy(h);
                return r;
        }
        *ret = h;
        return 0;
}

void http_free(struct http *h)
{
        if (!h)
                return;
        struct call_list *lists[] = { &h->queued, &h->running };
        for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
                struct http_call *c;
                TAILQ_FOREACH(c, lists[i], link)
                c->over = true;
        }
        h->freed = true;
        if (h->busy == 0)
                destroy(h);
}

int http_start(struct http *h, const struct http_request *r, struct http_call **ret)
{
        struct http_call *c;

        if (h->freed)
                return -ECANCELED;
        int rc = http_call_new(h, r, &c);
        if (rc < 0)
                return rc;
        TAILQ_INSERT_TAIL(&h->queued, c, link);
        timer_set(&h->kick, 0);
        if (ret)
                *ret = c;
        return 0;
}

void http_cancel(struct http_call *c)
{
        if (!c || c->over)
                return;

        struct http *h = c->http;
        c->over = true;
        TAILQ_REMOVE(c->added ? &h->running : &h->queued, c, link);
        if (h->busy > 0)
                TAILQ_INSERT_TAIL(&h->dead, c, link);
        else
                bury(c);
}
