/* The track file, the fifo and the remembered state in a directory of their own, and at the end a
 * real keepalived in its own network namespace (root only) that obeys the one and writes the other.
 */
#include "hamon/keepalived.h"
#include "lib/log.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[64], track[96], fifo[96], state[96];
static const char *instance; /* NULL = none given */
static struct loop loop;
static struct timer tick;
static struct keepalived *k;
static unsigned calls;
static enum vrrp_state told;
static pid_t daemon_pid;
static char netns[32];

/* ---- helpers ---- */

static void on_state(void *arg, enum vrrp_state s)
{
        assert_ptr_equal(arg, &loop);
        calls++;
        told = s;
}

static void on_tick(void *arg)
{
        (void)arg;
}

/* One round of the loop, at most 20 ms long. */
static void turn(void)
{
        loop.now_valid = false;
        timer_set(&tick, 20);
        assert_true(event_base_loop(loop.base, EVLOOP_ONCE) >= 0);
}

static bool until_state(enum vrrp_state want)
{
        msec_t end = clock_ms() + 15000;

        while (keepalived_state(k) != want && clock_ms() < end)
                turn();
        return keepalived_state(k) == want;
}

/* What is in the fifo has been read when a turn brought nothing. */
static void settle(void)
{
        for (int i = 0; i < 3; i++)
                turn();
}

static int start(void)
{
        struct keepalived_config c = {
                .track_file = track, .fifo = fifo, .state_file = state, .instance = instance
        };

        calls = 0;
        told = VRRP_UNKNOWN;
        return keepalived_new(&loop, &c, on_state, &loop, &k);
}

static void stop(void)
{
        keepalived_free(k);
        k = NULL;
}

static int open_writer(const char *path)
{
        int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC); /* as keepalived does */

        assert_true(fd >= 0);
        return fd;
}

