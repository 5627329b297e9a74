/* Bufferevents; TLS is always a filter around a connection that stands, so that STARTTLS and TLS
 * from the first byte are one path. */
#include "lib/talk.h"

#include "lib/address.h"
#include "lib/lookup.h"
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum {
        FLAGS = BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS,
        DEFAULT_MS = 30000,
        GOODBYE_MS = 1000,
        HOST_MAX = 253,
};

const char *const TALK_TLS_NAMES[] = { "none", "starttls", "tls", NULL };

struct talk {
        struct loop *loop;
        struct talk_config c; /* its strings are gone: host is below, the rest is done with */
        char host[HOST_MAX + 1], where[HOST_MAX + 16];
        SSL_CTX *tls;
        struct lookup *lookup;
        struct sockaddr_storage addresses[LOOKUP_MAX];
        size_t n, next; /* of them; the one to try next */
        struct bufferevent *be;
        struct timer kick, deadline, patience; /* patience: with one address of several */
        enum talk_stage stage;
        bool secured, paused, numeric;
        size_t expected; /* bytes that are no lines */
        unsigned busy;   /* depth of our callbacks on the stack */
        bool freed;      /* destroyed as soon as busy is 0 */
};

static void destroy(struct talk *t)
{
        timer_done(&t->kick);
        timer_done(&t->deadline);
        timer_done(&t->patience);
        SSL_CTX_free(t->tls);
        free(t);
}

static void hang_up(struct talk *t)
{
        lookup_cancel(take_ptr(t->lookup));
        if (t->be)
                bufferevent_free(take_ptr(t->be));
        timer_clear(&t->kick);
        timer_clear(&t->deadline);
        timer_clear(&t->patience);
}

static void leave(struct talk *t)
{
        if (--t->busy == 0 && t->freed)
                destroy(t);
}

static void end(struct talk *t, int error, const char *fmt, ...) PRINTF(3, 4);

/* The one end. */
static void end(struct talk *t, int error, const char *fmt, ...)
{
        char why[512];
        enum talk_stage stage = t->stage;
        va_list ap;

        if (t->freed || stage == TALK_OVER)
                return;
        va_start(ap, fmt);
        vsnprintf(why, sizeof why, fmt, ap);
        va_end(ap);
        hang_up(t);
        t->stage = TALK_OVER;
        t->c.on_end(t->c.arg, stage == TALK_LEAVING ? 0 : error, stage, why);
}

/* ---- TLS ---- */

static int trust(SSL_CTX *tls, const struct talk_config *c)
{
        if (!c->verify) {
                SSL_CTX_set_verify(tls, SSL_VERIFY_NONE, NULL);
                SSL_CTX_set_security_level(tls, 0); /* whoever asks only wants to be heard */
        } else {
                SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
        }
        if (!c->verify && !c->judge)
                return 0; /* a list of 150 authorities takes some 20 ms */
        if (!c->ca_file || !*c->ca_file)
                return SSL_CTX_set_default_verify_paths(tls) == 1 ? 0 : -ENOMEM;
        return SSL_CTX_load_verify_file(tls, c->ca_file) == 1 ? 0 : -ENOENT;
}

static SSL *new_ssl(struct talk *t)
{
        SSL *ssl = SSL_new(t->tls);
        bool fine;

        if (!ssl)
                return NULL;
        if (t->numeric) {
                fine = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), t->host) == 1;
        } else {
                SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
                fine = SSL_set1_host(ssl, t->host) == 1 &&
                       SSL_set_tlsext_host_name(ssl, t->host) == 1;
        }
        if (!fine) {
                SSL_free(ssl);
                return NULL;
        }
        return ssl;
}

/* Why a handshake failed. */
static void end_handshake(struct talk *t)
{
        unsigned long e = bufferevent_get_openssl_error(t->be);
        const char *text = e ? ERR_reason_error_string(e) : NULL;
        long verdict = talk_verdict(t);

        if (t->c.verify && verdict != X509_V_OK)
                end(t, -EKEYREJECTED, "%s: its certificate: %s", t->where,
                    X509_verify_cert_error_string(verdict));
        else if (text && ERR_GET_REASON(e) != SSL_R_UNEXPECTED_EOF_WHILE_READING)
                end(t, -EPROTO, "%s: no TLS: %s", t->where, text);
        else
                end(t, -ECONNRESET, "%s hung up instead of a TLS handshake", t->where);
}

static void on_read(struct bufferevent *be, void *arg);
static void on_event(struct bufferevent *be, short what, void *arg);

static void listen_to(struct talk *t)
{
        bufferevent_setcb(t->be, on_read, NULL, on_event, t);
        bufferevent_enable(t->be, EV_READ | EV_WRITE);
}

static void shake_hands(struct talk *t)
{
        SSL *ssl = new_ssl(t);
        struct bufferevent *filter = NULL;

        if (ssl)
                filter = bufferevent_openssl_filter_new(t->loop->base, t->be, ssl,
                                                        BUFFEREVENT_SSL_CONNECTING, FLAGS);
        if (!filter) {
                SSL_free(ssl);
                end(t, -ENOMEM, "%s: no TLS: out of memory", t->where);
                return;
        }
        bufferevent_openssl_set_allow_dirty_shutdown(filter, 1);
        t->be = filter; /* which owns the plain one now */
        t->stage = TALK_HANDSHAKE;
        listen_to(t);
}

