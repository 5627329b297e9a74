/* The daemon's life: start, restart, reload, stop; what keepalived and systemd tell it and hear
 * from it. What the world may do to it is test_daemon_faults. */
#include "daemon_fixture.h"

/* ---- start and stop ---- */

static void test_comes_up(void **state)
{
        struct stat st;

        (void)state;
        configure((struct settings){ .check = PATIENT });
        daemon_start();
        EVENTUALLY(notified("READY=1"));
        hamon("check", NULL); /* asked at once: it waits for the first look */
        assert_int_equal(fx.ran.code, 0);
        assert_true(begins(fx.ran.out, "fit role=standby reason=ok age_ms="));
        EVENTUALLY(track_is(FIT_0));
        assert_int_equal(stat(at(&fx.tmp, "fifo"), &st), 0);
        assert_true(S_ISFIFO(st.st_mode));
        hamon("status", "--json");
        assert_int_equal(fx.ran.code, 0);
        assert_true(
                begins(fx.ran.out, "{\"node\":\"n1\",\"role\":\"standby\",\"verdict\":\"fit\""));
        hamon("status", NULL);
        assert_int_equal(fx.ran.code, 0);
        assert_non_null(strstr(fx.ran.out, "Primary, Synced, 3 members"));
        hamon("check", "--direct");
        assert_int_equal(fx.ran.code, 0);
        assert_true(begins(fx.ran.out, "fit role=standby reason=ok age_ms="));
}

static void test_through_the_front(void **state)
{
        const char *argv[] = { program("hamon"), "-c", fx.conf, "run", NULL };

        (void)state;
        fx.daemon = start(argv, NULL, at(&fx.tmp, "log"), 0);
        EVENTUALLY(says("check", "fit "));
}

/* A boot: no track file, and keepalived would read that as fit. */
static void test_boot_begins_unfit(void **state)
{
        (void)state;
        configure((struct settings){ .check = SHORT });
        docker_say("mode all hang");
        daemon_start();
        EVENTUALLY(track_is(UNFIT_));
        docker_say("mode all ok");
        EVENTUALLY(track_is(FIT_0));
}

static void test_sigterm(void **state)
{
        struct stat st;

        (void)state;
        start_fit();
        assert_int_equal(daemon_stop(), 0);
        assert_true(track_is(FIT_0)); /* a planned restart moves nothing */
        assert_int_equal(stat(at(&fx.tmp, "sock"), &st), -1);
        EVENTUALLY(notified("STOPPING=1"));
        hamon("check", NULL);
        assert_int_equal(fx.ran.code, 2);
        assert_true(begins(fx.ran.out, "unknown role=unknown reason=no_daemon age_ms=-1 "));
}

/* The inode tells that the file was not even rewritten. */
static ino_t track_inode(void)
{
        struct stat st;

        assert_int_equal(stat(at(&fx.tmp, "track"), &st), 0);
        return st.st_ino;
}

static void restart_moves_nothing(int signo)
{
        configure((struct settings){ .check = PATIENT });
        start_master();
        ino_t before = track_inode();
        kill(fx.daemon, signo);
        assert_int_equal(wait_end(&fx.daemon), signo == SIGKILL ? 1000 + SIGKILL : 0);
        assert_int_equal(track_inode(), before);
        assert_true(file_holds(at(&fx.tmp, "vrrp"), "MASTER\n"));

        daemon_start();
        hamon("check", NULL); /* while it starts: it waits for it */
        assert_int_equal(fx.ran.code, 0);
        assert_true(begins(fx.ran.out, "fit role=master reason=ok "));
        assert_int_equal(track_inode(), before);
}

static void test_restart(void **state)
{
        (void)state;
        restart_moves_nothing(SIGTERM);
}

static void test_killed(void **state)
{
        (void)state;
        restart_moves_nothing(SIGKILL);
}

static void test_second_daemon(void **state)
{
        (void)state;
        start_fit();
        hamon("run", NULL);
        assert_int_equal(fx.ran.code, 69);
        assert_non_null(strstr(fx.ran.err, "another hamon runs here"));
        assert_true(says("check", "fit "));
}

/* ---- what keeps it from starting ---- */

static const struct refusal {
        const char *name, *check;
        int code;
        const char *log;
} REFUSALS[] = {
        { "password", NULL, 78, "password_file" },
        { "fifo", NULL, 71, "event=keepalived" },
        { "socket", NULL, 71, "event=control" },
        { "config", "rise = 0\n", 78, "hamon.conf:6: " },
};

