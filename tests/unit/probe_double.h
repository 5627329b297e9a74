/* A double of a mail daemon on a loopback port, in the test's own loop: it greets, answers by
 * prefixes, hangs, hangs up, talks nonsense, and speaks TLS with a certificate made on the spot. */
#pragma once

#include "lib/loop.h"

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/listener.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { DOUBLE_ANSWERS = 10, DOUBLE_CONNS = 32 };

struct double_script {
        bool tls, starttls; /* starttls: after its yes to STARTTLS the rest is TLS */
        bool hang_up;       /* close as soon as somebody connects */
        bool close_after;   /* close after the greeting */
        SSL_CTX *context;   /* with a certificate of the test's; NULL = an expired one */
        const char *greeting;
        struct {
                const char *prefix, *answer; /* whose line begins so gets that; NULL ends */
        } answers[DOUBLE_ANSWERS];
};

struct double_server {
        struct loop *loop;
        struct evconnlistener *listener;
        SSL_CTX *tls;
        struct double_script script;
        unsigned port, accepted;
        char heard[1024]; /* lines of the last connection, '|' behind each */
        struct bufferevent *conns[DOUBLE_CONNS];
};

static inline SSL_CTX *double_tls(void)
{
        SSL_CTX *c = SSL_CTX_new(TLS_server_method());
        EVP_PKEY *key = EVP_EC_gen("P-256");
        X509 *x = X509_new();

        assert_true(c && key && x);
        ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
        X509_gmtime_adj(X509_getm_notBefore(x), -86400 * 2);
        X509_gmtime_adj(X509_getm_notAfter(x), -86400); /* expired: nobody looks */
        X509_set_pubkey(x, key);
        assert_true(X509_sign(x, key, EVP_sha256()) > 0);
        assert_int_equal(SSL_CTX_use_certificate(c, x), 1);
        assert_int_equal(SSL_CTX_use_PrivateKey(c, key), 1);
        X509_free(x);
        EVP_PKEY_free(key);
        return c;
}

static inline void double_drop(struct double_server *s, struct bufferevent *be)
{
        for (size_t i = 0; i < DOUBLE_CONNS; i++)
                if (s->conns[i] == be)
                        s->conns[i] = NULL;
        bufferevent_free(be);
}

static inline void double_event(struct bufferevent *be, short what, void *arg)
{
        if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
                double_drop(arg, be);
}

static inline void double_read(struct bufferevent *be, void *arg);

static inline void double_secure(struct double_server *s, struct bufferevent *be)
{
        struct bufferevent *filter = bufferevent_openssl_filter_new(
                s->loop->base, be, SSL_new(s->tls), BUFFEREVENT_SSL_ACCEPTING,
                BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);

        assert_non_null(filter);
        for (size_t i = 0; i < DOUBLE_CONNS; i++)
                if (s->conns[i] == be)
                        s->conns[i] = filter;
        bufferevent_setcb(filter, double_read, NULL, double_event, s);
        bufferevent_enable(filter, EV_READ | EV_WRITE);
}

static inline void double_read(struct bufferevent *be, void *arg)
{
        struct double_server *s = arg;
        char *line;

        while ((line = evbuffer_readln(bufferevent_get_input(be), NULL, EVBUFFER_EOL_CRLF))) {
                bool secure = false;
                size_t len = strlen(s->heard);
                snprintf(s->heard + len, sizeof s->heard - len, "%s|", line);
                for (size_t i = 0; i < DOUBLE_ANSWERS && s->script.answers[i].prefix; i++) {
                        const char *prefix = s->script.answers[i].prefix;
                        if (strncmp(line, prefix, strlen(prefix)) != 0)
                                continue;
                        bufferevent_write(be, s->script.answers[i].answer,
                                          strlen(s->script.answers[i].answer));
                        secure = s->script.starttls && strstr(prefix, "STARTTLS") &&
                                 !strstr(s->script.answers[i].answer, "NO");
                        break;
                }
                free(line);
                if (secure) {
                        bufferevent_flush(be, EV_WRITE, BEV_FLUSH);
                        double_secure(s, be);
                        return;
                }
        }
}

static inline void double_written(struct bufferevent *be, void *arg)
{
        double_drop(arg, be);
}

static inline void double_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *a,
                                 int len, void *arg)
{
        struct double_server *s = arg;
        struct event_base *base = evconnlistener_get_base(l);
        int flags = BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS;

        (void)a;
        (void)len;
        s->accepted++;
        s->heard[0] = '\0';
        if (s->script.hang_up) {
                evutil_closesocket(fd);
                return;
        }
        struct bufferevent *be =
                s->script.tls ? bufferevent_openssl_socket_new(base, fd, SSL_new(s->tls),
                                                               BUFFEREVENT_SSL_ACCEPTING, flags)
                              : bufferevent_socket_new(base, fd, flags);
        assert_non_null(be);
        size_t i = 0;
        while (i < DOUBLE_CONNS && s->conns[i])
                i++;
        assert_true(i < DOUBLE_CONNS);
        s->conns[i] = be;
        bufferevent_setcb(be, double_read, s->script.close_after ? double_written : NULL,
                          double_event, s);
        bufferevent_enable(be, EV_READ | EV_WRITE);
        if (s->script.greeting)
                bufferevent_write(be, s->script.greeting, strlen(s->script.greeting));
}

/* On 127.0.0.1 and a port of the kernel's choice. */
static inline void double_start(struct double_server *s, struct loop *l,
                                const struct double_script *script)
{
        struct sockaddr_in in = { .sin_family = AF_INET,
                                  .sin_addr = { .s_addr = htonl(INADDR_LOOPBACK) } };
        socklen_t len = sizeof in;

        *s = (struct double_server){ .loop = l, .script = *script };
        if (script->context && SSL_CTX_up_ref(script->context))
                s->tls = script->context;
        else if (script->tls || script->starttls)
                s->tls = double_tls();
        s->listener = evconnlistener_new_bind(l->base, double_accept, s,
                                              LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC |
                                                      LEV_OPT_REUSEABLE,
                                              64, (struct sockaddr *)&in, sizeof in);
        assert_non_null(s->listener);
        assert_int_equal(
                getsockname(evconnlistener_get_fd(s->listener), (struct sockaddr *)&in, &len), 0);
        s->port = ntohs(in.sin_port);
}

static inline void double_stop(struct double_server *s)
{
        for (size_t i = 0; i < DOUBLE_CONNS; i++)
                if (s->conns[i])
                        bufferevent_free(s->conns[i]);
        if (s->listener)
                evconnlistener_free(s->listener);
        SSL_CTX_free(s->tls);
        *s = (struct double_server){ .loop = NULL };
}
