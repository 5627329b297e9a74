/* Time and the daemon: it is stopped, frozen, or everything it asks hangs; `hamon check` ends all
 * the same, and nobody goes on from what was true before. */
#include "daemon_fixture.h"

/* wsrep_notify_cmd: known before the next tick, which is half a minute away. */
static void test_notify_galera(void **state)
{
        (void)state;
        configure((struct settings){ .check = "interval = 30s\ntimeout = 5s\ngrace = 300ms\n"
                                              "stale = 1m\nresync = 1s\nrise = 1\n" });
        start_fit();
        msec_t start = clock_ms();
        galera_says(NON_PRIMARY);
        hamon("notify-galera", "--primary=no");
        assert_int_equal(fx.ran.code, 0);
        EVENTUALLY(says("check", "unfit role=standby reason=galera_non_primary "));
        EVENTUALLY(track_is(UNFIT_));
        assert_true(clock_ms() - start < 15000);
}

/* keepalived's track_script must end, whatever the daemon does. */
static void test_stopped(void **state)
{
        (void)state;
        configure((struct settings){ .check = SHORT });
        start_master();
        kill(fx.daemon, SIGSTOP);
        msec_t start = clock_ms();
        hamon("check", NULL);
        msec_t took = clock_ms() - start;
        assert_int_equal(fx.ran.code, 2);
        assert_true(begins(fx.ran.out, "unknown role=unknown reason=timeout age_ms=-1 msg=\""));
        assert_true(took < 5000); /* 400 ms and the start of a program with sanitizers */

        /* Frozen longer than a verdict lives: what it believed counts for nothing. */
        EVENTUALLY(clock_ms() - start > 1300);
        assert_int_equal(truncate(at(&fx.tmp, "log"), 0), 0);
        int fd = unix_connect(at(&fx.tmp, "sock"));
        assert_int_equal(send(fd, "check\n", 6, MSG_NOSIGNAL), 6);
        kill(fx.daemon, SIGCONT);
        ssize_t n = -1;
        EVENTUALLY((n = recv(fd, fx.answer, sizeof fx.answer - 1, 0)) > 0);
        close(fd);
        fx.answer[n] = '\0';
        assert_true(begins(fx.answer, "unknown role=master ")); /* not even to who waited */
        EVENTUALLY(logged("event=clock_gap") && logged("value=-254"));
        EVENTUALLY(says("check", "fit role=master reason=ok ") && track_is(FIT_0));
}

/* The watchdog shoots it on waking: the next one must not go on from what was known. */
static void test_killed_after_a_freeze(void **state)
{
        (void)state;
        configure((struct settings){ .check = SHORT });
        start_master();
        kill(fx.daemon, SIGSTOP);
        msec_t start = clock_ms();
        EVENTUALLY(clock_ms() - start > 1300);
        end_child(&fx.daemon);
        docker_say("mode all hang"); /* so that it cannot know better soon */
        daemon_start();
        EVENTUALLY(track_is(UNFIT_));
        docker_say("mode all ok");
        EVENTUALLY(says("check", "fit role=master reason=ok ") && track_is(FIT_0));
}

/* Everything hangs: the daemon still answers, at once. */
static void test_all_hangs(void **state)
{
        (void)state;
        configure((struct settings){ .check = SHORT });
        start_fit();
        docker_say("mode all hang");
        galera_says("hang\n");
        EVENTUALLY(says("check", "unfit role=standby reason=docker_timeout "));
        for (int i = 0; i < 20; i++) {
                msec_t start = clock_ms();
                assert_true(says("check", "un"));
                assert_true(clock_ms() - start < ASK_MS);
        }
        configure((struct settings){ .check = "timeout = 2s\n" }); /* time enough to find out */
        hamon("check", "--direct");
        assert_int_equal(fx.ran.code, 1);
        assert_true(begins(fx.ran.out, "unfit role=standby reason=docker_timeout "));
}

static void test_direct_needs_no_daemon(void **state)
{
        (void)state;
        configure((struct settings){ .check = PATIENT });
        hamon("check", "--direct");
        assert_int_equal(fx.ran.code, 0);
        assert_true(begins(fx.ran.out, "fit role=standby reason=ok age_ms="));
        galera_says(NON_PRIMARY);
        hamon("check", "--direct");
        assert_int_equal(fx.ran.code, 1);
        assert_true(begins(fx.ran.out, "unfit role=standby reason=galera_non_primary age_ms="));
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                T(test_notify_galera),          T(test_stopped),
                T(test_killed_after_a_freeze),  T(test_all_hangs),
                T(test_direct_needs_no_daemon),
        };

        return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
