/* control.c over its real socket: every request, clients that are slow, silent, many or hostile,
 * who may say what, and whose socket it is. */
#include "harness.h"

#include "hamon/control.h"
#include <sys/file.h>

static struct fixture {
        struct tmp tmp;
        struct loop loop;
        struct control *control;
        unsigned calls;
        size_t answer_size; /* 0 = a short answer */
} fx;

static void on_request(void *arg, enum request req, const char *words, struct buf *out)
{
        assert_ptr_equal(arg, &fx);
        fx.calls++;
        for (size_t i = 0; i < fx.answer_size; i += 16)
                buf_adds(out, "0123456789abcde\n");
        if (fx.answer_size == 0)
                buf_addf(out, "%d[%s]\n", (int)req, words);
}

static int setup(void **state)
{
        (void)state;
        fx = (struct fixture){ .calls = 0 };
        if (tmp_make(&fx.tmp) < 0 || loop_init(&fx.loop) < 0)
                return -1;
        return control_new(&fx.loop, at(&fx.tmp, "sock"), on_request, &fx, &fx.control);
}

static int teardown(void **state)
{
        (void)state;
        control_free(fx.control);
        loop_done(&fx.loop);
        tmp_remove(&fx.tmp);
        return 0;
}

static void turn(void)
{
        fx.loop.now_valid = false;
        event_base_loop(fx.loop.base, EVLOOP_NONBLOCK);
}

/* ---- control_parse ---- */

static const struct parse_case {
        const char *line;
        bool root;
        int result;
        enum request req;
        const char *words;
} PARSES[] = {
        { "check", false, 0, REQ_CHECK, "" },
        { "check", true, 0, REQ_CHECK, "" },
        { "status", false, 0, REQ_STATUS, "" },
        { "status-json", false, 0, REQ_STATUS_JSON, "" },
        { "galera", false, 0, REQ_GALERA, "" },
        { "galera --status Synced", false, 0, REQ_GALERA, "--status Synced" },
        { "notify MASTER", true, 0, REQ_NOTIFY, "MASTER" },
        { "notify  MASTER", true, 0, REQ_NOTIFY, " MASTER" },
        { "notify", true, 0, REQ_NOTIFY, "" },
        { "notify MASTER", false, -EPERM, REQ_COUNT_, NULL },
        { "notify", false, -EPERM, REQ_COUNT_, NULL },
        { "check now", true, -EINVAL, REQ_COUNT_, NULL },
        { "check ", true, -EINVAL, REQ_COUNT_, NULL },
        { "status-jsonx", true, -EINVAL, REQ_COUNT_, NULL },
        { "statu", true, -EINVAL, REQ_COUNT_, NULL },
        { " check", true, -EINVAL, REQ_COUNT_, NULL },
        { "CHECK", true, -EINVAL, REQ_COUNT_, NULL },
        { "check\r", true, -EINVAL, REQ_COUNT_, NULL },
        { "", true, -EINVAL, REQ_COUNT_, NULL },
        { " ", true, -EINVAL, REQ_COUNT_, NULL },
        { "run", true, -EINVAL, REQ_COUNT_, NULL },
};

static void test_parse(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(PARSES); i++) {
                const struct parse_case *c = &PARSES[i];
                enum request req = REQ_COUNT_;
                const char *words = NULL;

                int r = control_parse(c->line, c->root, &req, &words);
                if (r != c->result || req != c->req || !str_eq(words, c->words))
                        fail_msg("\"%s\": %d, request %d, words %s", c->line, r, (int)req,
                                 words ? words : "none");
        }
}

/* ---- one client ---- */

static int dial(void)
{
        int fd = unix_connect(at(&fx.tmp, "sock"));

        assert_true(fd >= 0);
        return fd;
}

static void say(int fd, const char *text, size_t len)
{
        assert_int_equal(send(fd, text, len, MSG_NOSIGNAL), len);
}

/* Read on until the daemon hangs up; all it said is in `got`. */
static bool finished(int fd, struct buf *got)
{
        static char chunk[64 * 1024];

        turn();
        ssize_t n = recv(fd, chunk, sizeof chunk, 0);
        if (n > 0)
                buf_add(got, chunk, (size_t)n);
        return n == 0 || (n < 0 && errno == ECONNRESET);
}

