/* The real programs from $MHA_BIN, run as a user, keepalived or MariaDB would: what they print and
 * how they end. The daemon itself is test_daemon's business. */
#include "harness.h"

#include "hamon/config.h"

#define NO_DAEMON                                                         \
        "unknown role=unknown reason=no_daemon age_ms=-1 msg=\"hamon is " \
        "not running on this node\"\n"

static struct fixture {
        struct tmp tmp;
        char hamon[512], conf[160];
        struct ran ran;
        pid_t child;
} fx;

static void write_config(const char *more)
{
        put_file(fx.conf,
                 "[node]\nname = n1\n[mailcow]\ndir = %s\n[control]\nsocket = %s/sock\n"
                 "[docker]\nsocket = %s/docker.sock\n[galera]\npassword_file =\nport = 1\n"
                 "[keepalived]\ntrack_file = %s/track\nfifo = %s/fifo\nstate_file = %s/vrrp\n%s",
                 fx.tmp.path, fx.tmp.path, fx.tmp.path, fx.tmp.path, fx.tmp.path, fx.tmp.path,
                 more);
}

static int setup(void **state)
{
        (void)state;
        fx.child = 0;
        if (tmp_make(&fx.tmp) < 0)
                return -1;
        str_copy(fx.hamon, sizeof fx.hamon, program("hamon"));
        str_copy(fx.conf, sizeof fx.conf, at(&fx.tmp, "hamon.conf"));
        write_config("");
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        end_child(&fx.child);
        tmp_remove(&fx.tmp);
        return 0;
}

#define HAMON(...)      RUN(&fx.tmp, &fx.ran, fx.hamon, __VA_ARGS__)
#define HAMON_CONF(...) HAMON("-c", fx.conf, __VA_ARGS__)

static void assert_ran(int code, const char *out_part, const char *err_part)
{
        if (fx.ran.code != code || (out_part ? !strstr(fx.ran.out, out_part) : *fx.ran.out) ||
            (err_part ? !strstr(fx.ran.err, err_part) : *fx.ran.err))
                fail_msg("exit %d (want %d)\nstdout: %s\nstderr: %s", fx.ran.code, code, fx.ran.out,
                         fx.ran.err);
}

/* ---- help, version, mistakes ---- */

static void test_help(void **state)
{
        static const char *const WAYS[] = { "help", "--help", "-h" };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(WAYS); i++) {
                HAMON(WAYS[i]);
                assert_ran(0, "usage: hamon [-c FILE] COMMAND", NULL);
                assert_non_null(strstr(fx.ran.out, "check [--direct]"));
                assert_non_null(strstr(fx.ran.out, "notify-galera"));
                assert_non_null(strstr(fx.ran.out, CONFIG_FILE));
        }
        HAMON("help", "check");
        assert_ran(0, "usage: hamon [-c FILE] check [--direct]\n", NULL);
        HAMON("help", "nonsense");
        assert_ran(64, NULL, "unknown command: nonsense");
}

static void test_version(void **state)
{
        static const char *const WAYS[] = { "version", "--version", "-V" };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(WAYS); i++) {
                HAMON(WAYS[i]);
                assert_ran(0, "hamon " MHA_VERSION "\n", NULL);
        }
}

static const struct mistake {
        const char *args[4];
        const char *error;
} MISTAKES[] = {
        { { "nonsense" }, "unknown command: nonsense" },
        { { "-c" }, "unknown command: -c" },
        { { "" }, "unknown command: " },
        { { "check", "--json" }, "check: unexpected argument: --json" },
        { { "check", "now" }, "check: unexpected argument: now" },
        { { "check", "--direct", "now" }, "check: unexpected argument: now" },
        { { "check", "now", "--direct" }, "check: unexpected argument: now" },
        { { "status", "--direct" }, "status: unexpected argument: --direct" },
        { { "status", "--json", "x" }, "status: unexpected argument: x" },
        { { "config", "--default" }, "config: unexpected argument: --default" },
        { { "config", "--defaults", "x" }, "config: unexpected argument: x" },
        { { "notify" }, "notify: missing argument: MASTER|BACKUP|FAULT|STOP" },
        { { "notify", "MASTER\nstatus" }, "not a VRRP state" },
        { { "run", "--now" }, "run: unexpected argument: --now" },
        { { "run", "--direct" }, "run: unexpected argument: --direct" },
};

