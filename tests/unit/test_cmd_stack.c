/* `hamon stack` as people and hooks call it: words, exit codes, the lease, the lock. The daemon is
 * a child that answers each request with what the file "lease" holds. */
#include "tests/unit/harness.h"

#include "tests/fake/fake_docker.h"
#include <sys/file.h>

static struct fixture {
        struct tmp tmp;
        struct fake_docker fake;
        pid_t daemon;
        struct ran ran;
} fx = { .fake.control = -1 };

static void serve(int listener, const char *answer, const char *seen)
{
        for (;;) {
                char line[256] = "", text[256] = "";
                int fd = accept(listener, NULL, NULL);
                ssize_t n = read(fd, line, sizeof line - 1);
                int out = open(seen, O_WRONLY | O_CREAT | O_APPEND, 0600);
                int in = open(answer, O_RDONLY);
                if (n > 0 && write(out, line, (size_t)n) == n && read(in, text, sizeof text) > 0 &&
                    write(fd, text, strlen(text)) < 0)
                        _exit(1);
                close(in);
                close(out);
                close(fd);
        }
}

static void start_daemon(void)
{
        int listener = unix_listen(at(&fx.tmp, "hamon.sock"), 8);
        char answer[160], seen[160];

        assert_true(listener >= 0);
        str_copy(answer, sizeof answer, at(&fx.tmp, "lease"));
        str_copy(seen, sizeof seen, at(&fx.tmp, "seen"));
        fx.daemon = fork();
        assert_true(fx.daemon >= 0);
        if (fx.daemon == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                serve(listener, answer, seen);
        }
        close(listener);
}

static const char *say(const char *command)
{
        assert_true(fake_docker_say(&fx.fake, command));
        EVENTUALLY(fake_docker_answered(&fx.fake));
        if (strncmp(fx.fake.reply, "ok", 2) != 0)
                fail_msg("%s: %s", command, fx.fake.reply);
        return fx.fake.reply + 3;
}

static int set_up(void **unused)
{
        (void)unused;
        if (tmp_make(&fx.tmp) < 0 || fake_docker_start(&fx.fake) < 0)
                return -1;
        put_file(at(&fx.tmp, "conf"),
                 "[node]\nname = n1\n[docker]\nsocket = %s\nproject = mailcow\n"
                 "[control]\nsocket = %s\n[cluster]\nnodes = n1=127.0.0.1\n"
                 "[volume]\nprovider = local\ndevice = /dev/null\nuuid = x\nmount = %s\n"
                 "[stack]\nstop_timeout = 2s\nactive = redis-mailcow ofelia-mailcow\n"
                 "warm = clamd-mailcow\noptional = ofelia-mailcow\n",
                 fx.fake.socket, at(&fx.tmp, "hamon.sock"), fx.tmp.path);
        put_file(at(&fx.tmp, "lease"), "ok epoch=7 valid_ms=60000 renewed_ms=10 holder=n1\n");
        start_daemon();
        return 0;
}

static int tear_down(void **unused)
{
        (void)unused;
        end_child(&fx.daemon);
        fake_docker_stop(&fx.fake);
        tmp_remove(&fx.tmp);
        return 0;
}

static const struct ran *stack(const char *a, const char *b, const char *c, const char *d)
{
        char conf[160];

        str_copy(conf, sizeof conf, at(&fx.tmp, "conf"));
        RUN(&fx.tmp, &fx.ran, program("hamon"), "-c", conf, "stack", a, b, c, d);
        return &fx.ran;
}

static void has(const char *text, const char *part)
{
        if (!strstr(text, part))
                fail_msg("no \"%s\" in: %s", part, text);
}

static void three(void)
{
        say("add 1 service=redis-mailcow state=exited");
        say("add 1 service=ofelia-mailcow state=exited");
        say("add 1 service=clamd-mailcow");
}

static void test_words(void **state)
{
        static const char *const ROWS[][4] = {
                { NULL },
                { "boil" },
                { "status", "more" },
                { "start", "--set" },
                { "start", "--set", "ignored" },
                { "stop", "--json", "--set", "all" },
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
                const struct ran *r = stack(ROWS[i][0], ROWS[i][1], ROWS[i][2], ROWS[i][3]);
                assert_int_equal(r->code, 64);
                has(r->err, "usage: hamon stack");
        }
}

