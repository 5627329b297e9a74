/* client.c against small listeners, each with its own bad manners, and one deadline over all. */
#include "harness.h"

#include "hamon/client.h"

enum { TIMEOUT = 1500 };

static struct fixture {
        struct tmp tmp;
        pid_t server;
} fx;

static int setup(void **state)
{
        (void)state;
        fx = (struct fixture){ .server = 0 };
        return tmp_make(&fx.tmp);
}

static int teardown(void **state)
{
        (void)state;
        end_child(&fx.server);
        tmp_remove(&fx.tmp);
        return 0;
}

/* What a server does with its n-th client (from 0); the socket is closed afterwards. */
typedef void (*serve_fn)(int fd, unsigned n);

static void wait_for_question(int fd)
{
        char line[1024];
        size_t len = 0;

        while (len == 0 || line[len - 1] != '\n') {
                ssize_t n = read(fd, line + len, sizeof line - len);
                if (n <= 0)
                        _exit(2);
                len += (size_t)n;
        }
}

static void tell(int fd, const char *text)
{
        if (write(fd, text, strlen(text)) < 0)
                _exit(2);
}

static void serve_answer(int fd, unsigned n)
{
        (void)n;
        wait_for_question(fd);
        tell(fd, "fit role=standby reason=ok\n");
}

static void serve_in_pieces(int fd, unsigned n)
{
        (void)n;
        wait_for_question(fd);
        for (const char *p = "one two three\n"; *p; p++) {
                char c[2] = { *p, '\0' };
                tell(fd, c);
                nap();
        }
}

static void serve_never(int fd, unsigned n)
{
        (void)n;
        wait_for_question(fd);
        pause();
        close(fd);
}

static void serve_half(int fd, unsigned n)
{
        (void)n;
        wait_for_question(fd);
        tell(fd, "fit role=");
        pause();
}

static void serve_hang_up(int fd, unsigned n)
{
        (void)n;
        wait_for_question(fd);
}

static void serve_hang_up_at_once(int fd, unsigned n)
{
        (void)n;
        shutdown(fd, SHUT_RDWR);
}

static void serve_second_time(int fd, unsigned n)
{
        wait_for_question(fd);
        if (n > 0)
                tell(fd, "ok\n");
}

static void serve_starting(int fd, unsigned n)
{
        wait_for_question(fd);
        tell(fd, n < 4 ? "unknown role=standby reason=starting age_ms=0\n" : "fit reason=ok\n");
}

static void serve_starting_for_ever(int fd, unsigned n)
{
        (void)n;
        wait_for_question(fd);
        tell(fd, "unknown role=standby reason=starting age_ms=0\n");
}

static void serve_endless(int fd, unsigned n)
{
        char block[4096];

        (void)n;
        wait_for_question(fd);
        memset(block, 'x', sizeof block);
        while (send(fd, block, sizeof block, MSG_NOSIGNAL) > 0)
                ;
}

/* A child serves one client after the other; `fn` NULL: it never accepts. */
static void serve_on(int listener, serve_fn fn)
{
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        signal(SIGPIPE, SIG_IGN);
        for (unsigned n = 0;; n++) {
                if (!fn)
                        pause(); /* for ever */
                int fd = accept(listener, NULL, NULL);
                if (fd < 0)
                        _exit(1);
                fn(fd, n);
                close(fd);
        }
}

static void serve(serve_fn fn)
{
        int listener = unix_listen(at(&fx.tmp, "sock"), 8);

        assert_true(listener >= 0);
        fx.server = fork();
        assert_true(fx.server >= 0);
        if (fx.server == 0)
                serve_on(listener, fn);
        close(listener);
}

/* The same, but the socket appears only after `ms`. */
static void serve_later(serve_fn fn, int ms)
{
        char path[160];

        str_copy(path, sizeof path, at(&fx.tmp, "sock"));
        fx.server = fork();
        assert_true(fx.server >= 0);
        if (fx.server > 0)
                return;
        poll(NULL, 0, ms);
        serve_on(unix_listen(path, 8), fn);
}

static int ask(const char *not_yet, msec_t timeout, struct buf *answer, msec_t *ret_took)
{
        msec_t start = clock_ms();

        int r = client_ask_until(at(&fx.tmp, "sock"), "check", not_yet, timeout, answer);
        *ret_took = clock_ms() - start;
        return r;
}