/* ---- reading ---- */

static void give_bytes(struct talk *t, struct evbuffer *in)
{
        char piece[4096];
        int n = evbuffer_remove(in, piece, MIN(t->expected, sizeof piece));

        if (n <= 0)
                return;
        t->expected -= (size_t)n;
        t->c.on_bytes(t->c.arg, piece, (size_t)n);
}

static bool give_line(struct talk *t, struct evbuffer *in)
{
        size_t len;
        char *line = evbuffer_readln(in, &len, EVBUFFER_EOL_CRLF);

        if (!line && evbuffer_get_length(in) > TALK_LINE_MAX)
                end(t, -EPROTO, "%s answers without end", t->where);
        if (!line)
                return false;
        t->paused = !t->c.on_line(t->c.arg, line, len);
        free(line);
        return true;
}

/* All there is to read: any of it may end, free, pause or secure the talk. */
static void read_on(struct talk *t)
{
        while (!t->freed && t->stage == TALK_OPEN && !t->paused) {
                struct evbuffer *in = bufferevent_get_input(t->be);
                if (evbuffer_get_length(in) == 0)
                        return;
                if (t->expected > 0)
                        give_bytes(t, in);
                else if (!give_line(t, in))
                        return;
        }
}

static void on_read(struct bufferevent *be, void *arg)
{
        struct talk *t = arg;

        t->busy++;
        if (t->stage == TALK_LEAVING)
                evbuffer_drain(bufferevent_get_input(be), SIZE_MAX);
        read_on(t);
        leave(t);
}

/* ---- the connection ---- */

/* The next address, or the end with what the last one said. */
static void try_next(struct talk *t, int error, const char *why)
{
        if (t->be)
                bufferevent_free(take_ptr(t->be));
        if (t->next == t->n) {
                end(t, error, "%s: %s", t->where, why);
                return;
        }
        struct sockaddr_storage *a = &t->addresses[t->next++];
        int len = a->ss_family == AF_INET6 ? (int)sizeof(struct sockaddr_in6)
                                           : (int)sizeof(struct sockaddr_in);
        t->stage = TALK_CONNECT;
        t->be = bufferevent_socket_new(t->loop->base, -1, FLAGS);
        if (!t->be) {
                end(t, -ENOMEM, "%s: out of memory", t->where);
                return;
        }
        listen_to(t);
        if (t->next < t->n) /* one that only swallows packets must leave time for the others */
                timer_set(&t->patience, t->c.timeout / (msec_t)(t->n + 1));
        else
                timer_clear(&t->patience);
        /* a refusal comes as an event, also when it comes at once */
        if (bufferevent_socket_connect(t->be, (struct sockaddr *)a, len) < 0)
                end(t, -EIO, "%s: no socket: %s", t->where, strerror(errno));
}

static void on_patience(void *arg)
{
        struct talk *t = arg;

        t->busy++;
        if (t->stage == TALK_CONNECT)
                try_next(t, -ETIMEDOUT, "no connection in time");
        leave(t);
}

static void on_lookup(void *arg, int error, const char *why, const struct sockaddr_storage *all,
                      size_t n)
{
        struct talk *t = arg;

        t->busy++;
        t->lookup = NULL;
        memcpy(t->addresses, all ? all : t->addresses, n * sizeof *all);
        t->n = n;
        if (error < 0)
                end(t, error, "%s: the name %s cannot be looked up: %s", t->where, t->host, why);
        else
                try_next(t, 0, "");
        leave(t);
}

static void on_connected(struct talk *t)
{
        timer_clear(&t->patience);
        if (t->stage == TALK_CONNECT && t->c.tls == TALK_TLS) {
                shake_hands(t);
                return;
        }
        t->secured = t->stage == TALK_HANDSHAKE;
        t->stage = TALK_OPEN;
        t->paused = false;
        t->c.on_open(t->c.arg);
        if (!t->freed)
                read_on(t);
}

static void on_hung_up(struct talk *t)
{
        int error = EVUTIL_SOCKET_ERROR();

        if (t->stage == TALK_CONNECT)
                try_next(t, error ? -error : -ECONNREFUSED,
                         error ? strerror(error) : "the connection was refused");
        else if (t->stage == TALK_HANDSHAKE)
                end_handshake(t);
        else
                end(t, -ECONNRESET, "%s hung up", t->where);
}

static void on_event(struct bufferevent *be, short what, void *arg)
{
        struct talk *t = arg;

        (void)be;
        t->busy++;
        if (what & BEV_EVENT_CONNECTED)
                on_connected(t);
        else if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
                on_hung_up(t);
        leave(t);
}