static void test_life(void **state)
{
        const struct ran *r;

        (void)state;
        three();
        r = stack("start", NULL, NULL, NULL);
        assert_int_equal(r->code, 0);
        assert_string_equal(r->out, "2 of 2 had to be started\n");
        r = stack("status", NULL, NULL, NULL);
        assert_int_equal(r->code, 0);
        has(r->out, "redis-mailcow            active   running    none       restart=no\n");
        has(r->out,
            "ofelia-mailcow           active   running    none       restart=no (optional)");
        has(r->out, "clamd-mailcow            warm     running ");
        r = stack("status", "--set", "warm", NULL);
        assert_null(strstr(r->out, "redis"));
        r = stack("stop", "--json", NULL, NULL);
        assert_int_equal(r->code, 0);
        has(r->out, "{\"result\":\"done\",\"message\":\"2 of 2 had to be stopped\",\"services\":[{"
                    "\"service\":\"redis-mailcow\",\"set\":\"active\",\"optional\":false,"
                    "\"state\":\"exited\",\"health\":\"none\",\"restart\":\"no\","
                    "\"changed\":true,\"error\":\"\"}");
        assert_null(strstr(r->out, "clamd"));
        r = stack("stop", "--set", "warm", NULL);
        assert_int_equal(r->code, 0);
        assert_string_equal(r->out, "1 of 1 had to be stopped\n");
}

static void test_lease(void **state)
{
        const struct ran *r;

        (void)state;
        three();
        put_file(at(&fx.tmp, "lease"), "no reason=\"n2 leads\"\n");
        r = stack("start", NULL, NULL, NULL);
        assert_int_equal(r->code, 1);
        has(r->err, "n2 leads");
        r = stack("start", "--set", "warm", NULL); /* warm services and stops need no lease */
        assert_int_equal(r->code, 0);
        assert_int_equal(stack("stop", NULL, NULL, NULL)->code, 0);
        assert_null(strstr(say("deeds"), "start:"));

        unlink(at(&fx.tmp, "seen"));
        put_file(at(&fx.tmp, "lease"), "ok epoch=7 valid_ms=60000 renewed_ms=10 holder=n1\n");
        setenv("HAMON_EPOCH", "7", 1);
        r = stack("start", NULL, NULL, NULL);
        unsetenv("HAMON_EPOCH");
        assert_int_equal(r->code, 0);
        assert_true(file_has(at(&fx.tmp, "seen"), "lease 7\n"));

        end_child(&fx.daemon);
        r = stack("start", NULL, NULL, NULL);
        assert_int_not_equal(r->code, 0); /* nobody to ask */
}

/* A lease that runs out between two starts is asked for again. */
static void test_lease_runs_out(void **state)
{
        (void)state;
        three();
        say("set redis-mailcow start_ms=300");
        say("set ofelia-mailcow depends=redis-mailcow:service_started:false");
        put_file(at(&fx.tmp, "lease"), "ok epoch=7 valid_ms=200 renewed_ms=10 holder=n1\n");
        assert_int_equal(stack("start", NULL, NULL, NULL)->code, 0);
        assert_true(file_has(at(&fx.tmp, "seen"), "lease 0\nlease 0\n"));
}

static void test_missing(void **state)
{
        const struct ran *r;

        (void)state;
        say("add 1 service=redis-mailcow state=exited");
        r = stack("start", NULL, NULL, NULL);
        assert_int_equal(r->code, 0);
        has(r->out, "(optional) no container: ofelia-mailcow");
        say("clear");
        r = stack("start", "--json", NULL, NULL);
        assert_int_equal(r->code, 1);
        has(r->out, "no container: redis-mailcow: create them");
        assert_int_equal(stack("stop", NULL, NULL, NULL)->code, 0); /* then nothing runs */
}

static void test_no_engine(void **state)
{
        (void)state;
        say("refuse");
        const struct ran *r = stack("stop", NULL, NULL, NULL);
        assert_int_equal(r->code, 75);
        has(r->err, "hamon: the Docker engine is not running");
        assert_int_equal(stack("status", "--json", NULL, NULL)->code, 75);
}

/* Two steps at once wait for one another; looking waits for nobody. */
static void test_lock(void **state)
{
        (void)state;
        three();
        int fd = open(at(&fx.tmp, "step-stack.lock"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        assert_int_equal(flock(fd, LOCK_EX), 0);
        assert_int_equal(stack("status", NULL, NULL, NULL)->code, 0);
        char conf[160], bin[512];
        str_copy(conf, sizeof conf, at(&fx.tmp, "conf"));
        str_copy(bin, sizeof bin, program("hamon"));
        const char *argv[] = { bin, "-c", conf, "stack", "start", NULL };
        pid_t pid = start(argv, at(&fx.tmp, "out"), NULL, 0);
        for (msec_t end = clock_ms() + 300; clock_ms() < end; nap())
                assert_int_equal(ended(&pid), -1);
        assert_null(strstr(say("deeds"), "start:"));
        close(fd);
        assert_int_equal(wait_end(&pid), 0);
        assert_non_null(strstr(say("deeds"), "start:redis-mailcow"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(test_words),          TEST(test_life),    TEST(test_lease),
                TEST(test_lease_runs_out), TEST(test_missing), TEST(test_no_engine),
                TEST(test_lock),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