static void say(int fd, const char *text)
{
        assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void put(const char *path, const char *text)
{
        unlink(path);
        assert_int_equal(write_file_atomic(path, 0644, text, strlen(text)), 0);
}

static void assert_file(const char *path, const char *want)
{
        char *text = NULL;

        assert_int_equal(read_file(path, 100, &text, NULL), 0);
        assert_string_equal(text, want);
        free(text);
}

static int run(const char *const *argv)
{
        int status;

        pid_t pid = fork();
        if (pid == 0) {
                execvp(argv[0], (char *const *)(uintptr_t)argv);
                _exit(127);
        }
        if (pid < 0 || waitpid(pid, &status, 0) < 0)
                return -1;
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#define RUN(...) run((const char *const[]){ __VA_ARGS__, NULL })

static int setup(void **unused)
{
        (void)unused;
        snprintf(dir, sizeof dir, "/tmp/test-keepalived.XXXXXX");
        if (!mkdtemp(dir))
                return -1;
        snprintf(track, sizeof track, "%s/prio", dir);
        snprintf(fifo, sizeof fifo, "%s/fifo", dir);
        snprintf(state, sizeof state, "%s/role", dir);
        return loop_init(&loop) < 0 || timer_init(&tick, &loop, on_tick, NULL) < 0;
}

/* By pid, with a deadline, then by force. */
static void stop_daemon(void)
{
        msec_t end = clock_ms() + 5000;
        int status;

        if (daemon_pid <= 0)
                return;
        kill(daemon_pid, SIGTERM);
        while (waitpid(daemon_pid, &status, WNOHANG) == 0) {
                if (clock_ms() > end)
                        kill(daemon_pid, SIGKILL);
                turn();
        }
        daemon_pid = 0;
}

static int teardown(void **unused)
{
        (void)unused;
        stop_daemon();
        if (*netns)
                RUN("ip", "netns", "del", netns);
        netns[0] = '\0';
        stop();
        instance = NULL;
        timer_done(&tick);
        loop_done(&loop);
        return RUN("rm", "-rf", dir);
}

/* ---- the track file ---- */

static void assert_put_right(int value, const char *text)
{
        struct stat st;

        assert_int_equal(keepalived_track(k, value), 1);
        assert_file(track, text);
        assert_int_equal(lstat(track, &st), 0);
        assert_true(S_ISREG(st.st_mode));
        assert_int_equal(st.st_mode & 07777, 0644);
        assert_int_equal(keepalived_track(k, value), 0);
}

static void test_track(void **unused)
{
        static const char *const WRONG[] = {
                "",     "\n",        "0",      "0\n0\n",
                "00\n", "garbage\n", "-254\n", "0000000000000000000000000000000000000000\n"
        };
        char other[96];

        (void)unused;
        assert_int_equal(start(), 0);
        assert_put_right(TRACK_FIT, "0\n");
        assert_put_right(TRACK_UNFIT, "-254\n");
        assert_put_right(TRACK_FIT, "0\n");
        for (size_t i = 0; i < ARRAY_SIZE(WRONG); i++) {
                put(track, WRONG[i]);
                assert_put_right(TRACK_FIT, "0\n");
        }
        assert_int_equal(unlink(track), 0);
        assert_put_right(TRACK_UNFIT, "-254\n");
        assert_int_equal(chmod(track, 0666), 0);
        assert_put_right(TRACK_UNFIT, "-254\n");

        snprintf(other, sizeof other, "%s/other", dir); /* a link is replaced, never followed */
        put(other, "-254\n");
        assert_int_equal(unlink(track), 0);
        assert_int_equal(symlink(other, track), 0);
        assert_put_right(TRACK_UNFIT, "-254\n");
        assert_file(other, "-254\n");

        assert_int_equal(unlink(track), 0);
        assert_int_equal(mkdir(track, 0755), 0);
        assert_true(keepalived_track(k, TRACK_FIT) < 0);
        assert_int_equal(rmdir(track), 0);
        assert_put_right(TRACK_FIT, "0\n");
}

static void test_directories_are_made(void **unused)
{
        struct stat st;

        (void)unused;
        snprintf(track, sizeof track, "%s/run/a/prio", dir);
        snprintf(fifo, sizeof fifo, "%s/run/b/fifo", dir);
        snprintf(state, sizeof state, "%s/run/c/role", dir);
        assert_int_equal(start(), 0);
        assert_put_right(TRACK_FIT, "0\n");
        keepalived_set_state(k, VRRP_BACKUP);
        assert_file(state, "BACKUP\n");
        assert_int_equal(lstat(fifo, &st), 0);
        assert_true(S_ISFIFO(st.st_mode));
        assert_int_equal(st.st_mode & 07777, 0600);
}

static void test_nothing_configured(void **unused)
{
        (void)unused;
        track[0] = fifo[0] = state[0] = '\0';
        assert_int_equal(start(), 0);
        assert_int_equal(keepalived_track(k, TRACK_UNFIT), 0);
        keepalived_set_state(k, VRRP_MASTER);
        assert_int_equal(keepalived_state(k), VRRP_MASTER);
}

/* ---- the fifo ---- */

static void test_level(void **unused)
{
        (void)unused;
        assert_int_equal(start(), 0);
        assert_int_equal(keepalived_state(k), VRRP_UNKNOWN);
        int fd = open_writer(fifo);

        say(fd, "INSTANCE \"MAIL\" MASTER 100\n");
        assert_true(until_state(VRRP_MASTER));
        assert_int_equal(told, VRRP_MASTER);
        assert_int_equal(calls, 1);
        assert_file(state, "MASTER\n");

        say(fd, "INSTANCE \"MAIL\" MASTER 100\n"); /* no news */
        settle();
        assert_int_equal(calls, 1);

        say(fd,
            "INSTANCE \"MAIL\" FAULT 1\nINSTANCE \"MAIL\" BACKUP 1\nINSTANCE \"MAIL\" MASTER 1\n");
        settle(); /* there and back again */
        assert_int_equal(calls, 1);

        say(fd, "INSTANCE \"MAIL\" BACKUP 1\nINSTANCE \"MAIL\" FAULT 1\n");
        assert_true(until_state(VRRP_FAULT));
        assert_int_equal(calls, 2);
        assert_file(state, "FAULT\n");
        close(fd);
}

/* Others speak in the same fifo: their state is not our role. */
static void test_instance(void **unused)
{
        (void)unused;
        instance = "MAIL";
        assert_int_equal(start(), 0);
        int fd = open_writer(fifo);

        say(fd, "INSTANCE \"MAIL\" BACKUP 100\n");
        assert_true(until_state(VRRP_BACKUP));
        say(fd, "INSTANCE \"WEB\" MASTER 100\nGROUP \"ALL\" FAULT 0\n");
        settle();
        assert_int_equal(keepalived_state(k), VRRP_BACKUP);
        assert_int_equal(calls, 1);
        say(fd, "INSTANCE \"MAIL\" MASTER 100\nINSTANCE \"WEB\" FAULT 100\n");
        assert_true(until_state(VRRP_MASTER));
        assert_int_equal(calls, 2);
        close(fd);
}

static void test_split_and_garbage(void **unused)
{
        char longline[2000];

        (void)unused;
        assert_int_equal(start(), 0);
        int fd = open_writer(fifo);

        say(fd, "INSTANCE \"MAI");
        settle();
        assert_int_equal(calls, 0);
        say(fd, "L\" BACKUP 100");
        settle();
        assert_int_equal(calls, 0);
        say(fd, "\nINST");
        assert_true(until_state(VRRP_BACKUP));
        say(fd, "ANCE \"MAIL\" MASTER_PRIORITY 1\n\n\n");
        settle();
        assert_int_equal(calls, 1);

        /* ends in a state, but is too long for us */
        snprintf(longline, sizeof longline, "INSTANCE %01900d MASTER 100\n", 1);
        say(fd, longline);
        say(fd, "nonsense\n");
        assert_int_equal(write(fd, "MASTER\0\n", 8), 8);
        settle();
        assert_int_equal(calls, 1);
        assert_int_equal(keepalived_state(k), VRRP_BACKUP);

        say(fd, longline);
        say(fd, "INSTANCE \"MAIL\" FAULT 100\n");
        assert_true(until_state(VRRP_FAULT));
        close(fd);
}

/* Written while hamon was down: keepalived's end of the pipe kept it. */
static void test_backlog(void **unused)
{
        (void)unused;
        put(state, "BACKUP\n");
        assert_int_equal(start(), 0);
        int fd = open_writer(fifo);
        stop();
        say(fd, "INSTANCE \"MAIL\" MASTER 100\nINSTANCE \"MAIL\" FAULT 100\n");
        assert_int_equal(start(), 0);
        assert_int_equal(keepalived_state(k), VRRP_BACKUP);
        assert_true(until_state(VRRP_FAULT));
        assert_int_equal(calls, 1);

        for (int i = 0; i < 2000; i++) /* 54 kB in one go */
                say(fd, "INSTANCE \"MAIL\" MASTER 100\n");
        say(fd, "INSTANCE \"MAIL\" STOP 100\n");
        assert_true(until_state(VRRP_STOP));
        assert_in_range(calls, 2, 3);
        close(fd);
}

static void test_refused(void **unused)
{
        char real[96];

        (void)unused;
        put(fifo, "");
        assert_int_equal(start(), -ENXIO);
        assert_int_equal(unlink(fifo), 0);
        assert_int_equal(mkdir(fifo, 0755), 0);
        assert_int_equal(start(), -ENXIO);
        assert_int_equal(rmdir(fifo), 0);

        snprintf(real, sizeof real, "%s/real", dir);
        assert_int_equal(mkfifo(real, 0600), 0);
        assert_int_equal(symlink(real, fifo), 0);
        assert_int_equal(start(), -ENXIO);
        assert_int_equal(unlink(fifo), 0);

        if (geteuid() == 0) {
                assert_int_equal(mkfifo(fifo, 0600), 0);
                assert_int_equal(chown(fifo, 65534, 65534), 0);
                assert_int_equal(start(), -ENXIO);
        }
}

static void test_fifo_replaced(void **unused)
{
        struct stat st;

        (void)unused;
        assert_int_equal(start(), 0);
        int old = open_writer(fifo);
        assert_int_equal(unlink(fifo), 0);
        assert_int_equal(keepalived_track(k, TRACK_FIT), 1);
        assert_int_equal(lstat(fifo, &st), 0);
        assert_true(S_ISFIFO(st.st_mode));

        say(old, "INSTANCE \"MAIL\" BACKUP 100\n"); /* keepalived has not been reloaded */
        assert_true(until_state(VRRP_BACKUP));
        int new = open_writer(fifo);
        say(new, "INSTANCE \"MAIL\" MASTER 100\n");
        assert_true(until_state(VRRP_MASTER));

        assert_int_equal(unlink(fifo), 0); /* something else in its place: not touched */
        put(fifo, "precious");
        assert_int_equal(keepalived_track(k, TRACK_FIT), 0);
        assert_int_equal(keepalived_track(k, TRACK_FIT), 0);
        assert_file(fifo, "precious");
        say(new, "INSTANCE \"MAIL\" FAULT 100\n");
        assert_true(until_state(VRRP_FAULT));
        assert_int_equal(unlink(fifo), 0);
        assert_int_equal(keepalived_track(k, TRACK_FIT), 0);
        int newest = open_writer(fifo);
        say(newest, "INSTANCE \"MAIL\" MASTER 100\n");
        assert_true(until_state(VRRP_MASTER));
        close(old);
        close(new);
        close(newest);
}

/* ---- what is remembered ---- */

static void test_remembered(void **unused)
{
        static const struct {
                const char *text;
                enum vrrp_state s;
        } ROWS[] = {
                { "MASTER\n", VRRP_MASTER },
                { "BACKUP\n", VRRP_BACKUP },
                { "FAULT\n", VRRP_FAULT },
                { "STOP\n", VRRP_STOP },
                { "UNKNOWN\n", VRRP_UNKNOWN },
                { "MASTER", VRRP_MASTER },
                { "", VRRP_UNKNOWN },
                { "MAST", VRRP_UNKNOWN },
                { "MASTERMIND", VRRP_UNKNOWN },
                { "\nMASTER\n", VRRP_UNKNOWN },
                { "MASTER\n                                        ", VRRP_UNKNOWN },
        };

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
                put(state, ROWS[i].text);
                assert_int_equal(start(), 0);
                assert_int_equal(keepalived_state(k), ROWS[i].s);
                stop();
        }
        assert_int_equal(unlink(state), 0);
        assert_int_equal(start(), 0);
        assert_int_equal(keepalived_state(k), VRRP_UNKNOWN);
        keepalived_set_state(k, VRRP_MASTER);
        assert_int_equal(calls, 0); /* the caller knows */
        stop();
        assert_int_equal(start(), 0);
        assert_int_equal(keepalived_state(k), VRRP_MASTER);
}

/* ---- a real keepalived ---- */

static void write_config(const char *path)
{
        char text[2000];

        int n = snprintf(
                text, sizeof text,
                "global_defs {\n router_id test\n vrrp_version 3\n vrrp_notify_fifo %s\n}\n"
                "vrrp_track_file prio {\n file %s\n weight 1\n}\n"
                "vrrp_instance MAIL {\n state BACKUP\n interface ve0\n"
                " virtual_router_id 51\n priority 50\n advert_int 0.2\n"
                " unicast_src_ip 10.99.0.1\n unicast_peer {\n  10.99.0.2\n }\n"
                " virtual_ipaddress {\n  192.0.2.51/32 dev lo scope host\n }\n"
                " track_file {\n  prio\n }\n}\n",
                fifo, track);
        assert_in_range(n, 1, sizeof text - 1);
        assert_int_equal(write_file_atomic(path, 0644, text, (size_t)n), 0);
}

static void start_daemon(void)
{
        char conf[96], log[96], p[96], r[96], c[96];

        snprintf(conf, sizeof conf, "%s/keepalived.conf", dir);
        snprintf(log, sizeof log, "%s/keepalived.log", dir);
        snprintf(p, sizeof p, "%s/pid", dir);
        snprintf(r, sizeof r, "%s/vrrp.pid", dir);
        snprintf(c, sizeof c, "%s/checkers.pid", dir);
        write_config(conf);

        daemon_pid = fork();
        if (daemon_pid == 0) {
                int fd = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0644);
                prctl(PR_SET_PDEATHSIG, SIGTERM);
                dup2(fd, STDOUT_FILENO);
                dup2(fd, STDERR_FILENO);
                execlp("ip", "ip", "netns", "exec", netns, "keepalived", "-n", "-l", "-D", "-f",
                       conf, "-p", p, "-r", r, "-c", c, (char *)NULL);
                _exit(127);
        }
        assert_true(daemon_pid > 0);
}