static void test_refuses_to_start(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(REFUSALS); i++) {
                const struct refusal *r = &REFUSALS[i];

                configure((struct settings){ .check = r->check });
                if (str_eq(r->name, "password"))
                        setenv("HAMON_GALERA_PASSWORD_FILE", at(&fx.tmp, "none"), 1);
                if (str_eq(r->name, "fifo"))
                        put_file(at(&fx.tmp, "fifo"), "not a fifo");
                if (str_eq(r->name, "socket"))
                        put_file(at(&fx.tmp, "sock"), "not a socket");
                hamon("run", NULL);
                unsetenv("HAMON_GALERA_PASSWORD_FILE");
                unlink(at(&fx.tmp, "fifo"));
                unlink(at(&fx.tmp, "sock"));
                if (fx.ran.code != r->code || !strstr(fx.ran.err, r->log))
                        fail_msg("%s: %d %s", r->name, fx.ran.code, fx.ran.err);
        }
}

/* ---- SIGHUP ---- */

static void test_reload(void **state)
{
        (void)state;
        start_fit();
        ino_t before = track_inode();
        configure((struct settings){
                .name = "other",
                .more = "[log]\nlevel = debug\n",
        });
        kill(fx.daemon, SIGHUP);
        EVENTUALLY(logged("event=reload") && says("status", "other  standby  fit (ok)"));
        assert_true(logged("result=done"));
        assert_int_equal(track_inode(), before); /* and nothing moved */
        assert_true(says("check", "fit "));

        configure((struct settings){ .name = NULL }); /* and back */
        kill(fx.daemon, SIGHUP);
        EVENTUALLY(says("status", "n1  standby  fit (ok)"));
}

static void test_reload_changes_services(void **state)
{
        (void)state;
        start_fit();
        docker_say("die w1 1");
        EVENTUALLY(track_is(UNFIT_));
        edit_config("warm = w1\n", "warm = i1\n");
        edit_config("ignore = i1\n", "ignore = w1\n");
        docker_say("start i1");
        kill(fx.daemon, SIGHUP);
        EVENTUALLY(says("check", "fit role=standby reason=ok ") && track_is(FIT_0));
}

static void test_bad_reload(void **state)
{
        static const char *const BAD[] = { "rise = none\n", "grace = 10\n", "nonsense = 1\n",
                                           "interval = 10s\nstale = 1s\n" };

        (void)state;
        start_fit();
        for (size_t i = 0; i < ARRAY_SIZE(BAD); i++) {
                assert_int_equal(truncate(at(&fx.tmp, "log"), 0), 0);
                configure((struct settings){ .name = "worse", .check = BAD[i] });
                kill(fx.daemon, SIGHUP);
                EVENTUALLY(logged("result=refused"));
                assert_true(logged("event=config"));
                assert_true(logged("hamon.conf")); /* which file, and where in it */
                assert_true(says("status", "n1  standby  fit (ok)"));
        }
        assert_int_equal(truncate(at(&fx.tmp, "log"), 0), 0);
        unlink(fx.conf);
        kill(fx.daemon, SIGHUP);
        EVENTUALLY(logged("result=refused"));
        assert_true(says("check", "fit "));
        assert_true(track_is(FIT_0));
}

/* Good as a file, but something it names cannot be used: refused as a whole, too. */
static void test_reload_that_cannot_be(void **state)
{
        (void)state;
        start_fit();
        configure((struct settings){ .name = "worse" });
        edit_config("/fifo\n", "/conf\n");
        put_file(at(&fx.tmp, "conf"), "a file");
        kill(fx.daemon, SIGHUP);
        EVENTUALLY(logged("result=refused"));
        EVENTUALLY(says("status", "n1  standby  fit (ok)"));
        hamon("notify", "MASTER"); /* that ear still works */
        assert_int_equal(fx.ran.code, 0);
}

/* The password of the configuration in force is gone when another one is refused: the connection
 * made with it stays, not the one that was just made for the refused file. */
