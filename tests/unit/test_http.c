/* The HTTP client: answers, failures, requests as they reach the server, headers. */
#include "http_fixture.h"

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

/* Nobody acknowledges it: the kernel gives up long before our own deadline, and for good. */
static void test_arrive(void **state)
{
        struct fixture *f = *state;
        struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t len = sizeof a;
        CLEANUP(closep) int deaf = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        int queue[3];
        char url[64];

        assert_int_equal(bind(deaf, (struct sockaddr *)&a, sizeof a), 0);
        assert_int_equal(listen(deaf, 0), 0);
        assert_int_equal(getsockname(deaf, (struct sockaddr *)&a, &len), 0);
        for (size_t i = 0; i < ARRAY_SIZE(queue); i++) { /* its queue is full */
                queue[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
                connect(queue[i], (struct sockaddr *)&a, sizeof a);
        }
        struct call c = CALL(f);
        struct http_request r = request_to(&c, url, sizeof url, "/");
        snprintf(url, sizeof url, "http://127.0.0.1:%u/", ntohs(a.sin_port));
        r.unix_socket = NULL;
        r.once = true;
        r.arrive = 300;
        r.connect_timeout = r.timeout = 20000;
        msec_t start = clock_ms();
        begin_request(&c, &r);
        wait_all(f);
        assert_true(c.error < 0);
        assert_true(clock_ms() - start < 15000);
        buf_done(&c.data);
        for (size_t i = 0; i < ARRAY_SIZE(queue); i++)
                close(queue[i]);
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

int main(void)
{
        const struct CMUnitTest tests[] = {
                ROW(test_answers),          ROW(test_unreachable),
                ROW(test_full_backlog),     ROW(test_requests),
                ROW(test_refused_requests), ROW(test_tcp),
                ROW(test_keep_alive),       ROW(test_once),
                ROW(test_headers),          ROW(test_arrive),
        };

        signal(SIGPIPE, SIG_IGN); /* the server writes to clients that have left */
        return cmocka_run_group_tests(tests, NULL, NULL);
}
