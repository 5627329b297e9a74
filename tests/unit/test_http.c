/* The HTTP client over real sockets, against a small server in the same loop (http_double.h). */
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

static void on_deadline(void *arg)
{
        struct fixture *f = arg;

        f->late = true;
        loop_stop(&f->loop);
}

static int set_up(void **state)
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
static void drain(struct fixture *f)
{
        timer_set(&f->deadline, DEADLINE_MS);
        while (f->server.open > 0 && !f->late)
                event_base_loop(f->loop.base, EVLOOP_ONCE);
        assert_false(f->late);
}

static int tear_down(void **state)
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

static void wait_all(struct fixture *f)
{
        timer_set(&f->deadline, DEADLINE_MS);
        while (f->pending > 0 && !f->late)
                assert_int_equal(loop_run(&f->loop), 0);
        timer_clear(&f->deadline);
        assert_false(f->late);
}

static void begin(struct call *c, const char *path);

static void act(struct call *c, enum hook hook)
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

static void on_head(void *arg, int status)
{
        struct call *c = arg;

        assert_false(c->silenced);
        c->heads++;
        c->head_status = status;
        act(c, IN_HEAD);
}

static int on_data(void *arg, const char *data, size_t len)
{
        struct call *c = arg;

        assert_false(c->silenced);
        assert_int_equal(c->heads, 1);
        c->pieces++;
        assert_int_equal(buf_add(&c->data, data, len), 0);
        act(c, IN_DATA);
        return c->stop_after && c->pieces >= c->stop_after;
}

static void on_done(void *arg, const struct http_result *r)
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

static struct http_request request_to(struct call *c, char *url, size_t size, const char *path)
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

static void begin_request(struct call *c, const struct http_request *r)
{
        assert_int_equal(http_start(c->f->http, r, &c->handle), 0);
        c->f->pending++;
        assert_int_equal(c->done, 0); /* never from inside http_start */
}

static void begin(struct call *c, const char *path)
{
        char url[128];
        struct http_request r = request_to(c, url, sizeof url, path);

        begin_request(c, &r);
}

static void begin_stream(struct call *c, const char *path)
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
static void barrier(struct fixture *f)
{
        struct call c = CALL(f);

        begin(&c, "/ok");
        wait_all(f);
        assert_int_equal(c.error, 0);
        buf_done(&c.data);
}

static void test_answers(void **state)
{
        static const struct {
                const char *path;
                msec_t timeout;
                size_t max_body;
                int error, status;
                const char *body; /* NULL: any */
                unsigned heads;
        } ROWS[] = {
                { "/ok", 0, 0, 0, 200, "ok", 1 },
                { "/ok", 0, 2, 0, 200, "ok", 1 },
                { "/ok", 0, 1, -EFBIG, 200, NULL, 1 },
                { "/interim", 0, 0, 0, 200, "ok", 1 },
                { "/empty", 0, 0, 0, 204, "", 1 },
                { "/404", 0, 1, 0, 404, "gone", 1 },
                { "/500", 0, 0, 0, 500, "oops", 1 },
                { "/redirect", 0, 0, 0, 302, "", 1 },
                { "/trailers", 0, 0, 0, 200, "ok", 1 },
                { "/until-close", 0, 0, 0, 200, "all", 1 },
                { "/stream", 0, 0, 0, 200, "piece\npiece\npiece\npiece\npiece\n", 1 },
                { "/stream", 0, 13, -EFBIG, 200, NULL, 1 },
                { "/big", 0, 100000, 0, 200, NULL, 1 },
                { "/big", 0, 99999, -EFBIG, 200, NULL, 1 },
                { "/big-error", 0, 1 << 20, -EFBIG, 500, NULL, 1 },
                { "/endless", 0, 1000, -EFBIG, 200, NULL, 1 },
                { "/never", 30, 0, -ETIMEDOUT, 0, "", 0 },
                { "/half", 30, 0, -ETIMEDOUT, 200, "half", 1 },
                { "/hang-up", 0, 0, -ECONNRESET, 0, "", 0 },
                { "/truncated", 0, 0, -ECONNRESET, 200, "half", 1 },
                { "/truncated-chunk", 0, 0, -ECONNRESET, 200, NULL, 1 },
                { "/truncated-head", 0, 0, -ECONNRESET, 0, "", 0 },
                { "/bad-chunk", 0, 0, -EPROTO, 200, "", 1 },
                { "/bad-length", 0, 0, -EPROTO, 0, "", 0 },
                { "/garbage", 0, 0, -EPROTO, 0, "", 0 },
                { "/smtp", 0, 0, -EPROTO, 0, "", 0 },
        };
        struct fixture *f = *state;

        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
                struct call c = CALL(f);
                char url[128];
                struct http_request r = request_to(&c, url, sizeof url, ROWS[i].path);
                r.max_body = ROWS[i].max_body;
                if (ROWS[i].timeout)
                        r.timeout = ROWS[i].timeout;
                begin_request(&c, &r);
                wait_all(f);
                if (c.error != ROWS[i].error || c.status != ROWS[i].status ||
                    c.heads != ROWS[i].heads)
                        fail_msg("%s (row %zu): error %d, status %d, heads %u: %s", ROWS[i].path, i,
                                 c.error, c.status, c.heads, c.message);
                assert_int_equal(c.done, 1);
                assert_true(c.message[0]);
                if (ROWS[i].heads)
                        assert_int_equal(c.head_status, c.status);
                if (ROWS[i].body)
                        assert_string_equal(buf_str(&c.data), ROWS[i].body);
                buf_done(&c.data);
        }
}