static void test_mistakes(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(MISTAKES); i++) {
                const char *argv[6] = { fx.hamon };
                for (size_t k = 0; k < ARRAY_SIZE(MISTAKES[i].args) && MISTAKES[i].args[k]; k++)
                        argv[k + 1] = MISTAKES[i].args[k];
                run_as(&fx.tmp, 0, &fx.ran, argv);
                assert_ran(64, NULL, MISTAKES[i].error);
                assert_non_null(strstr(fx.ran.err, "hamon help"));
        }
        RUN(&fx.tmp, &fx.ran, fx.hamon);
        assert_ran(64, "usage: hamon", NULL);
        RUN(&fx.tmp, &fx.ran, fx.hamon, "notify", "x", "y"); /* 64 by way of the daemon: none */
        assert_int_not_equal(fx.ran.code, 0);
}

static void test_engine_alone(void **state)
{
        (void)state;
        RUN(&fx.tmp, &fx.ran, program("hamond"));
        assert_ran(64, NULL, "started by hamon");
        RUN(&fx.tmp, &fx.ran, program("hamond"), "status");
        assert_ran(64, NULL, "started by hamon");
}

/* The verbs of the contract are all there. */
static void test_every_command(void **state)
{
        static const char *const VERBS[] = { "run",    "check",         "status",  "config",
                                             "notify", "notify-galera", "version", "help" };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(VERBS); i++) {
                char usage[80];
                snprintf(usage, sizeof usage, "usage: hamon [-c FILE] %s ", VERBS[i]);
                HAMON("help", VERBS[i]);
                assert_ran(0, usage, NULL);
        }
}

/* ---- configuration ---- */

static void test_bad_config(void **state)
{
        static const char *const VERBS[][2] = { { "check" },  { "check", "--direct" },
                                                { "status" }, { "config" },
                                                { "run" },    { "notify", "MASTER" } };
        char where[256];

        (void)state;
        write_config("[check]\ngrace = 10\n");
        snprintf(where, sizeof where, "%s:17: ", fx.conf);
        for (size_t i = 0; i < ARRAY_SIZE(VERBS); i++) {
                HAMON_CONF(VERBS[i][0], VERBS[i][1]);
                assert_ran(78, NULL, where);
                assert_non_null(strstr(fx.ran.err, "ms, s, m, h")); /* what is allowed */
        }
        HAMON("-c", at(&fx.tmp, "none"), "check");
        assert_ran(78, NULL, "none");
        HAMON("-c", fx.tmp.path, "check"); /* a directory */
        assert_ran(78, NULL, fx.tmp.path);
}

static void test_environment(void **state)
{
        (void)state;
        setenv("HAMON_CHECK_RISE", "zero", 1);
        HAMON_CONF("config");
        unsetenv("HAMON_CHECK_RISE");
        assert_ran(78, NULL, "HAMON_CHECK_RISE");
}

static void test_config(void **state)
{
        (void)state;
        HAMON_CONF("config");
        assert_ran(0, "[docker]\n", NULL);
        assert_non_null(strstr(fx.ran.out, "; file:2\n")); /* node.name */
        assert_non_null(strstr(fx.ran.out, "; default\n"));
        put_file(at(&fx.tmp, "again"), "%s", fx.ran.out); /* what is printed can be read back */
        HAMON("-c", at(&fx.tmp, "again"), "config");
        assert_ran(0, "name = n1", NULL);
}

