/* One request a connection: read the head, answer, close. Everything is bounded: places, the head,
 * how long it may take to come, how long all of it may last. (evhttp of libevent 2.1 knows neither
 * a number of connections nor a time for a request as a whole, only for silence: a client that
 * sends a byte now and then would stay for ever.) */
#include "hamon/web/serve.h"

#include "hamon/web/head.h"
#include "hamon/web/token.h"
#include "lib/address.h"
#include "lib/log.h"
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 1024, TURN_MS = 2, SWEEP_MS = 200, REST_MAX = 64 * 1024 };

enum { STATUSES = 9 };

enum stage { READING, WRITING, LEAVING };

struct conn {
        struct serve *serve;
        struct bufferevent *be; /* NULL: a free place */
        uint64_t number;        /* of all times: the older, the smaller */
        enum stage stage;
        msec_t since, left; /* left: when it was answered whole */
        size_t rest;        /* bytes that came after the head */
};

struct serve {
        struct loop *loop;
        struct evconnlistener *listeners[CONFIG_WEB_LISTEN];
        size_t n_listeners;
        struct conn places[SERVE_PLACES];
        size_t n; /* that are taken */
        uint64_t numbers, sent_away;
        uint64_t answered[STATUSES]; /* as in PHRASES */
        bool closed;                 /* nobody is let in at the moment */
        struct timer turn, sweep;
        struct token *token;
        serve_fn fn;
        void *arg;
};

/* ---- places ---- */

static void door(struct serve *s, bool closed)
{
        if (s->closed == closed)
                return;
        s->closed = closed;
        for (size_t i = 0; i < s->n_listeners; i++)
                if (closed)
                        evconnlistener_disable(s->listeners[i]);
                else
                        evconnlistener_enable(s->listeners[i]);
}

static void conn_free(struct conn *c)
{
        struct serve *s = c->serve;

        bufferevent_free(c->be);
        *c = (struct conn){ .be = NULL };
        s->n--;
        door(s, false);
}

static struct conn *oldest(struct serve *s, enum stage stage)
{
        struct conn *found = NULL;

        for (size_t i = 0; i < SERVE_PLACES; i++) {
                struct conn *c = &s->places[i];
                if (c->be && c->stage == stage && (!found || c->number < found->number))
                        found = c;
        }
        return found;
}

/* At most `max` of this stage, the oldest. */
static size_t send_away(struct serve *s, enum stage stage, size_t max)
{
        struct conn *c;
        size_t n = 0;

        while (n < max && (c = oldest(s, stage))) {
                s->sent_away += c->stage != LEAVING;
                conn_free(c);
                n++;
        }
        return n;
}

/* All that are here were heard once by now: a quarter has to go, the oldest. Who was answered
 * first, then who has not even asked, then who does not take its answer. */
static void on_full(void *arg)
{
        static const enum stage ORDER[] = { LEAVING, READING, WRITING };
        struct serve *s = arg;
        size_t room = SERVE_PLACES - s->n;

        for (size_t i = 0; i < ARRAY_SIZE(ORDER) && room < SERVE_PLACES / 4; i++)
                room += send_away(s, ORDER[i], SERVE_PLACES / 4 - room);
}

static bool overdue(const struct conn *c, msec_t now)
{
        return now - c->since >= SERVE_LIFE_MS ||
               (c->stage == READING && now - c->since >= SERVE_HEAD_MS) ||
               (c->stage == LEAVING && now - c->left >= SERVE_LEAVE_MS);
}

static void on_sweep(void *arg)
{
        struct serve *s = arg;
        msec_t now = loop_now(s->loop);

        timer_set(&s->sweep, SWEEP_MS);
        for (size_t i = 0; i < SERVE_PLACES; i++)
                if (s->places[i].be && overdue(&s->places[i], now)) {
                        s->sent_away += s->places[i].stage != LEAVING;
                        conn_free(&s->places[i]);
                }
}

/* ---- answers ---- */

static const struct {
        int status;
        const char *phrase;
} PHRASES[STATUSES] = { { 200, "OK" },
                        { 503, "Service Unavailable" },
                        { 400, "Bad Request" },
                        { 401, "Unauthorized" },
                        { 404, "Not Found" },
                        { 405, "Method Not Allowed" },
                        { 431, "Request Header Fields Too Large" },
                        { 505, "HTTP Version Not Supported" },
                        { 500, "Internal Server Error" } };