static void assert_answer(const char *text, size_t len, const char *want)
{
        CLEANUP(buf_done) struct buf got = BUF(4096);
        CLEANUP(closep) int fd = dial();

        say(fd, text, len);
        EVENTUALLY(finished(fd, &got));
        assert_string_equal(buf_str(&got), want);
}

#define ASK(text, want) assert_answer(text, sizeof(text) - 1, want)

static void test_requests(void **state)
{
        (void)state;
        ASK("check\n", "0[]\n");
        ASK("status\n", "1[]\n");
        ASK("status-json\n", "2[]\n");
        ASK("galera --status Synced\n", "4[--status Synced]\n");
        if (geteuid() == 0)
                ASK("notify INSTANCE \"VI 1\" MASTER 100\n", "3[INSTANCE \"VI 1\" MASTER 100]\n");
        assert_int_equal(fx.calls, geteuid() == 0 ? 5 : 4);
}

static void test_nonsense(void **state)
{
        (void)state;
        ASK("\n", "error: unknown request\n");
        ASK("reboot\n", "error: unknown request\n");
        ASK("check\0\n", "error: unknown request\n");
        ASK("galera a\0b\n", "error: unknown request\n");
        ASK("\0check\n", "error: unknown request\n");
        assert_int_equal(fx.calls, 0);
}

static void test_one_answer_per_client(void **state)
{
        (void)state;
        ASK("check\nstatus\ncheck\n", "0[]\n");
        assert_int_equal(fx.calls, 1);
}

static void test_line_length(void **state)
{
        char line[CONTROL_MAX_LINE + 2], want[CONTROL_MAX_LINE + 8];

        (void)state;
        memset(line, 'x', sizeof line);
        for (size_t i = 0; i < 7; i++)
                line[i] = "galera "[i];
        line[CONTROL_MAX_LINE] = '\n'; /* the longest line there may be */
        snprintf(want, sizeof want, "4[%.*s]\n", CONTROL_MAX_LINE - 7, line + 7);
        assert_answer(line, CONTROL_MAX_LINE + 1, want);

        line[CONTROL_MAX_LINE] = 'x';
        line[CONTROL_MAX_LINE + 1] = '\n'; /* one more: it hangs up */
        assert_answer(line, CONTROL_MAX_LINE + 2, "");
        assert_int_equal(fx.calls, 1);
}

static void test_in_pieces(void **state)
{
        CLEANUP(buf_done) struct buf got = BUF(4096);
        CLEANUP(closep) int fd = dial();

        (void)state;
        for (const char *p = "check\n"; *p; p++) {
                say(fd, p, 1);
                assert_false(finished(fd, &got));
        }
        EVENTUALLY(finished(fd, &got));
        assert_string_equal(buf_str(&got), "0[]\n");
}

/* The client shuts its half down after the question, as `socat` does. */
static void test_half_closed(void **state)
{
        CLEANUP(buf_done) struct buf got = BUF(4096);
        CLEANUP(closep) int fd = dial();

        (void)state;
        say(fd, "check\n", 6);
        assert_int_equal(shutdown(fd, SHUT_WR), 0);
        EVENTUALLY(finished(fd, &got));
        assert_string_equal(buf_str(&got), "0[]\n");
}

static void test_half_a_line(void **state)
{
        CLEANUP(buf_done) struct buf got = BUF(4096);
        CLEANUP(closep) int fd = dial();

        (void)state;
        say(fd, "chec", 4);
        assert_int_equal(shutdown(fd, SHUT_WR), 0);
        EVENTUALLY(finished(fd, &got));
        assert_int_equal(got.len, 0);
        assert_int_equal(fx.calls, 0);
}

static void test_hangs_up_early(void **state)
{
        (void)state;
        fx.answer_size = 512 * 1024;
        for (int i = 0; i < 20; i++) {
                int fd = dial();
                say(fd, "status\n", 7);
                close(fd); /* nobody will read it */
                turn();
        }
        fx.answer_size = 0;
        ASK("check\n", "0[]\n");
}

/* ---- slow and many ---- */

static void test_big_answer_slow_reader(void **state)
{
        CLEANUP(buf_done) struct buf got = BUF(8 * 1024 * 1024);
        CLEANUP(closep) int fd = dial();

        (void)state;
        fx.answer_size = 2 * 1024 * 1024;
        say(fd, "status\n", 7);
        EVENTUALLY(finished(fd, &got));
        assert_int_equal(got.len, fx.answer_size);
}