/* A socket in the file system that nobody listens on. */
static int bind_deaf(const char *path)
{
        struct sockaddr_un un = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_true(str_copy(un.sun_path, sizeof un.sun_path, path));
        assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof un), 0);
        return fd;
}

static void test_unreachable(void **state)
{
        struct fixture *f = *state;
        char deaf[128], missing[128];

        snprintf(deaf, sizeof deaf, "%s/deaf", f->server.dir);
        snprintf(missing, sizeof missing, "%s/missing", f->server.dir);
        int fd = bind_deaf(deaf);
        evconnlistener_free(f->server.tcp_listener); /* nobody on that port any more */
        f->server.tcp_listener = NULL;

        const struct {
                const char *url, *socket;
                int error;
        } ROWS[] = {
                { "http://localhost/", deaf, -ECONNREFUSED },
                { "http://localhost/", missing, -ENOENT },
                { "http://localhost/", f->server.dir, -ECONNREFUSED }, /* a directory */
                { f->server.url, NULL, -ECONNREFUSED },
        };
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
                struct call c = CALL(f);
                struct http_request r = { .url = ROWS[i].url,
                                          .unix_socket = ROWS[i].socket,
                                          .arg = &c,
                                          .on_done = on_done };
                begin_request(&c, &r);
                wait_all(f);
                if (c.error != ROWS[i].error)
                        fail_msg("row %zu: error %d: %s", i, c.error, c.message);
                buf_done(&c.data);
        }
        close(fd);
        unlink(deaf);
}

/* A listener whose queue is full, so that connect() itself has to wait. */
static void test_full_backlog(void **state)
{
        struct fixture *f = *state;
        char path[128];
        struct call calls[4];

        snprintf(path, sizeof path, "%s/full", f->server.dir);
        int fd = bind_deaf(path);
        assert_int_equal(listen(fd, 0), 0);
        for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
                char url[64];
                calls[i] = (struct call)CALL(f);
                struct http_request r = request_to(&calls[i], url, sizeof url, "/ok");
                r.unix_socket = path;
                r.timeout = 30;
                begin_request(&calls[i], &r);
        }
        wait_all(f);
        for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
                if (calls[i].error != -ETIMEDOUT && calls[i].error != -EAGAIN)
                        fail_msg("call %zu: error %d: %s", i, calls[i].error, calls[i].message);
        for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
                buf_done(&calls[i].data);
        close(fd);
        unlink(path);
}

static void test_requests(void **state)
{
        static const char *const HEADERS[] = { "X-Test: 1", NULL };
        static const char *const TYPED[] = { "Content-Type: application/json", NULL };
        static const struct {
                const char *method, *body;
                const char *const *headers;
                const char *echo;
        } ROWS[] = {
                { NULL, NULL, NULL, "GET /echo HTTP/1.1||||" },
                { "GET", NULL, HEADERS, "GET /echo HTTP/1.1|X-Test|||" },
                { "GET", "query", NULL, "GET /echo HTTP/1.1||||query" },
                { "POST", NULL, NULL, "POST /echo HTTP/1.1||||" },
                { "POST", "{}", TYPED, "POST /echo HTTP/1.1|||Type|{}" },
                { "PUT", "text", NULL, "PUT /echo HTTP/1.1||||text" },
                { "DELETE", NULL, NULL, "DELETE /echo HTTP/1.1||||" },
        };
        struct fixture *f = *state;

        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) { /* all over one connection and handle */
                struct call c = CALL(f);
                char url[64];
                struct http_request r = request_to(&c, url, sizeof url, "/echo");
                r.method = ROWS[i].method;
                r.body = ROWS[i].body;
                r.headers = ROWS[i].headers;
                begin_request(&c, &r);
                wait_all(f);
                assert_int_equal(c.error, 0);
                assert_string_equal(buf_str(&c.data), ROWS[i].echo);
                buf_done(&c.data);
        }
        assert_int_equal(f->server.accepts, 1);
}

