/* `hamon events` and `hamon why` as people call them. */
#include "tests/unit/harness.h"

#include <time.h>

static struct tmp tmp;
static struct ran ran;
static char conf[160];

#define HAMON(...) RUN(&tmp, &ran, program("hamon"), "-c", conf, __VA_ARGS__)

static void assert_ran(int code, const char *out, const char *err)
{
        if (ran.code != code || strcmp(ran.out, out) != 0 ||
            (err ? !strstr(ran.err, err) : *ran.err))
                fail_msg("exit %d (want %d)\nstdout: %s\nstderr: %s", ran.code, code, ran.out,
                         ran.err);
}

static int setup(void **unused)
{
        (void)unused;
        assert_int_equal(tmp_make(&tmp), 0);
        str_copy(conf, sizeof conf, at(&tmp, "conf"));
        put_file(conf,
                 "[node]\nname = n1\n[control]\nsocket = %s/sock\n[log]\nevents = %s/events\n"
                 "[check]\ntimeout = 5s\nstale = 20s\n",
                 tmp.path, tmp.path);
        return 0;
}

static int teardown(void **unused)
{
        (void)unused;
        tmp_remove(&tmp);
        return 0;
}

#define LINE(at_, rest) "{\"at\":\"" at_ "\",\"node\":\"n1\"," rest "}\n"

static const char OLD[] = LINE("2026-01-02T03:04:05.006Z", "\"kind\":\"start\",\"epoch\":0")
        LINE("2026-01-02T03:04:06.000Z", "\"kind\":\"state\",\"epoch\":4,\"from\":\"init\",\"to\":"
                                         "\"standby\",\"reason\":\"ready\"");
static const char NEW[] = LINE(
        "2026-01-03T00:00:00.500Z",
        "\"kind\":\"hook_end\",\"epoch\":5,\"to\":"
        "\"done\",\"ms\":61002") "half of a li\n" LINE("2026-01-03T00:00:01.000Z",
                                                       "\"kind\":\"later_version\",\"epoch\":5");

static void test_events(void **unused)
{
        (void)unused;
        HAMON("events"); /* nothing yet */
        assert_ran(0, "", NULL);
        put_file(at(&tmp, "events.1"), "%s", OLD);
        put_file(at(&tmp, "events"), "%s", NEW);
        HAMON("events");
        assert_ran(0,
                   "2026-01-02T03:04:05.006Z n1 hamon started\n"
                   "2026-01-02T03:04:06.000Z n1 state: init -> standby (ready), epoch 4\n"
                   "2026-01-03T00:00:00.500Z n1 hook ended: done, epoch 5, 61.002 s\n"
                   "2026-01-03T00:00:01.000Z n1 later_version, epoch 5\n",
                   NULL);
        HAMON("events", "-n", "1");
        assert_ran(0, "2026-01-03T00:00:01.000Z n1 later_version, epoch 5\n", NULL);
        HAMON("events", "-n", "3", "--json");
        assert_null(strstr(ran.out, "\"start\""));
        assert_non_null(strstr(ran.out, "\"standby\""));
        assert_null(strstr(ran.out, "half"));
        HAMON("events", "--since", "1h");
        assert_ran(0, "", NULL);
}

static void test_since(void **unused)
{
        time_t now = time(NULL);
        char then[32], long_ago[32];
        struct tm tm;

        (void)unused;
        now -= 60;
        strftime(then, sizeof then, "%Y-%m-%dT%H:%M:%S.000Z", gmtime_r(&now, &tm));
        now -= 7200;
        strftime(long_ago, sizeof long_ago, "%Y-%m-%dT%H:%M:%S.000Z", gmtime_r(&now, &tm));
        put_file(at(&tmp, "events"),
                 "{\"at\":\"%s\",\"kind\":\"start\"}\n{\"at\":\"%s\",\"kind\":\"stop\"}\n",
                 long_ago, then);
        HAMON("events", "--since", "1h");
        assert_non_null(strstr(ran.out, " - hamon stopped\n"));
        assert_null(strstr(ran.out, "started"));
        HAMON("events", "--since", "3h", "--json");
        assert_non_null(strstr(ran.out, "start"));
}

static void test_mistakes(void **unused)
{
        (void)unused;
        HAMON("events", "--all");
        assert_ran(64, "", "unexpected argument: --all");
        HAMON("events", "-n");
        assert_ran(64, "", "-n wants a number");
        HAMON("events", "-n", "0");
        assert_ran(64, "", "-n wants a number: 0");
        HAMON("events", "--since", "1");
        assert_ran(64, "", "--since wants a time");
        HAMON("why", "me");
        assert_ran(64, "", "unexpected argument: me");
        put_file(conf, "[log]\nevents =\n");
        HAMON("events");
        assert_ran(0, "", "none are kept");
        put_file(conf, "[log]\nevent = x\n");
        HAMON("events");
        assert_ran(78, "", "event");
        HAMON("why");
        assert_ran(78, "", "event");
}

static void test_unreadable(void **unused)
{
        (void)unused;
        mkdir(at(&tmp, "events"), 0700);
        HAMON("events");
        assert_ran(71, "", "Is a directory");
}

/* ---- why ---- */

/* A daemon that knows one answer. */
static pid_t play_daemon(const char *answer)
{
        int fd = unix_listen(at(&tmp, "sock"), 4);
        pid_t pid = fork();

        assert_true(fd >= 0 && pid >= 0);
        if (pid == 0) {
                char request[64] = "";
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                int other = accept(fd, NULL, NULL);
                bool asked = read(other, request, sizeof request - 1) > 0 &&
                             strcmp(request, "why\n") == 0;
                if (!asked)
                        answer = "error: what?\n";
                _exit(write(other, answer, strlen(answer)) < 0);
        }
        close(fd);
        return pid;
}

static void ask_why(const char *answer, const char *flag)
{
        unlink(at(&tmp, "sock"));
        pid_t pid = play_daemon(answer);
        HAMON("why", flag);
        end_child(&pid);
}

static void test_why(void **unused)
{
        static const char ANSWER[] = LINE("2026-01-02T03:04:05.006Z",
                                          "\"kind\":\"start\",\"epoch\":0,\"ago_ms\":266645000")
                LINE("2026-01-02T03:04:05.006Z",
                     "\"kind\":\"vrrp\",\"to\":\"backup\",\"ago_ms\":11520000")
                        LINE("2026-01-02T03:04:05.006Z",
                             "\"kind\":\"vrrp\",\"to\":\"master\",\"ago_ms\":125999")
                                LINE("2026-01-02T03:04:06.000Z",
                                     "\"kind\":\"state\",\"epoch\":4,\"from\":\"init\","
                                     "\"to\":\"standby\",\"ago_ms\":1260") "now state=standby\n";

        (void)unused;
        ask_why(ANSWER, NULL);
        assert_ran(0,
                   "       3 d 2 h ago  hamon started\n"
                   "    3 h 12 min ago  keepalived says: backup\n"
                   "     2 min 5 s ago  keepalived says: master\n"
                   "         1.2 s ago  state: init -> standby, epoch 4\n"
                   "now state=standby\n",
                   NULL);
        ask_why(ANSWER, "--json");
        assert_ran(0, ANSWER, NULL);
        ask_why("error: of no cluster\n", NULL);
        assert_ran(69, "", "why: of no cluster");
        unlink(at(&tmp, "sock"));
        HAMON("why");
        assert_ran(69, "", "hamon is not running on this node");
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(test_events),     TEST(test_since), TEST(test_mistakes),
                TEST(test_unreadable), TEST(test_why),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