static void test_real_keepalived(void **unused)
{
        (void)unused;
        if (geteuid() != 0) {
                print_message("skipped: a network namespace needs root\n");
                skip();
        }
        snprintf(netns, sizeof netns, "test-ka-%ld", (long)getpid());
        assert_int_equal(RUN("ip", "netns", "add", netns), 0);
        assert_int_equal(RUN("ip", "-n", netns, "link", "set", "lo", "up"), 0);
        assert_int_equal(
                RUN("ip", "-n", netns, "link", "add", "ve0", "type", "veth", "peer", "ve1"), 0);
        assert_int_equal(RUN("ip", "-n", netns, "addr", "add", "10.99.0.1/24", "dev", "ve0"), 0);
        assert_int_equal(RUN("ip", "-n", netns, "link", "set", "ve1", "up"), 0);
        assert_int_equal(RUN("ip", "-n", netns, "link", "set", "ve0", "up"), 0);

        assert_int_equal(start(), 0);
        assert_int_equal(keepalived_track(k, TRACK_FIT), 1);
        start_daemon();
        assert_true(until_state(VRRP_MASTER));
        assert_int_equal(keepalived_track(k, TRACK_UNFIT), 1);
        assert_true(until_state(VRRP_FAULT));
        assert_int_equal(keepalived_track(k, TRACK_FIT), 1);
        assert_true(until_state(VRRP_MASTER));

        assert_int_equal(unlink(fifo), 0); /* it goes on writing to the one it has */
        assert_int_equal(keepalived_track(k, TRACK_UNFIT), 1);
        assert_true(until_state(VRRP_FAULT));
        assert_int_equal(kill(daemon_pid, SIGHUP),
                         0); /* now it opens the new one, or keeps the old */
        settle();
        assert_int_equal(keepalived_track(k, TRACK_FIT), 1);
        assert_true(until_state(VRRP_MASTER));

        stop_daemon();
        assert_true(until_state(VRRP_STOP));
        assert_file(state, "STOP\n");
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        const struct CMUnitTest tests[] = {
                CASE(test_track),
                CASE(test_directories_are_made),
                CASE(test_nothing_configured),
                CASE(test_level),
                CASE(test_instance),
                CASE(test_split_and_garbage),
                CASE(test_backlog),
                CASE(test_refused),
                CASE(test_fifo_replaced),
                CASE(test_remembered),
                CASE(test_real_keepalived),
        };

        log_set_level(LOG_ERROR); /* the garbage is ours */
        return cmocka_run_group_tests(tests, NULL, NULL);
}