static void test_refused_reload_keeps_the_connection(void **state)
{
        (void)state;
        put_file(at(&fx.group, "old.pass"), "x");
        put_file(at(&fx.group, "new.pass"), "x");
        assert_int_equal(chmod(at(&fx.group, "old.pass"), 0600), 0);
        assert_int_equal(chmod(at(&fx.group, "new.pass"), 0600), 0);
        configure((struct settings){ .password_file = "old.pass" });
        daemon_start();
        EVENTUALLY(says("check", "fit role=standby reason=ok "));

        configure((struct settings){ .mysql = "nowhere", .password_file = "new.pass" });
        edit_config("/fifo\n", "/conf\n");
        put_file(at(&fx.tmp, "conf"), "a file");
        assert_int_equal(unlink(at(&fx.group, "old.pass")), 0);
        kill(fx.daemon, SIGHUP);
        EVENTUALLY(logged("result=refused"));
        galera_says(NON_PRIMARY);
        EVENTUALLY(says("check", "unfit role=standby reason=galera_non_primary "));
        galera_says(MEMBER);
        EVENTUALLY(says("check", "fit role=standby reason=ok "));
}

static void test_reload_keeps_the_role(void **state)
{
        (void)state;
        start_master();
        edit_config("/vrrp\n", "/pprv\n");
        kill(fx.daemon, SIGHUP);
        EVENTUALLY(file_holds(at(&fx.tmp, "pprv"), "MASTER\n"));
        EVENTUALLY(says("check", "fit role=master reason=ok "));
}

static void test_reload_with_another_socket(void **state)
{
        (void)state;
        start_fit();
        configure((struct settings){ .name = "moved", .sock = "sock2" });
        kill(fx.daemon, SIGHUP);
        EVENTUALLY(says("status", "moved  standby  fit (ok)")); /* at the old place */
        assert_true(logged("key=control.socket msg=\"changes with the next restart only\""));
        assert_int_equal(daemon_stop(), 0);
        daemon_start();
        EVENTUALLY((hamon("check", NULL), fx.ran.code == 0)); /* by the file: the new place */
        assert_false(says("check", "fit "));
}

/* A node of a cluster, whose database nobody knows the lease of. */
static void configure_cluster(const char *nodes, const char *grace)
{
        char more[1024], check[128];
        const char *d = fx.tmp.path;

        put_file(at(&fx.tmp, "secret"), "a secret of the cluster\n");
        assert_int_equal(chmod(at(&fx.tmp, "secret"), 0600), 0);
        snprintf(check, sizeof check,
                 "interval = 60ms\ntimeout = 5s\ngrace = %s\nstale = 20s\nresync = 1s\n", grace);
        snprintf(more, sizeof more,
                 "[cluster]\nnodes = n1=127.0.0.1 %s\nsecret_file = %s/secret\n"
                 "[peer]\nlisten = 127.0.0.1:%d\n[hooks]\ndir = %s\n"
                 "[volume]\nprovider = local\ndevice = %s/disk\nuuid = x\nmount = %s/vol\n",
                 nodes, d, 20000 + (int)getpid() % 20000, d, d, d);
        configure((struct settings){ .check = check, .more = more });
}

static void test_reload_in_a_cluster(void **state)
{
        (void)state;
        configure_cluster("n2=127.0.0.2", "100ms");
        daemon_start();
        EVENTUALLY(says("check", "fit role=standby reason=ok "));
        configure_cluster("n2=127.0.0.3", "100ms");
        kill(fx.daemon, SIGHUP);
        EVENTUALLY(logged("result=refused key=cluster.nodes"));
        assert_true(logged("wants a restart of hamon, which interrupts nothing"));
        configure_cluster("n2=127.0.0.2", "9s");
        kill(fx.daemon, SIGHUP);
        EVENTUALLY(logged("event=reload result=done") || logged("result=done"));
        assert_true(says("status-json", "{\"node\":\"n1\""));
        assert_true(says("check", "fit "));
        unlink(at(&fx.tmp, "secret"));
        assert_int_equal(daemon_stop(), 0);
}

/* ---- keepalived ---- */

static void test_notify(void **state)
{
        static const struct {
                const char *request, *line, *file;
        } STEPS[] = {
                { "notify MASTER", "fit role=master reason=stack_down ", "MASTER\n" },
                { "notify BACKUP", "fit role=standby reason=ok ", "BACKUP\n" },
                { "notify MASTER", "fit role=master reason=stack_down ", "MASTER\n" },
                { "notify FAULT", "fit role=standby reason=ok ", "FAULT\n" },
                { "notify STOP", "fit role=standby reason=ok ", "STOP\n" },
        };

        (void)state;
        start_fit();
        for (size_t i = 0; i < ARRAY_SIZE(STEPS); i++) {
                assert_true(says(STEPS[i].request, "ok\n"));
                EVENTUALLY(says("check", STEPS[i].line));
                assert_true(file_holds(at(&fx.tmp, "vrrp"), STEPS[i].file));
        }
        hamon("notify", "BACKUP");
        assert_int_equal(fx.ran.code, 0);
        assert_string_equal(fx.ran.out, "");
        assert_true(file_holds(at(&fx.tmp, "vrrp"), "BACKUP\n"));
        hamon("notify", "SLAVE");
        assert_int_equal(fx.ran.code, 64);
        assert_non_null(strstr(fx.ran.err, "want MASTER, BACKUP, FAULT or STOP"));
}