static void on_deadline(void *arg)
{
        static const char *const MISSED[] = {
                [TALK_LOOKUP] = "answer from the name server",
                [TALK_CONNECT] = "connection",
                [TALK_HANDSHAKE] = "TLS handshake",
                [TALK_OPEN] = "answer",
                [TALK_LEAVING] = "goodbye",
                [TALK_OVER] = "",
        };
        struct talk *t = arg;

        t->busy++;
        end(t, -ETIMEDOUT, "%s: no %s within %lld ms", t->where, MISSED[t->stage],
            (long long)t->c.timeout);
        leave(t);
}

/* What came behind the server's yes came before TLS: somebody else may have put it there. */
static void secure(struct talk *t)
{
        if (!t->tls || evbuffer_get_length(bufferevent_get_input(t->be)) > 0)
                end(t, -EPROTO, "%s says more than it was asked for before TLS", t->where);
        else
                shake_hands(t);
}

static void on_kick(void *arg)
{
        struct talk *t = arg;

        t->busy++;
        if (t->stage == TALK_CONNECT || t->stage == TALK_LOOKUP)
                try_next(t, 0, "");
        else if (t->stage == TALK_HANDSHAKE)
                secure(t);
        else
                read_on(t);
        leave(t);
}

/* ---- the outside ---- */

/* Where to ask: an address that is known, or a name that is to be looked up. */
static int begin(struct talk *t, const struct talk_config *c)
{
        const char *address = c->address && *c->address ? c->address : c->host;
        union address a;
        int r = address_parse(address, c->port, &a);

        if (r < 0 && address != c->host)
                return r;
        timer_set(&t->deadline, t->c.timeout);
        if (r < 0)
                return lookup_start(t->loop, c->host, c->port, on_lookup, t, &t->lookup);
        memcpy(&t->addresses[0], &a, sizeof a);
        t->n = 1;
        timer_set(&t->kick, 0);
        return 0;
}

static int set_up(struct talk *t, const struct talk_config *c)
{
        union address unused;

        if (c->port < 1 || c->port > 65535 || !*c->host || strlen(c->host) > HOST_MAX)
                return -EINVAL;
        str_copy(t->host, sizeof t->host, c->host);
        snprintf(t->where, sizeof t->where, strchr(c->host, ':') ? "[%s]:%u" : "%s:%u", c->host,
                 c->port);
        t->numeric = address_parse(c->host, c->port, &unused) == 0;
        if (c->tls != TALK_PLAIN) {
                t->tls = SSL_CTX_new(TLS_client_method());
                int r = t->tls ? trust(t->tls, c) : -ENOMEM;
                if (r < 0)
                        return r;
        }
        int r = timer_init(&t->kick, t->loop, on_kick, t);
        if (r == 0)
                r = timer_init(&t->deadline, t->loop, on_deadline, t);
        if (r == 0)
                r = timer_init(&t->patience, t->loop, on_patience, t);
        return r == 0 ? begin(t, c) : r;
}

int talk_new(struct loop *l, const struct talk_config *c, struct talk **ret)
{
        struct talk *t = calloc(1, sizeof *t);

        if (!t)
                return -ENOMEM;
        t->loop = l;
        t->c = *c;
        t->c.host = t->c.address = t->c.ca_file = NULL; /* not ours to keep */
        if (t->c.timeout <= 0)
                t->c.timeout = DEFAULT_MS;
        int r = set_up(t, c);
        if (r < 0) {
                destroy(t);
                return r;
        }
        *ret = t;
        return 0;
}

void talk_free(struct talk *t)
{
        if (!t || t->freed)
                return;
        hang_up(t);
        t->freed = true;
        if (t->busy == 0)
                destroy(t);
}

void talk_say(struct talk *t, const void *data, size_t len)
{
        if (t->be && len > 0)
                bufferevent_write(t->be, data, len);
}

void talk_expect(struct talk *t, size_t n)
{
        t->expected = n;
}

void talk_go_on(struct talk *t)
{
        if (!t->paused)
                return;
        t->paused = false;
        timer_set(&t->kick, 0);
}

void talk_secure(struct talk *t)
{
        if (t->stage != TALK_OPEN || t->secured)
                return;
        t->stage = TALK_HANDSHAKE; /* nothing is read any more */
        timer_set(&t->kick, 0);
}

void talk_leave(struct talk *t)
{
        if (t->stage != TALK_OPEN)
                return;
        t->stage = TALK_LEAVING;
        timer_set(&t->deadline, GOODBYE_MS);
}

const char *talk_where(const struct talk *t)
{
        return t->where;
}

bool talk_secured(const struct talk *t)
{
        return t->secured;
}

X509 *talk_certificate(struct talk *t)
{
        SSL *ssl = t->secured && t->be ? bufferevent_openssl_get_ssl(t->be) : NULL;

        return ssl ? SSL_get1_peer_certificate(ssl) : NULL;
}

long talk_verdict(struct talk *t)
{
        SSL *ssl = t->be ? bufferevent_openssl_get_ssl(t->be) : NULL;

        return ssl ? SSL_get_verify_result(ssl) : X509_V_ERR_UNSPECIFIED;
}