static const struct talk {
        const char *name;
        serve_fn fn;
        const char *not_yet;
        int timeout;
        int result;
        const char *answer;
        int at_least, at_most; /* ms; -1 = not asked */
} TALKS[] = {
        { "answers", serve_answer, NULL, TIMEOUT, 0, "fit role=standby reason=ok\n", 0, TIMEOUT },
        { "answers in pieces", serve_in_pieces, NULL, TIMEOUT, 0, "one two three\n", 0, TIMEOUT },
        { "never answers", serve_never, NULL, 200, -ETIMEDOUT, "", 200, 1000 },
        { "never accepts", NULL, NULL, 200, -ETIMEDOUT, "", 200, 1000 },
        { "stops within the answer", serve_half, NULL, 200, -ETIMEDOUT, "fit role=", 200, 1000 },
        { "hangs up", serve_hang_up, NULL, TIMEOUT, -EPROTO, "", 250, TIMEOUT },
        { "hangs up at once", serve_hang_up_at_once, NULL, TIMEOUT, -EPROTO, "", 250, TIMEOUT },
        { "hangs up once", serve_second_time, NULL, TIMEOUT, 0, "ok\n", 0, TIMEOUT },
        { "is just starting", serve_starting, " reason=starting ", TIMEOUT, 0, "fit reason=ok\n",
          40, TIMEOUT },
        { "is starting, and we do not mind", serve_starting, NULL, TIMEOUT, 0,
          "unknown role=standby reason=starting age_ms=0\n", 0, TIMEOUT },
        { "is starting for ever", serve_starting_for_ever, " reason=starting ", 300, 0,
          "unknown role=standby reason=starting age_ms=0\n", 200, 1000 },
        { "never ends", serve_endless, NULL, TIMEOUT, -EFBIG, NULL, 0, TIMEOUT },
};

static void test_talks(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(TALKS); i++) {
                const struct talk *t = &TALKS[i];
                CLEANUP(buf_done) struct buf answer = BUF(64 * 1024);
                msec_t took;

                unlink(at(&fx.tmp, "sock"));
                serve(t->fn);
                int r = ask(t->not_yet, t->timeout, &answer, &took);
                end_child(&fx.server);
                if (r != t->result || (t->answer && strcmp(buf_str(&answer), t->answer) != 0))
                        fail_msg("%s: %d \"%s\"", t->name, r, buf_str(&answer));
                if (took < t->at_least - 20 || took > t->at_most + 1000)
                        fail_msg("%s: took %d ms", t->name, (int)took);
        }
}

static void test_no_socket(void **state)
{
        CLEANUP(buf_done) struct buf answer = BUF(1024);
        msec_t took;

        (void)state;
        assert_int_equal(ask(NULL, TIMEOUT, &answer, &took), -ENOENT);
        assert_in_range(took, 280, TIMEOUT); /* it might have been a restart */
        assert_int_equal(ask(NULL, 100, &answer, &took), -ENOENT);
        assert_in_range(took, 30, 1000); /* never more than half of a short timeout */
}

static void test_refuses(void **state)
{
        CLEANUP(buf_done) struct buf answer = BUF(1024);
        msec_t took;

        (void)state;
        close(unix_listen(at(&fx.tmp, "sock"), 1));
        assert_int_equal(ask(NULL, TIMEOUT, &answer, &took), -ECONNREFUSED);
        assert_in_range(took, 280, TIMEOUT);
}

/* systemd starts it again within 200 ms: nobody notices. */
static void test_restart(void **state)
{
        CLEANUP(buf_done) struct buf answer = BUF(1024);
        msec_t took;

        (void)state;
        serve_later(serve_answer, 100);
        assert_int_equal(ask(NULL, TIMEOUT, &answer, &took), 0);
        assert_string_equal(buf_str(&answer), "fit role=standby reason=ok\n");
}

/* A stopped daemon whose queue of new connections is full: connect() says EAGAIN for ever. */
static void test_full_queue(void **state)
{
        CLEANUP(buf_done) struct buf answer = BUF(1024);
        int fds[16];
        size_t n = 0;
        msec_t took;

        (void)state;
        int listener = unix_listen(at(&fx.tmp, "sock"), 1);
        while (n < ARRAY_SIZE(fds) && (fds[n] = unix_connect(at(&fx.tmp, "sock"))) >= 0)
                n++;
        assert_true(n < ARRAY_SIZE(fds));
        assert_int_equal(ask(NULL, 200, &answer, &took), -ETIMEDOUT);
        assert_in_range(took, 150, 1000);
        while (n > 0)
                close(fds[--n]);
        close(listener);
}

static void test_limits(void **state)
{
        CLEANUP(buf_done) struct buf answer = BUF(1024);
        char path[200], request[2000];

        (void)state;
        memset(path, 'p', sizeof path - 1);
        path[sizeof path - 1] = '\0';
        assert_int_equal(client_ask(path, "check", TIMEOUT, &answer), -ENAMETOOLONG);

        memset(request, 'r', sizeof request - 1);
        request[sizeof request - 1] = '\0';
        int listener = unix_listen(at(&fx.tmp, "sock"), 16); /* stays: nobody refuses */
        assert_int_equal(client_ask(at(&fx.tmp, "sock"), request, TIMEOUT, &answer), -EMSGSIZE);
        assert_int_equal(client_ask(at(&fx.tmp, "sock"), "check", 0, &answer), -ETIMEDOUT);
        close(listener);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                T(test_talks),   T(test_no_socket),  T(test_refuses),
                T(test_restart), T(test_full_queue), T(test_limits),
        };

        signal(SIGPIPE, SIG_IGN);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
