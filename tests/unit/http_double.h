/* A small HTTP server for test_http.c, in the loop of the test: what it answers is in the path of
 * the request (BEHAVIOURS[], serve()). */
#pragma once

#include "lib/buf.h"
#include "lib/loop.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

enum { PIECES = 5 };

struct server {
        struct loop *loop;
        struct evconnlistener *unix_listener, *tcp_listener;
        char dir[64], path[80], url[64]; /* url: of the TCP side */
        unsigned accepts, open;
        struct conn *last;
};

struct conn {
        struct server *server;
        struct bufferevent *bev;
        struct timer timer;
        unsigned pieces;
        bool close_after;
};

static void conn_free(struct conn *c)
{
        c->server->open--;
        timer_done(&c->timer);
        bufferevent_free(c->bev);
        free(c);
}

static void say(struct conn *c, const char *text)
{
        bufferevent_write(c->bev, text, strlen(text));
}

static void on_written(struct bufferevent *bev, void *arg)
{
        struct conn *c = arg;

        (void)bev;
        if (c->close_after)
                conn_free(c);
}

static void say_and_close(struct conn *c, const char *text)
{
        c->close_after = true;
        say(c, text);
}

static void send_piece(void *arg)
{
        struct conn *c = arg;

        say(c, "6\r\npiece\n\r\n");
        if (++c->pieces < PIECES)
                timer_set(&c->timer, 2);
        else
                say(c, "0\r\n\r\n");
}

static void send_sized(struct conn *c, int status, size_t size)
{
        char head[96];
        char *body = calloc(1, size);

        assert_non_null(body);
        memset(body, 'x', size);
        snprintf(head, sizeof head, "HTTP/1.1 %d Text\r\nContent-Length: %zu\r\n\r\n", status,
                 size);
        say(c, head);
        bufferevent_write(c->bev, body, size);
        free(body);
}