static void test_refused_requests(void **state)
{
        static const char *const SPLIT[] = { "X: 1\r\nY: 2", NULL }, *const BARE[] = { "X", NULL };
        static const struct http_request ROWS[] = {
                { .url = NULL },
                { .url = "ftp://localhost/" },
                { .url = "file:///etc/passwd" },
                { .url = "http://localhost/a b" },
                { .url = "http://localhost/a\r\nX: y" },
                { .url = "http://localhost/", .method = "GET / HTTP/1.1\r\n" },
                { .url = "http://localhost/", .headers = SPLIT },
                { .url = "http://localhost/", .headers = BARE },
        };
        struct fixture *f = *state;

        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++)
                assert_int_equal(http_start(f->http, &ROWS[i], NULL), -EINVAL);
        barrier(f);
}

static void test_tcp(void **state)
{
        struct fixture *f = *state;
        struct call c = CALL(f);
        char url[128];

        snprintf(url, sizeof url, "%s/ok", f->server.url);
        for (int i = 0; i < 3; i++) {
                struct http_request r = { .url = url, .arg = &c, .on_done = on_done };
                c.done = 0;
                begin_request(&c, &r);
                wait_all(f);
                assert_int_equal(c.error, 0);
        }
        assert_string_equal(buf_str(&c.data), "okokok");
        assert_int_equal(f->server.accepts, 1);

        /* TLS to a server that speaks none */
        snprintf(url, sizeof url, "https%s/ok", f->server.url + strlen("http"));
        struct http_request r = { .url = url, .timeout = 50, .arg = &c, .on_done = on_done };
        c.done = 0;
        begin_request(&c, &r);
        wait_all(f);
        assert_int_not_equal(c.error, 0);
        buf_done(&c.data);
}

static void test_keep_alive(void **state)
{
        struct fixture *f = *state;

        for (int i = 0; i < 20; i++)
                barrier(f);
        assert_int_equal(f->server.accepts, 1);

        conn_free(f->server.last); /* the server is tired of the idle connection */
        barrier(f);
        assert_int_equal(f->server.accepts, 2);
}

/* A request that must not be sent twice goes over a connection that cannot be a stale one. */
static void test_once(void **state)
{
        struct fixture *f = *state;
        char url[128];

        barrier(f);
        for (unsigned i = 0; i < 3; i++) {
                struct call c = CALL(f);
                struct http_request r = request_to(&c, url, sizeof url, "/ok");

                r.once = true;
                begin_request(&c, &r);
                wait_all(f);
                assert_int_equal(c.error, 0);
                assert_int_equal(f->server.accepts, 2 + i);
                buf_done(&c.data);
        }
}

static void note_header(void *arg, const char *line, size_t len)
{
        struct call *c = arg;

        assert_int_equal(c->done, 0);
        buf_add(&c->data, line, len);
        buf_adds(&c->data, "|");
}

/* Those of the final response, whole and in order. */
static void test_headers(void **state)
{
        static const struct {
                const char *path, *want;
        } ROWS[] = {
                { "/interim", "HTTP/1.1 200 OK|Content-Length: 2|ok" },
                { "/redirect", "HTTP/1.1 302 Found|Location: /ok|Content-Length: 0|" },
        };
        struct fixture *f = *state;
        char url[128];

        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
                struct call c = CALL(f);
                struct http_request r = request_to(&c, url, sizeof url, ROWS[i].path);

                r.on_header = note_header;
                begin_request(&c, &r);
                wait_all(f);
                assert_string_equal(buf_str(&c.data), ROWS[i].want);
                buf_done(&c.data);
        }
}

static void test_stream(void **state)
{
        struct fixture *f = *state;
        struct call c = CALL(f), stopped = CALL(f), missing = CALL(f);

        stopped.stop_after = 2;
        begin_stream(&c, "/stream");
        begin_stream(&stopped, "/stream");
        begin_stream(&missing, "/404");
        wait_all(f);

        assert_int_equal(c.error, 0);
        assert_in_range(c.pieces, 2, PIECES); /* as they come, not all at the end */
        assert_int_equal(c.data.len, PIECES * strlen("piece\n"));
        assert_int_equal(stopped.error, -ECANCELED);
        assert_int_equal(stopped.pieces, 2);
        assert_int_equal(missing.status, 404); /* its body is no part of the stream */
        assert_int_equal(missing.pieces, 0);
        assert_string_equal(buf_str(&missing.data), "gone");
        buf_done(&c.data);
        buf_done(&stopped.data);
        buf_done(&missing.data);
}

