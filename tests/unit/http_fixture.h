/* What the tests of lib/http.c share: calls whose callbacks count and may act, over real sockets,
 * against a small server in the same loop (http_double.h). */
#pragma once

#include "http_double.h"
#include "lib/http.h"

#include <dirent.h>
#include <signal.h>

enum { DEADLINE_MS = 20000 };

struct fixture {
        struct loop loop;
        struct server server;
        struct http *http;
        struct timer deadline;
        unsigned pending; /* calls that shall end before wait_all() returns */
        bool late;
};

enum act { ACT_NONE, ACT_CANCEL_SELF, ACT_CANCEL_OTHER, ACT_START, ACT_FREE };
enum hook { IN_HEAD, IN_DATA, IN_DONE, HOOKS };

struct call {
        struct fixture *f;
        struct http_call *handle, *other; /* for ACT_CANCEL_OTHER */
        struct call *extra;               /* for ACT_START */
        enum act act[HOOKS];
        unsigned heads, pieces, done, stop_after;
        bool silenced; /* cancelled or freed: no callback may come */
        int head_status, error, status;
        struct buf data; /* streamed or collected */
        char message[256];
};

static inline void on_deadline(void *arg)
{
        struct fixture *f = arg;

        f->late = true;
        loop_stop(&f->loop);
}

static inline int set_up(void **state)
{
        struct fixture *f = calloc(1, sizeof *f);

        assert_non_null(f);
        assert_int_equal(loop_init(&f->loop), 0);
        server_start(&f->server, &f->loop);
        assert_int_equal(http_new(&f->loop, &f->http), 0);
        assert_int_equal(timer_init(&f->deadline, &f->loop, on_deadline, f), 0);
        *state = f;
        return 0;
}

/* Without a client, the server must see all its connections closed. */
static inline void drain(struct fixture *f)
{
        timer_set(&f->deadline, DEADLINE_MS);
        while (f->server.open > 0 && !f->late)
                event_base_loop(f->loop.base, EVLOOP_ONCE);
        assert_false(f->late);
}

static inline int tear_down(void **state)
{
        struct fixture *f = *state;

        http_free(f->http);
        drain(f);
        server_stop(&f->server);
        timer_done(&f->deadline);
        loop_done(&f->loop);
        free(f);
        return 0;
}

static inline void wait_all(struct fixture *f)
{
        timer_set(&f->deadline, DEADLINE_MS);
        while (f->pending > 0 && !f->late)
                assert_int_equal(loop_run(&f->loop), 0);
        timer_clear(&f->deadline);
        assert_false(f->late);
}

static inline void begin(struct call *c, const char *path);

static inline void act(struct call *c, enum hook hook)
{
        struct fixture *f = c->f;

        switch (c->act[hook]) {
        case ACT_NONE:
                break;
        case ACT_CANCEL_SELF:
                c->silenced = true;
                http_cancel(c->handle);
                if (hook != IN_DONE) { /* on_done will not come */
                        f->pending--;
                        loop_stop(&f->loop);
                }
                break;
        case ACT_CANCEL_OTHER:
                http_cancel(c->other);
                c->other = NULL;
                break;
        case ACT_START:
                begin(c->extra, "/ok");
                break;
        case ACT_FREE:
                c->silenced = true;
                http_free(f->http);
                f->http = NULL;
                f->pending = 0;
                loop_stop(&f->loop);
                break;
        }
        c->act[hook] = ACT_NONE; /* once */
}

static inline void on_head(void *arg, int status)
{
        struct call *c = arg;

        assert_false(c->silenced);
        c->heads++;
        c->head_status = status;
        act(c, IN_HEAD);
}

static inline int on_data(void *arg, const char *data, size_t len)
{
        struct call *c = arg;

        assert_false(c->silenced);
        assert_int_equal(c->heads, 1);
        c->pieces++;
        assert_int_equal(buf_add(&c->data, data, len), 0);
        act(c, IN_DATA);
        return c->stop_after && c->pieces >= c->stop_after;
}

static inline void on_done(void *arg, const struct http_result *r)
{
        struct call *c = arg;

        assert_false(c->silenced);
        assert_non_null(r->message);
        assert_non_null(r->body);
        assert_int_equal(strlen(r->body) <= r->len, 1);
        c->done++;
        c->error = r->error;
        c->status = r->status;
        snprintf(c->message, sizeof c->message, "%s", r->message);
        assert_int_equal(buf_add(&c->data, r->body, r->len), 0);
        if (c->f->pending > 0 && --c->f->pending == 0)
                loop_stop(&c->f->loop);
        act(c, IN_DONE);
}

static inline struct http_request request_to(struct call *c, char *url, size_t size,
                                             const char *path)
{
        snprintf(url, size, "http://localhost%s", path);
        return (struct http_request){
                .url = url,
                .unix_socket = c->f->server.path,
                .timeout = DEADLINE_MS,
                .arg = c,
                .on_head = on_head,
                .on_done = on_done,
        };
}

static inline void begin_request(struct call *c, const struct http_request *r)
{
        assert_int_equal(http_start(c->f->http, r, &c->handle), 0);
        c->f->pending++;
        assert_int_equal(c->done, 0); /* never from inside http_start */
}

static inline void begin(struct call *c, const char *path)
{
        char url[128];
        struct http_request r = request_to(c, url, sizeof url, path);

        begin_request(c, &r);
}

static inline void begin_stream(struct call *c, const char *path)
{
        char url[128];
        struct http_request r = request_to(c, url, sizeof url, path);

        r.on_data = on_data;
        begin_request(c, &r);
}

#define CALL(fixture)                                \
        {                                            \
                .f = (fixture), .data = BUF(1 << 20) \
        }

/* A whole request and its answer after this one: nothing of an earlier call comes any more. */
static inline void barrier(struct fixture *f)
{
        struct call c = CALL(f);

        begin(&c, "/ok");
        wait_all(f);
        assert_int_equal(c.error, 0);
        buf_done(&c.data);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