static void send_endless(struct conn *c)
{
        static const char PART[4096];

        say(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        for (int i = 0; i < 64; i++) {
                say(c, "1000\r\n");
                bufferevent_write(c->bev, PART, sizeof PART);
                say(c, "\r\n");
        }
}

/* Answers with what it got: "METHOD path|headers of interest|body". */
static void send_echo(struct conn *c, const char *head, const char *body)
{
        CLEANUP(buf_done) struct buf out = BUF(65536);
        char length[64];

        buf_add(&out, head, strcspn(head, "\r"));
        buf_adds(&out, strstr(head, "X-Test: 1\r\n") ? "|X-Test" : "|");
        buf_adds(&out, strstr(head, "Expect:") ? "|Expect" : "|");
        buf_adds(&out, strstr(head, "Content-Type:") ? "|Type" : "|");
        buf_addf(&out, "|%s", body);
        snprintf(length, sizeof length, "%zu", out.len);
        say(c, "HTTP/1.1 200 OK\r\nContent-Length: ");
        say(c, length);
        say(c, "\r\n\r\n");
        say(c, buf_str(&out));
}

static const struct behaviour {
        const char *path, *answer;
        bool close;
} BEHAVIOURS[] = {
        { "/ok", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", false },
        { "/interim", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
          false },
        { "/empty", "HTTP/1.1 204 No Content\r\n\r\n", false },
        { "/404", "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone", false },
        { "/500", "HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\noops", false },
        { "/redirect", "HTTP/1.1 302 Found\r\nLocation: /ok\r\nContent-Length: 0\r\n\r\n", false },
        { "/trailers",
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-A: b\r\n\r\n",
          false },
        { "/never", "", false },
        { "/half", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", false },
        { "/hang-up", "", true },
        { "/truncated", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", true },
        { "/truncated-chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\nha",
          true },
        { "/truncated-head", "HTTP/1.1 200 OK\r\nContent-Le", true },
        { "/bad-chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", true },
        { "/bad-length", "HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n", true },
        { "/garbage", "\x01\x02\x03 what is this\n\n", true },
        { "/smtp", "220 mail.example.org ESMTP\r\n", true },
        { "/until-close", "HTTP/1.0 200 OK\r\n\r\nall", true },
};

static void serve(struct conn *c, const char *head, const char *body)
{
        char path[64] = "";

        sscanf(head, "%*15s %63s", path);
        for (size_t i = 0; i < ARRAY_SIZE(BEHAVIOURS); i++) {
                const struct behaviour *b = &BEHAVIOURS[i];
                if (strcmp(path, b->path) != 0)
                        continue;
                if (b->close && !*b->answer)
                        conn_free(c);
                else if (b->close)
                        say_and_close(c, b->answer);
                else
                        say(c, b->answer);
                return;
        }
        if (strcmp(path, "/stream") == 0) {
                c->pieces = 0;
                say(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
                send_piece(c);
        } else if (strcmp(path, "/big") == 0) {
                send_sized(c, 200, 100000);
        } else if (strcmp(path, "/big-error") == 0) {
                send_sized(c, 500, 100000);
        } else if (strcmp(path, "/endless") == 0) {
                send_endless(c);
        } else {
                send_echo(c, head, body);
        }
}

/* One whole request, body included, or nothing yet. */
static void on_readable(struct bufferevent *bev, void *arg)
{
        struct evbuffer *in = bufferevent_get_input(bev);
        char head[4096], body[4096] = "";
        size_t length = 0;

        struct evbuffer_ptr end = evbuffer_search(in, "\r\n\r\n", 4, NULL);
        if (end.pos < 0)
                return;
        size_t head_len = (size_t)end.pos + 4;
        assert_true(head_len < sizeof head);
        evbuffer_copyout(in, head, head_len);
        head[head_len] = '\0';
        const char *field = strstr(head, "Content-Length: ");
        if (field)
                length = strtoul(field + strlen("Content-Length: "), NULL, 10);
        assert_true(length < sizeof body);
        if (evbuffer_get_length(in) < head_len + length)
                return;
        evbuffer_drain(in, head_len);
        evbuffer_remove(in, body, length);
        serve(arg, head, body);
}

static void on_conn_event(struct bufferevent *bev, short what, void *arg)
{
        (void)bev;
        if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
                conn_free(arg);
}

static void on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *a, int len,
                      void *arg)
{
        struct server *s = arg;
        struct conn *c = calloc(1, sizeof *c);

        (void)a;
        (void)len;
        assert_non_null(c);
        c->server = s;
        c->bev = bufferevent_socket_new(evconnlistener_get_base(l), fd, BEV_OPT_CLOSE_ON_FREE);
        assert_int_equal(timer_init(&c->timer, s->loop, send_piece, c), 0);
        bufferevent_setcb(c->bev, on_readable, on_written, on_conn_event, c);
        bufferevent_enable(c->bev, EV_READ | EV_WRITE);
        s->last = c;
        s->accepts++;
        s->open++;
}

static struct evconnlistener *listen_on(struct server *s, const void *address, size_t len)
{
        struct evconnlistener *l = evconnlistener_new_bind(
                s->loop->base, on_accept, s,
                LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE, 512, address,
                (int)len);

        assert_non_null(l);
        return l;
}

static void server_start(struct server *s, struct loop *l)
{
        struct sockaddr_un un = { .sun_family = AF_UNIX };
        struct sockaddr_in in = { .sin_family = AF_INET,
                                  .sin_addr = { .s_addr = htonl(INADDR_LOOPBACK) } };
        socklen_t len = sizeof in;

        *s = (struct server){ .loop = l, .dir = "/tmp/test_http.XXXXXX" };
        assert_non_null(mkdtemp(s->dir));
        snprintf(s->path, sizeof s->path, "%s/s", s->dir);
        assert_true(str_copy(un.sun_path, sizeof un.sun_path, s->path));
        s->unix_listener = listen_on(s, &un, sizeof un);
        s->tcp_listener = listen_on(s, &in, sizeof in);
        assert_int_equal(
                getsockname(evconnlistener_get_fd(s->tcp_listener), (struct sockaddr *)&in, &len),
                0);
        snprintf(s->url, sizeof s->url, "http://127.0.0.1:%u", ntohs(in.sin_port));
}

static void server_stop(struct server *s)
{
        if (s->unix_listener)
                evconnlistener_free(s->unix_listener);
        if (s->tcp_listener)
                evconnlistener_free(s->tcp_listener);
        unlink(s->path);
        rmdir(s->dir);
}
