/* The HTTP client's calls: streams, many at once, what callbacks may do, cancel and free. */
#include "http_fixture.h"

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

int main(void)
{
        const struct CMUnitTest tests[] = {
                ROW(test_stream), ROW(test_many_at_once),   ROW(test_act_in_callbacks),
                ROW(test_cancel), ROW(test_free_under_way), ROW(test_no_inheritance),
        };

        signal(SIGPIPE, SIG_IGN); /* the server writes to clients that have left */
        return cmocka_run_group_tests(tests, NULL, NULL);
}