static void test_answer_too_big(void **state)
{
        (void)state;
        fx.answer_size = CONTROL_MAX_ANSWER + 16;
        ASK("status\n", ""); /* rather nothing than a part */
}

/* Silent, trickling and not reading: each is gone after two seconds, and meanwhile others are
 * served. */
static void test_deadline(void **state)
{
        CLEANUP(buf_done) struct buf got = BUF(8 * 1024 * 1024);
        CLEANUP(closep) int silent = dial();
        CLEANUP(closep) int trickles = dial();
        CLEANUP(closep) int reads_nothing = dial();
        bool silent_gone = false, trickles_gone = false;

        (void)state;
        fx.answer_size = 3 * 1024 * 1024;
        say(reads_nothing, "status\n", 7);
        EVENTUALLY(fx.calls == 1 || (turn(), false));
        fx.answer_size = 0;
        ASK("check\n", "0[]\n");

        msec_t start = clock_ms(), last = start;
        while (!silent_gone || !trickles_gone) {
                if (clock_ms() - start > PATIENCE_MS)
                        fail_msg("a slow client was kept for ever");
                if (clock_ms() - last > 200) { /* never idle for long */
                        last = clock_ms();
                        if (send(trickles, "x", 1, MSG_NOSIGNAL) < 0)
                                trickles_gone = true;
                }
                silent_gone = silent_gone || finished(silent, &got);
                trickles_gone = trickles_gone || finished(trickles, &got);
                nap();
        }
        assert_int_equal(got.len, 0);
        EVENTUALLY(finished(reads_nothing, &got));
        assert_true(got.len < 3 * 1024 * 1024); /* the rest died with its deadline */
}

/* All places taken: more are turned away at once, and let in as soon as one is free. */
static void test_many(void **state)
{
        CLEANUP(buf_done) struct buf got = BUF(4096);
        const size_t most = geteuid() == 0 ? CONTROL_MAX_CLIENTS : CONTROL_MAX_CLIENTS / 2;
        int fds[CONTROL_MAX_CLIENTS];

        (void)state;
        for (size_t i = 0; i < most; i++) {
                fds[i] = dial();
                turn();
        }
        int extra = dial();
        EVENTUALLY(finished(extra, &got));
        close(extra);
        assert_int_equal(got.len, 0);

        for (size_t i = 0; i < most; i++) { /* the others were not harmed */
                buf_reset(&got);
                say(fds[i], "check\n", 6);
                EVENTUALLY(finished(fds[i], &got));
                assert_string_equal(buf_str(&got), "0[]\n");
                close(fds[i]);
        }
        ASK("check\n", "0[]\n");
}

/* ---- who ---- */

/* A child that is nobody: says `line` over `n` connections and tells by its exit code if each of
 * them got an answer starting with `want`. */
static int as_nobody(unsigned n, const char *line, const char *want)
{
        pid_t pid = fork();
        int code = -1;

        if (pid == 0) {
                int fds[CONTROL_MAX_CLIENTS];
                char got[128] = "";

                prctl(PR_SET_PDEATHSIG, SIGKILL);
                if (setgid(65534) < 0 || setuid(65534) < 0)
                        _exit(3);
                for (unsigned i = 0; i < n; i++)
                        if ((fds[i] = unix_connect(at(&fx.tmp, "sock"))) < 0)
                                _exit(4);
                struct pollfd p = { .fd = fds[n - 1], .events = POLLIN };
                if (write(fds[n - 1], line, strlen(line)) < 0)
                        _exit(5);
                if (poll(&p, 1, PATIENCE_MS) != 1 || read(p.fd, got, sizeof got - 1) < 0)
                        _exit(6);
                _exit(strncmp(got, want, strlen(want)) == 0 ? 0 : 7);
        }
        assert_true(pid > 0);
        EVENTUALLY((turn(), code = ended(&pid)) >= 0);
        return code;
}