static void test_many_at_once(void **state)
{
        enum { MANY = 200 };
        struct fixture *f = *state;
        struct call *calls = calloc(MANY, sizeof *calls);

        assert_non_null(calls);
        for (size_t i = 0; i < MANY; i++) {
                calls[i] = (struct call)CALL(f);
                begin(&calls[i], "/ok");
        }
        wait_all(f);
        for (size_t i = 0; i < MANY; i++) {
                if (calls[i].error)
                        fail_msg("call %zu: error %d: %s", i, calls[i].error, calls[i].message);
                assert_int_equal(calls[i].done, 1);
                assert_string_equal(buf_str(&calls[i].data), "ok");
                buf_done(&calls[i].data);
        }
        free(calls);
}

/* Every function inside every callback. */
static void act_in(struct fixture *f, enum hook hook, enum act what)
{
        struct call c = CALL(f), other = CALL(f), extra = CALL(f);

        begin(&other, "/never");
        f->pending--; /* it never ends by itself */
        c.act[hook] = what;
        c.other = other.handle;
        c.extra = &extra;
        begin_stream(&c, "/stream");
        wait_all(f);

        bool ends = what != ACT_CANCEL_SELF && what != ACT_FREE;
        assert_int_equal(c.done, hook == IN_DONE || ends);
        assert_int_equal(extra.done, what == ACT_START);
        assert_int_equal(other.done, 0);
        if (f->http) {
                if (c.other)
                        http_cancel(c.other);
                barrier(f);
        } else {
                drain(f);
                assert_int_equal(http_new(&f->loop, &f->http), 0);
        }
        assert_int_equal(other.done, 0);
        buf_done(&c.data);
        buf_done(&extra.data);
}

static void test_act_in_callbacks(void **state)
{
        struct fixture *f = *state;

        for (int hook = IN_HEAD; hook < HOOKS; hook++)
                for (int what = ACT_CANCEL_SELF; what <= ACT_FREE; what++)
                        act_in(f, (enum hook)hook, (enum act)what);
}

static void test_cancel(void **state)
{
        struct fixture *f = *state;
        struct call queued = CALL(f), running = CALL(f);

        http_cancel(NULL);
        begin(&queued, "/ok");
        http_cancel(queued.handle);
        begin(&running, "/never");
        f->pending = 0;
        barrier(f);
        http_cancel(running.handle);
        barrier(f);
        assert_int_equal(queued.done, 0);
        assert_int_equal(running.done, 0);
}

static void test_free_under_way(void **state)
{
        static const char *const PATHS[] = { "/never", "/stream", "/half", "/endless", "/ok" };
        struct fixture *f = *state;
        struct call calls[2][ARRAY_SIZE(PATHS)];

        for (size_t round = 0; round < ARRAY_SIZE(calls); round++) {
                for (size_t i = 0; i < ARRAY_SIZE(PATHS); i++) {
                        calls[round][i] = (struct call)CALL(f);
                        begin_stream(&calls[round][i], PATHS[i]);
                }
                f->pending -= (unsigned)ARRAY_SIZE(PATHS);
                if (round == 0)
                        barrier(f); /* those of the first round are on their way */
        }
        http_free(f->http);
        f->http = NULL;
        for (size_t i = 0; i < ARRAY_SIZE(PATHS); i++)
                assert_int_equal(calls[1][i].done, 0);
        drain(f);
        for (size_t i = 0; i < ARRAY_SIZE(PATHS); i++)
                buf_done(&calls[0][i].data);
        http_free(NULL);
}

/* Sockets that a child we start would inherit. */
static unsigned inherited_sockets(void)
{
        DIR *d = opendir("/proc/self/fd");
        unsigned n = 0;

        assert_non_null(d);
        for (struct dirent *e; (e = readdir(d));) {
                char target[64] = "";
                uint64_t fd;
                if (parse_uint(e->d_name, 0, 65535, &fd) < 0 ||
                    readlinkat(dirfd(d), e->d_name, target, sizeof target - 1) < 0)
                        continue;
                n += strncmp(target, "socket:", 7) == 0 && !(fcntl((int)fd, F_GETFD) & FD_CLOEXEC);
        }
        closedir(d);
        return n;
}

static void test_no_inheritance(void **state)
{
        struct fixture *f = *state;
        struct call c = CALL(f);
        unsigned before = inherited_sockets(); /* libcurl's own wake-up pair */

        begin(&c, "/never");
        f->pending--;
        barrier(f);
        assert_int_equal(inherited_sockets(), before);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
                ROW(test_answers),          ROW(test_unreachable),
                ROW(test_full_backlog),     ROW(test_requests),
                ROW(test_refused_requests), ROW(test_tcp),
                ROW(test_keep_alive),       ROW(test_once),
                ROW(test_headers),          ROW(test_stream),
                ROW(test_many_at_once),     ROW(test_act_in_callbacks),
                ROW(test_cancel),           ROW(test_free_under_way),
                ROW(test_no_inheritance),
        };

        signal(SIGPIPE, SIG_IGN); /* the server writes to clients that have left */
        return cmocka_run_group_tests(tests, NULL, NULL);
}
