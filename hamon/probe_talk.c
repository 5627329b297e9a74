/* Bufferevents, plain or over TLS; STARTTLS puts a filter around the plain one. Callbacks are
 * deferred, so a bufferevent may be freed in its own. */
#include "hamon/probe_talk.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

enum { FLAGS = BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS, GOODBYE_MS = 1000 };

enum stage { STAGE_CONNECT, STAGE_TALK, STAGE_STARTTLS, STAGE_OVER };

struct probe_talk {
        struct loop *loop;
        talk_fn fn;
        void *arg;
        struct bufferevent *be;
        struct timer deadline;
        struct proto proto;
        struct ssl_ctx_st *tls_context;
        const char *host;
        msec_t timeout;
        enum stage stage;
        bool tls, heard;
        char where[64]; /* address:port, for the sentences */
};

static void finish(struct probe_talk *t, enum reason reason, const char *fmt, ...) PRINTF(3, 4);

/* The one answer. What was still to be said goes out while the owner already knows. */
static void finish(struct probe_talk *t, enum reason reason, const char *fmt, ...)
{
        char text[256];
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(text, sizeof text, fmt, ap);
        va_end(ap);
        t->stage = STAGE_OVER;
        if (reason == REASON_OK)
                timer_set(&t->deadline, GOODBYE_MS);
        else
                bufferevent_free(take_ptr(t->be));
        t->fn(t->arg, (struct finding){ reason == REASON_OK ? RES_PASS : RES_FAIL, reason },
              text); /* t may be gone after this */
}

static void say(struct probe_talk *t, struct buf *b)
{
        if (b->len > 0)
                bufferevent_write(t->be, b->data, b->len);
        if (b->data)
                explicit_bzero(b->data, b->len); /* a password may have been in it */
}

/* ---- TLS ---- */

struct ssl_ctx_st *probe_talk_context(void)
{
        SSL_CTX *c = SSL_CTX_new(TLS_client_method());

        if (!c)
                return NULL;
        SSL_CTX_set_verify(c, SSL_VERIFY_NONE, NULL);
        SSL_CTX_set_security_level(c, 0); /* an old certificate is somebody else's alarm */
        return c;
}

static SSL *new_ssl(const struct probe_talk *t)
{
        SSL *ssl = SSL_new(t->tls_context);

        if (ssl && *t->host)
                SSL_set_tlsext_host_name(ssl, t->host);
        return ssl;
}

static void on_read(struct bufferevent *be, void *arg);
static void on_event(struct bufferevent *be, short what, void *arg);

static void listen_to(struct probe_talk *t)
{
        bufferevent_setcb(t->be, on_read, NULL, on_event, t);
        bufferevent_enable(t->be, EV_READ | EV_WRITE);
}

static void begin_starttls(struct probe_talk *t)
{
        SSL *ssl = new_ssl(t);
        struct bufferevent *filter = NULL;

        if (ssl)
                filter = bufferevent_openssl_filter_new(t->loop->base, t->be, ssl,
                                                        BUFFEREVENT_SSL_CONNECTING, FLAGS);
        if (!filter) {
                SSL_free(ssl);
                finish(t, REASON_PROBE_BAD_ANSWER, "%s: no TLS: out of memory", t->where);
                return;
        }
        bufferevent_openssl_set_allow_dirty_shutdown(filter, 1);
        t->be = filter; /* which owns the plain one now */
        t->stage = STAGE_STARTTLS;
        listen_to(t);
}

static const char *tls_reason(unsigned long e)
{
        const char *reason = e ? ERR_reason_error_string(e) : NULL;

        return reason ? reason : "the connection was closed";
}

/* ---- the dialog ---- */

static void begin_talk(struct probe_talk *t)
{
        CLEANUP(buf_done) struct buf out = BUF(4096);

        if (t->stage == STAGE_STARTTLS) {
                proto_secured(&t->proto, &out);
                say(t, &out);
                finish(t, REASON_OK, "answers, with TLS");
                return;
        }
        t->stage = STAGE_TALK;
        proto_begin(&t->proto, &out);
        say(t, &out);
}

/* True: the line asked for no end, the next one may be read. */
static bool take_line(struct probe_talk *t, const char *line)
{
        CLEANUP(buf_done) struct buf out = BUF(4096), why = BUF(256);
        enum proto_next next = proto_line(&t->proto, line, &out, &why);

        t->heard = true;
        if (next == PROTO_FAIL) {
                finish(t, REASON_PROBE_BAD_ANSWER, "%s %s", t->where, buf_str(&why));
                return false;
        }
        say(t, &out);
        if (next == PROTO_PASS)
                finish(t, REASON_OK, "answers");
        else if (next == PROTO_TLS)
                begin_starttls(t);
        return next == PROTO_MORE;
}

static void on_read(struct bufferevent *be, void *arg)
{
        struct probe_talk *t = arg;
        struct evbuffer *in = bufferevent_get_input(be);

        if (t->stage == STAGE_OVER) {
                evbuffer_drain(in, evbuffer_get_length(in));
                return;
        }
        for (bool more = t->stage == STAGE_TALK; more;) {
                size_t len;
                char *line = evbuffer_readln(in, &len, EVBUFFER_EOL_CRLF);
                if (!line) {
                        if (evbuffer_get_length(in) > PROTO_LINE_MAX)
                                finish(t, REASON_PROBE_BAD_ANSWER, "%s answers without end",
                                       t->where);
                        return;
                }
                more = take_line(t, line);
                free(line);
        }
}