/* The commented defaults are a valid file, and so they are with every comment mark of a key taken
 * away: the values are the defaults then too. */
static void test_config_defaults(void **state)
{
        CLEANUP(buf_done) struct buf file = BUF(256 * 1024);
        static struct ran plain;

        (void)state;
        HAMON("config", "--defaults");
        assert_ran(0, "[stack]\n", NULL);
        for (size_t i = 0; i < CONFIG_SPEC.n_options; i++) {
                char line[80];
                snprintf(line, sizeof line, "\n#%s =", CONFIG_SPEC.options[i].key);
                assert_non_null(strstr(fx.ran.out, line));
        }
        put_file(at(&fx.tmp, "defaults"), "%s", fx.ran.out);
        RUN(&fx.tmp, &plain, fx.hamon, "-c", at(&fx.tmp, "defaults"), "config");
        assert_int_equal(plain.code, 0);
        assert_null(strstr(plain.out, "; file:"));

        for (const char *p = fx.ran.out; *p;) {
                size_t len = strcspn(p, "\n") + 1;
                bool key = p[0] == '#' && p[1] != ' ';
                bool more = p[0] == '#' && strncmp(p, "#    ", 5) == 0;
                buf_add(&file, p + (key || more), len - (key || more));
                p += len;
        }
        put_file(at(&fx.tmp, "plain"), "%s", buf_str(&file));
        HAMON("-c", at(&fx.tmp, "plain"), "config");
        assert_ran(0, "; file:", NULL);
        assert_null(strstr(fx.ran.out, "; default"));
}

/* ---- asking ---- */

static void test_no_daemon(void **state)
{
        (void)state;
        HAMON_CONF("check");
        assert_int_equal(fx.ran.code, 2);
        assert_string_equal(fx.ran.out, NO_DAEMON);
        assert_string_equal(fx.ran.err, "");
        HAMON_CONF("status");
        assert_ran(69, NULL, "status: hamon is not running on this node");
        HAMON_CONF("status", "--json");
        assert_ran(69, NULL, "status: hamon is not running on this node");
        HAMON_CONF("notify", "MASTER");
        assert_ran(69, NULL, "notify: hamon is not running on this node");
        HAMON_CONF("notify-galera", "--status", "Synced"); /* no fault of the database's */
        assert_ran(0, NULL, "notify-galera: ");
}

/* MariaDB's container has the socket, not the configuration. */
static void test_notify_galera_without_config(void **state)
{
        (void)state;
        HAMON("-c", at(&fx.tmp, "none"), "notify-galera", "--view", "x");
        assert_int_equal(fx.ran.code, 0);
}

/* A daemon's double: answers every question with the same bytes, or never. */
static void answer_with(const char *text)
{
        int listener = unix_listen(at(&fx.tmp, "sock"), 8);

        assert_true(listener >= 0);
        fx.child = fork();
        assert_true(fx.child >= 0);
        if (fx.child == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                for (;;) {
                        char line[1024];
                        int fd = accept(listener, NULL, NULL);
                        if (text && read(fd, line, sizeof line) > 0 &&
                            write(fd, text, strlen(text)) < 0)
                                _exit(1);
                        if (text)
                                close(fd);
                }
        }
        close(listener);
}

static const struct answer_case {
        const char *answer;
        int code;
        const char *out; /* NULL = no_daemon */
} ANSWERS[] = {
        { "fit role=standby reason=ok age_ms=5 msg=\"fine\"\n", 0,
          "fit role=standby reason=ok age_ms=5 msg=\"fine\"\n" },
        { "unfit role=master reason=galera_off age_ms=5 msg=\"x\"\n", 1,
          "unfit role=master reason=galera_off age_ms=5 msg=\"x\"\n" },
        { "unknown role=standby reason=stale age_ms=5 msg=\"x\"\n", 2,
          "unknown role=standby reason=stale age_ms=5 msg=\"x\"\n" },
        { "fit role=standby reason=ok age_ms=5 ms", 2, NULL }, /* cut off */
        { "fitter role=standby\n", 2, NULL },
        { "error: unknown request\n", 2, NULL },
        { "\n", 2, NULL },
};