static void test_others_than_root(void **state)
{
        (void)state;
        if (geteuid() != 0)
                skip();
        assert_int_equal(chmod(fx.tmp.path, 0755), 0);
        assert_int_equal(as_nobody(1, "check\n", "0[]\n"), 0);
        assert_int_equal(as_nobody(1, "galera\n", "4[]\n"), 0);
        assert_int_equal(as_nobody(1, "notify MASTER\n", "error: only root may do this\n"), 0);
        assert_int_equal(fx.calls, 2);
}

/* Others may not crowd out root, whose `hamon check` decides whether this node stays master. */
static void test_places_for_root(void **state)
{
        int go[2];
        char ready;

        (void)state;
        if (geteuid() != 0)
                skip();
        assert_int_equal(chmod(fx.tmp.path, 0755), 0);
        assert_int_equal(pipe(go), 0);
        pid_t pid = fork();
        if (pid == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                if (setgid(65534) < 0 || setuid(65534) < 0)
                        _exit(3);
                for (int i = 0; i < CONTROL_MAX_CLIENTS - 1; i++)
                        unix_connect(at(&fx.tmp, "sock"));
                if (write(go[1], "g", 1) != 1)
                        _exit(4);
                pause();
        }
        assert_true(pid > 0);
        fcntl(go[0], F_SETFL, O_NONBLOCK);
        EVENTUALLY((turn(), read(go[0], &ready, 1) == 1));
        for (int i = 0; i < 8; i++)
                ASK("check\n", "0[]\n");
        end_child(&pid);
        close(go[0]);
        close(go[1]);
}

/* ---- whose socket ---- */

static int second(struct control **ret)
{
        return control_new(&fx.loop, at(&fx.tmp, "sock"), on_request, &fx, ret);
}

static void test_second_daemon(void **state)
{
        struct control *other = NULL;

        (void)state;
        assert_int_equal(second(&other), -EADDRINUSE);
        assert_null(other);
        ASK("check\n", "0[]\n"); /* the first was not disturbed */
}

static void test_leftover_socket(void **state)
{
        struct stat st;

        (void)state;
        control_free(fx.control);
        fx.control = NULL;
        assert_int_equal(stat(at(&fx.tmp, "sock"), &st), -1); /* a clean end leaves none */

        int dead = unix_listen(at(&fx.tmp, "sock"), 1);
        close(dead); /* killed: the file stays, and refuses */
        assert_int_equal(unix_connect(at(&fx.tmp, "sock")), -1);
        assert_int_equal(second(&fx.control), 0);
        assert_int_equal(stat(at(&fx.tmp, "sock"), &st), 0);
        assert_int_equal(st.st_mode & 0777, 0666);
        ASK("check\n", "0[]\n");
}

static void test_not_a_socket(void **state)
{
        (void)state;
        control_free(fx.control);
        fx.control = NULL;
        put_file(at(&fx.tmp, "sock"), "precious");
        assert_int_equal(second(&fx.control), -EEXIST);
        assert_true(file_holds(at(&fx.tmp, "sock"), "precious"));
}

static void test_paths(void **state)
{
        struct control *c = NULL;
        char path[300];

        (void)state;
        snprintf(path, sizeof path, "%s/a/b/sock", fx.tmp.path); /* makes the directories */
        assert_int_equal(control_new(&fx.loop, path, on_request, &fx, &c), 0);
        control_free(c);

        int n = snprintf(path, sizeof path, "%s/", fx.tmp.path);
        memset(path + n, 'x', 107 - (size_t)n);
        path[107] = '\0'; /* the longest there is */
        assert_int_equal(control_new(&fx.loop, path, on_request, &fx, &c), 0);
        control_free(c);
        path[107] = 'x';
        path[108] = '\0';
        assert_int_equal(control_new(&fx.loop, path, on_request, &fx, &c), -ENAMETOOLONG);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                T(test_parse),
                T(test_requests),
                T(test_nonsense),
                T(test_one_answer_per_client),
                T(test_line_length),
                T(test_in_pieces),
                T(test_half_closed),
                T(test_half_a_line),
                T(test_hangs_up_early),
                T(test_big_answer_slow_reader),
                T(test_answer_too_big),
                T(test_deadline),
                T(test_many),
                T(test_others_than_root),
                T(test_places_for_root),
                T(test_second_daemon),
                T(test_leftover_socket),
                T(test_not_a_socket),
                T(test_paths),
        };

        signal(SIGPIPE, SIG_IGN);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