static size_t phrase_of(int status)
{
        size_t i = 0;

        while (i < STATUSES - 1 && PHRASES[i].status != status)
                i++;
        return i;
}

static void free_body(const void *data, size_t len, void *arg)
{
        (void)data;
        (void)len;
        free(arg);
}

/* The body goes out as it is, without a copy. */
static void send_reply(struct conn *c, struct reply *r, const char *more, bool headers_only)
{
        struct evbuffer *out = bufferevent_get_output(c->be);
        size_t phrase = phrase_of(r->status);

        c->stage = WRITING;
        c->serve->answered[phrase]++;
        evbuffer_add_printf(out,
                            "HTTP/1.1 %d %s\r\n"
                            "Content-Type: %s\r\n"
                            "Content-Length: %zu\r\n"
                            "%s"
                            "Connection: close\r\n"
                            "Cache-Control: %s\r\n"
                            "Content-Security-Policy: default-src 'none'; style-src 'self'; "
                            "script-src 'self'; img-src data:; connect-src 'self'; "
                            "base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n"
                            "Referrer-Policy: no-referrer\r\n"
                            "X-Content-Type-Options: nosniff\r\n"
                            "\r\n",
                            PHRASES[phrase].status, PHRASES[phrase].phrase, r->type, r->body.len,
                            more, r->keep ? "private, max-age=31536000, immutable" : "no-store");
        if (r->body.len > 0 && !headers_only &&
            evbuffer_add_reference(out, r->body.data, r->body.len, free_body, r->body.data) == 0)
                r->body = (struct buf)BUF(0);
        buf_done(&r->body);
}

static void refuse(struct conn *c, int status, const char *more, const char *text)
{
        struct reply r = { .status = status, .type = "text/plain; charset=utf-8" };

        r.body = (struct buf)BUF(256);
        buf_addf(&r.body, "%s\n", text);
        send_reply(c, &r, more, false);
}

static void answer(struct conn *c, char *text, size_t len)
{
        struct serve *s = c->serve;
        struct reply r = { .status = 0 };
        struct head h;

        int refused = head_parse(text, len, &h);
        if (refused) {
                refuse(c, refused, "", "no request that is understood here");
        } else if (!h.get && !h.headers_only) {
                refuse(c, 405, "Allow: GET, HEAD\r\n", "GET and HEAD only");
        } else if (!token_fits(s->token, h.proof)) {
                refuse(c, 401,
                       "WWW-Authenticate: Basic realm=\"Mailcow HA\", charset=\"UTF-8\"\r\n",
                       "the token of [web] token_file, please: Authorization: Bearer TOKEN, or as "
                       "the password of any user");
        } else {
                s->fn(s->arg, h.path, &r);
                send_reply(c, &r, "", h.headers_only);
        }
}

/* ---- a connection ---- */

/* What comes behind a head is not read, but taken: closing on it would cut off our answer. */
static void pass_over(struct conn *c)
{
        struct evbuffer *in = bufferevent_get_input(c->be);

        c->rest += evbuffer_get_length(in);
        evbuffer_drain(in, evbuffer_get_length(in));
        if (c->rest > REST_MAX)
                conn_free(c);
}

static void on_read(struct bufferevent *be, void *arg)
{
        struct evbuffer *in = bufferevent_get_input(be);
        struct conn *c = arg;
        char text[HEAD_MAX + 1];

        if (c->stage != READING) {
                pass_over(c);
                return;
        }
        ssize_t have = evbuffer_copyout(in, text, HEAD_MAX);
        size_t len = have > 0 ? head_end(text, (size_t)have) : 0;
        if (len > 0) {
                evbuffer_drain(in, len);
                answer(c, text, len);
                pass_over(c);
        } else if (have >= HEAD_MAX) {
                refuse(c, 431, "", "the head of the request is too long");
                pass_over(c);
        }
}

static void on_written(struct bufferevent *be, void *arg)
{
        struct conn *c = arg;

        if (c->stage != WRITING)
                return;
        c->stage = LEAVING;
        c->left = loop_now(c->serve->loop);
        shutdown(bufferevent_getfd(be), SHUT_WR);
}