static void fifo_says(const char *line)
{
        int fd = open(at(&fx.tmp, "fifo"), O_WRONLY | O_NONBLOCK);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, line, strlen(line)), strlen(line));
        close(fd);
}

static void test_fifo(void **state)
{
        (void)state;
        start_fit();
        fifo_says("INSTANCE \"MAIL\" MASTER 100\n");
        EVENTUALLY(says("check", "fit role=master "));
        fifo_says("nonsense\nINSTANCE \"MAIL\" BACKUP 100\n");
        EVENTUALLY(says("check", "fit role=standby "));
        fifo_says("INSTANCE \"MAIL\" MASTER 100\nINSTANCE \"MAIL\" FAULT 100\n");
        EVENTUALLY(file_holds(at(&fx.tmp, "vrrp"), "FAULT\n"));
        assert_true(says("check", "fit role=standby "));
}

/* keepalived wrote while the daemon was away: nothing is lost as long as it holds the fifo open. */
static void test_fifo_over_a_restart(void **state)
{
        (void)state;
        start_fit();
        int keepalived = open(at(&fx.tmp, "fifo"), O_RDWR | O_NONBLOCK);
        assert_true(keepalived >= 0);
        assert_int_equal(daemon_stop(), 0);
        assert_int_equal(write(keepalived, "INSTANCE \"MAIL\" MASTER 100\n", 27), 27);
        daemon_start();
        EVENTUALLY(says("check", "fit role=master "));
        close(keepalived);
}

/* keepalived reads a deleted, emptied or foreign file as "fit". */
static void test_track_file_is_put_right(void **state)
{
        (void)state;
        start_fit();
        docker_say("die w1 1");
        EVENTUALLY(track_is(UNFIT_));

        assert_int_equal(unlink(at(&fx.tmp, "track")), 0);
        EVENTUALLY(track_is(UNFIT_));
        assert_int_equal(truncate(at(&fx.tmp, "track"), 0), 0);
        EVENTUALLY(track_is(UNFIT_));
        put_file(at(&fx.tmp, "track"), "0\n");
        EVENTUALLY(track_is(UNFIT_));
        assert_int_equal(symlink("/dev/null", at(&fx.tmp, "link")), 0);
        assert_int_equal(rename(at(&fx.tmp, "link"), at(&fx.tmp, "track")), 0);
        EVENTUALLY(track_is(UNFIT_));
}

/* ---- systemd ---- */

static void test_watchdog(void **state)
{
        (void)state;
        setenv("WATCHDOG_USEC", "200000", 1);
        daemon_start();
        EVENTUALLY(notified("READY=1"));
        for (int i = 0; i < 3; i++)
                EVENTUALLY(notified("WATCHDOG=1"));
}

/* A supervisor whose socket is full or gone does not stop the daemon. */
static void test_deaf_supervisor(void **state)
{
        (void)state;
        setenv("WATCHDOG_USEC", "20000", 1);
        start_fit();
        EVENTUALLY(notified("READY=1"));
        docker_say("die w1 1");
        EVENTUALLY(track_is(UNFIT_)); /* a dozen WATCHDOG=1 that nobody reads */
        closep(&fx.notify);
        docker_say("start w1");
        EVENTUALLY(track_is(FIT_0));
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                T(test_comes_up),
                T(test_through_the_front),
                T(test_boot_begins_unfit),
                T(test_sigterm),
                T(test_restart),
                T(test_killed),
                T(test_second_daemon),
                T(test_refuses_to_start),
                T(test_reload),
                T(test_reload_changes_services),
                T(test_bad_reload),
                T(test_reload_that_cannot_be),
                T(test_refused_reload_keeps_the_connection),
                T(test_reload_keeps_the_role),
                T(test_reload_with_another_socket),
                T(test_reload_in_a_cluster),
                T(test_notify),
                T(test_fifo),
                T(test_fifo_over_a_restart),
                T(test_track_file_is_put_right),
                T(test_watchdog),
                T(test_deaf_supervisor),
        };

        return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