static void test_answers(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(ANSWERS); i++) {
                const struct answer_case *c = &ANSWERS[i];
                unlink(at(&fx.tmp, "sock"));
                answer_with(c->answer);
                HAMON_CONF("check");
                end_child(&fx.child);
                assert_int_equal(fx.ran.code, c->code);
                assert_string_equal(fx.ran.out, c->out ? c->out : NO_DAEMON);
        }
}

static void test_errors_of_the_daemon(void **state)
{
        (void)state;
        answer_with("error: only root may do this\n");
        HAMON_CONF("notify", "MASTER");
        assert_ran(77, NULL, "notify: error: only root may do this");
        HAMON_CONF("status");
        assert_ran(77, NULL, "status: only root may do this");
        end_child(&fx.child);
        unlink(at(&fx.tmp, "sock"));
        answer_with("error: want MASTER, BACKUP, FAULT or STOP\n");
        HAMON_CONF("notify", "SLAVE");
        assert_ran(64, NULL, "want MASTER");
}

static void test_daemon_that_never_answers(void **state)
{
        (void)state;
        answer_with(NULL);
        write_config("[check]\ntimeout = 300ms\n");
        msec_t start = clock_ms();
        HAMON_CONF("check");
        msec_t took = clock_ms() - start;
        assert_ran(2,
                   "unknown role=unknown reason=timeout age_ms=-1 msg=\"hamon did not answer in "
                   "time\"\n",
                   NULL);
        assert_in_range(took, 200, 2000);
        HAMON_CONF("status");
        assert_ran(69, NULL, "status: hamon did not answer in time");
}

/* No daemon is needed, and nothing answers here. */
static void test_direct(void **state)
{
        (void)state;
        HAMON_CONF("check", "--direct");
        assert_ran(1, "unfit role=standby reason=docker_refused age_ms=", NULL);
        assert_ptr_equal(strchr(fx.ran.out, '\n'), fx.ran.out + strlen(fx.ran.out) - 1);

        put_file(at(&fx.tmp, "vrrp"), "MASTER\n"); /* what keepalived said last */
        HAMON_CONF("check", "--direct");
        assert_ran(1, "unfit role=master reason=docker_refused age_ms=", NULL);
}

/* Docker accepts and never answers: still within check.timeout. */
static void test_direct_hangs(void **state)
{
        (void)state;
        write_config("[check]\ntimeout = 500ms\n");
        int listener = unix_listen(at(&fx.tmp, "docker.sock"), 8);
        msec_t start = clock_ms();
        HAMON_CONF("check", "--direct");
        msec_t took = clock_ms() - start;
        close(listener);
        assert_ran(1, "unfit role=standby reason=docker_timeout age_ms=", NULL);
        assert_true(took < 3000); /* with sanitizers, on a busy machine */
}

static void test_direct_password(void **state)
{
        (void)state;
        setenv("HAMON_GALERA_PASSWORD_FILE", at(&fx.tmp, "pass"), 1);
        HAMON_CONF("check", "--direct");
        unsetenv("HAMON_GALERA_PASSWORD_FILE");
        assert_ran(78, NULL, "[galera] password_file: ");
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                T(test_help),
                T(test_version),
                T(test_mistakes),
                T(test_engine_alone),
                T(test_every_command),
                T(test_bad_config),
                T(test_environment),
                T(test_config),
                T(test_config_defaults),
                T(test_no_daemon),
                T(test_notify_galera_without_config),
                T(test_answers),
                T(test_errors_of_the_daemon),
                T(test_daemon_that_never_answers),
                T(test_direct),
                T(test_direct_hangs),
                T(test_direct_password),
        };

        signal(SIGPIPE, SIG_IGN);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