/* Half closed by a client that still waits for its answer, or gone. */
static void on_event(struct bufferevent *be, short what, void *arg)
{
        struct conn *c = arg;

        (void)be;
        if (what & BEV_EVENT_ERROR || c->stage != WRITING)
                conn_free(c);
}

static void on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *sa, int len,
                      void *arg)
{
        struct serve *s = arg;
        struct conn *c = s->places;
        struct bufferevent *be = NULL;

        (void)l;
        (void)sa;
        (void)len;
        if (s->n < SERVE_PLACES)
                be = bufferevent_socket_new(s->loop->base, fd, BEV_OPT_CLOSE_ON_FREE);
        if (!be) {
                close(fd);
                return;
        }
        while (c->be)
                c++;
        *c = (struct conn){
                .serve = s, .be = be, .number = s->numbers++, .since = loop_now(s->loop)
        };
        bufferevent_setcb(be, on_read, on_written, on_event, c);
        bufferevent_setwatermark(be, EV_READ, 0, HEAD_MAX);
        bufferevent_enable(be, EV_READ | EV_WRITE);
        if (++s->n >= SERVE_PLACES) {
                door(s, true);
                timer_set(&s->turn, TURN_MS);
        }
}

/* ---- from start to end ---- */

static int listen_at(struct serve *s, const char *address, unsigned port)
{
        unsigned flags = LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE;
        union address a;

        if (address_parse(address, port, &a) < 0)
                return -EINVAL;
        if (a.any.sa_family == AF_INET6)
                flags |= LEV_OPT_BIND_IPV6ONLY;
        struct evconnlistener *l = evconnlistener_new_bind(s->loop->base, on_accept, s, flags,
                                                           BACKLOG, &a.any, (int)address_len(&a));
        if (!l)
                return errno ? -errno : -ENOMEM;
        s->listeners[s->n_listeners++] = l;
        return 0;
}

static int listen_everywhere(struct serve *s, const struct config *c)
{
        char address[64];
        unsigned port;

        for (size_t i = 0; i < c->web.listen.n; i++) {
                const char *word = c->web.listen.v[i];
                int r = config_web_listen(word, address, sizeof address, &port);
                if (r == 0)
                        r = listen_at(s, address, port);
                if (r < 0) {
                        log_event(LOG_ERROR, "listen", LS("address", word),
                                  LS("error", strerror(-r)));
                        return r;
                }
        }
        return 0;
}

static int start(struct serve *s, const struct config *c)
{
        int r = token_new(c->web.token_file, &s->token);

        if (r < 0)
                return r;
        if ((r = timer_init(&s->turn, s->loop, on_full, s)) < 0 ||
            (r = timer_init(&s->sweep, s->loop, on_sweep, s)) < 0)
                return r;
        timer_set(&s->sweep, SWEEP_MS);
        return listen_everywhere(s, c);
}

int serve_new(struct loop *l, const struct config *c, serve_fn fn, void *arg, struct serve **ret)
{
        struct serve *s = calloc(1, sizeof *s);

        if (!s)
                return -ENOMEM;
        *s = (struct serve){ .loop = l, .fn = fn, .arg = arg };
        int r = start(s, c);
        if (r < 0) {
                serve_free(s);
                return r;
        }
        *ret = s;
        return 0;
}

void serve_free(struct serve *s)
{
        if (!s)
                return;
        for (size_t i = 0; i < SERVE_PLACES; i++)
                if (s->places[i].be)
                        bufferevent_free(s->places[i].be);
        for (size_t i = 0; i < s->n_listeners; i++)
                evconnlistener_free(s->listeners[i]);
        timer_done(&s->turn);
        timer_done(&s->sweep);
        token_free(s->token);
        free(s);
}

void serve_report(const struct serve *s, cJSON *into)
{
        cJSON *o = cJSON_AddObjectToObject(into, "http");
        cJSON *list = cJSON_AddArrayToObject(o, "requests");

        cJSON_AddNumberToObject(o, "connections", (double)s->n);
        cJSON_AddNumberToObject(o, "sent_away", (double)s->sent_away);
        for (size_t i = 0; i < STATUSES; i++) {
                cJSON *one = cJSON_CreateObject();
                cJSON_AddNumberToObject(one, "code", PHRASES[i].status);
                cJSON_AddNumberToObject(one, "n", (double)s->answered[i]);
                cJSON_AddItemToArray(list, one);
        }
}