/* Of a connection with TLS only its end is seen. Did the TLS fail, or did nobody take it? Docker's
 * proxy takes every connection, and hangs up if nobody is behind it. */
static void on_no_connection(struct probe_talk *t, int error)
{
        unsigned long tls = t->tls ? bufferevent_get_openssl_error(t->be) : 0;
        bool eof = ERR_GET_REASON(tls) == SSL_R_UNEXPECTED_EOF_WHILE_READING;

        if (tls && !eof && ERR_reason_error_string(tls))
                finish(t, REASON_PROBE_BAD_ANSWER, "%s: no TLS: %s", t->where, tls_reason(tls));
        else if (error == 0 || error == ECONNRESET || error == EPIPE)
                finish(t, REASON_PROBE_REFUSED, "%s hung up without a word", t->where);
        else
                finish(t, REASON_PROBE_REFUSED, "%s: %s", t->where, strerror(error));
}

static void on_end(struct probe_talk *t)
{
        int error = EVUTIL_SOCKET_ERROR();

        switch (t->stage) {
        case STAGE_CONNECT:
                on_no_connection(t, error);
                break;
        case STAGE_STARTTLS:
                finish(t, REASON_PROBE_BAD_ANSWER, "%s: no TLS: %s", t->where,
                       tls_reason(bufferevent_get_openssl_error(t->be)));
                break;
        case STAGE_TALK:
                if (t->heard)
                        finish(t, REASON_PROBE_BAD_ANSWER, "%s hung up before its %s", t->where,
                               proto_awaits(&t->proto));
                else
                        finish(t, REASON_PROBE_REFUSED, "%s hung up without a word", t->where);
                break;
        case STAGE_OVER:
                bufferevent_free(take_ptr(t->be));
                timer_clear(&t->deadline);
                break;
        }
}

static void on_event(struct bufferevent *be, short what, void *arg)
{
        struct probe_talk *t = arg;

        (void)be;
        if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
                on_end(t);
        else if (what & BEV_EVENT_CONNECTED)
                begin_talk(t);
}

static void on_deadline(void *arg)
{
        struct probe_talk *t = arg;

        if (t->stage == STAGE_OVER) {
                if (t->be)
                        bufferevent_free(take_ptr(t->be));
                return;
        }
        const char *missed = proto_awaits(&t->proto);
        if (t->stage != STAGE_TALK)
                missed = t->tls || t->stage == STAGE_STARTTLS ? "TLS connection" : "connection";
        finish(t, REASON_PROBE_TIMEOUT, "%s: no %s within %lld ms", t->where, missed,
               (long long)t->timeout);
}

/* ---- the outside ---- */

static int parse_address(const struct talk_config *c, struct sockaddr_storage *sa, int *ret_len)
{
        struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons((uint16_t)c->port) };
        struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
                                    .sin6_port = htons((uint16_t)c->port) };

        if (inet_pton(AF_INET, c->address, &in.sin_addr) == 1) {
                memcpy(sa, &in, sizeof in);
                *ret_len = sizeof in;
                return 0;
        }
        if (inet_pton(AF_INET6, c->address, &in6.sin6_addr) == 1) {
                memcpy(sa, &in6, sizeof in6);
                *ret_len = sizeof in6;
                return 0;
        }
        return -EINVAL;
}

static int dial(struct probe_talk *t, const struct sockaddr_storage *sa, int len)
{
        SSL *ssl = t->tls ? new_ssl(t) : NULL;

        if (t->tls && !ssl)
                return -ENOMEM;
        t->be = t->tls ? bufferevent_openssl_socket_new(t->loop->base, -1, ssl,
                                                        BUFFEREVENT_SSL_CONNECTING, FLAGS)
                       : bufferevent_socket_new(t->loop->base, -1, FLAGS);
        if (!t->be) {
                SSL_free(ssl);
                return -ENOMEM;
        }
        if (t->tls)
                bufferevent_openssl_set_allow_dirty_shutdown(t->be, 1);
        listen_to(t);
        /* a refusal comes as an event, also when it comes at once */
        return bufferevent_socket_connect(t->be, (const struct sockaddr *)sa, len) < 0 ? -errno : 0;
}

int probe_talk_new(struct loop *l, const struct talk_config *c, talk_fn fn, void *arg,
                   struct probe_talk **ret)
{
        struct sockaddr_storage sa;
        int len, r = parse_address(c, &sa, &len);
        if (r < 0)
                return r;
        struct probe_talk *t = calloc(1, sizeof *t);
        if (!t)
                return -ENOMEM;

        *t = (struct probe_talk){
                .loop = l,
                .fn = fn,
                .arg = arg,
                .tls_context = c->tls_context,
                .host = c->host,
                .timeout = c->timeout,
                .tls = c->tls,
                .proto = { .kind = c->kind, .host = c->host, .password = c->password }
        };
        snprintf(t->where, sizeof t->where, strchr(c->address, ':') ? "[%s]:%u" : "%s:%u",
                 c->address, c->port);
        r = timer_init(&t->deadline, l, on_deadline, t);
        if (r == 0)
                r = dial(t, &sa, len);
        if (r < 0) {
                probe_talk_free(t);
                return r;
        }
        timer_set(&t->deadline, c->timeout);
        *ret = t;
        return 0;
}

void probe_talk_free(struct probe_talk *t)
{
        if (!t)
                return;
        if (t->be)
                bufferevent_free(t->be);
        timer_done(&t->deadline);
        free(t);
}
