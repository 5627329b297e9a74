/* lib/child: what comes back from a child, what is killed, and what a stuck child keeps. */
#include "lib/child.h"
#include "tests/unit/harness.h"

#include <sys/file.h>

struct job {
        int value;
        char text[32];
        pid_t pid;
};

static int add_one(void *arg)
{
        struct job *j = arg;

        j->value++;
        j->pid = getpid();
        str_copy(j->text, sizeof j->text, "done");
        return 7;
}

static int fail_it(void *arg)
{
        ((struct job *)arg)->value = 99;
        return -EBUSY;
}

static int crash(void *arg)
{
        (void)arg;
        signal(SIGKILL, SIG_DFL);
        raise(SIGKILL);
        return 0;
}

static int sleep_long(void *arg)
{
        (void)arg;
        for (;;)
                pause();
        return 0;
}

static void results(void **unused)
{
        struct job j = { .value = 1 };

        (void)unused;
        assert_int_equal(child_call(add_one, &j, sizeof j, 5000, NULL), 7);
        assert_int_equal(j.value, 2);
        assert_string_equal(j.text, "done");
        assert_int_not_equal(j.pid, getpid());
        assert_int_equal(child_call(fail_it, &j, sizeof j, 5000, NULL), -EBUSY);
        assert_int_equal(j.value, 99);
        j.value = 5;
        assert_int_equal(child_call(crash, &j, sizeof j, 5000, NULL), -EIO);
        assert_int_equal(j.value, 5);
        assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* none is left */
}

static void count(void *arg)
{
        ++*(unsigned *)arg;
}

static void deadline(void **unused)
{
        struct job j = { .value = 1 };
        unsigned ticks = 0;
        const struct child_tick tick = { count, &ticks };
        msec_t began = clock_ms();

        (void)unused;
        assert_int_equal(child_call(sleep_long, &j, sizeof j, 300, &tick), -ETIMEDOUT);
        assert_in_range(clock_ms() - began, 300, PATIENCE_MS);
        assert_in_range(ticks, 2, 200);
        assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* killed, and reaped */
}

/* Killed together with whoever waits for it. */
static void dies_with_parent(void **unused)
{
        int pipes[2];
        char byte;

        (void)unused;
        assert_int_equal(pipe(pipes), 0);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                struct job j = { .value = 0 };
                close(pipes[0]);
                child_call(sleep_long, &j, sizeof j, 60000, NULL);
                _exit(0);
        }
        close(pipes[1]);
        nap();
        end_child(&pid);
        struct pollfd p = { .fd = pipes[0], .events = POLLIN };
        assert_int_equal(poll(&p, 1, PATIENCE_MS), 1); /* both ends of it are closed */
        assert_int_equal(read(pipes[0], &byte, 1), 0);
        close(pipes[0]);
}

static void programs(void **unused)
{
        static const struct {
                const char *script, *input;
                int want, code;
                const char *says;
        } ROWS[] = {
                { "cat; echo err >&2", "hello\n", 0, 0, "hello\nerr\n" },
                { "exit 3", NULL, 0, 3, "" },
                { "kill -9 $$", NULL, -EIO, -1, "" },
                { "echo early; sleep 1000", NULL, -ETIMEDOUT, -1, "early\n" },
                { "echo ${SECRET:-none} $PATH", NULL, 0, 0,
                  "none /usr/sbin:/usr/bin:/sbin:/bin\n" },
        };
        (void)unused;

        setenv("SECRET", "x", 1);
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
                const char *argv[] = { "/bin/sh", "-c", ROWS[i].script, NULL };
                CLEANUP(buf_done) struct buf out = BUF(4096);
                int code = -1;
                msec_t limit = ROWS[i].want == -ETIMEDOUT ? 700 : PATIENCE_MS;

                assert_int_equal(child_program(argv, ROWS[i].input, limit, NULL, &out, &code),
                                 ROWS[i].want);
                assert_int_equal(code, ROWS[i].code);
                assert_string_equal(buf_str(&out), ROWS[i].says);
        }
        const char *absent[] = { "/no/such/program", NULL };
        int code = 0;
        assert_int_equal(child_program(absent, NULL, 1000, NULL, NULL, &code), -ENOENT);
}

/* More than the buffer takes is cut, and nobody waits for a reader. */
static void much_output(void **unused)
{
        const char *argv[] = { "/bin/sh", "-c", "head -c 500000 /dev/zero", NULL };
        CLEANUP(buf_done) struct buf out = BUF(64 * 1024);
        int code = -1;

        (void)unused;
        assert_int_equal(child_program(argv, NULL, PATIENCE_MS, NULL, &out, &code), 0);
        assert_int_equal(code, 0);
        assert_in_range(out.len, 1, 64 * 1024);
}

/* As a mount that hangs does: the lock of the step stays taken while the child lives. */
static int hold_on(void *arg)
{
        return sleep_long(arg);
}

static void keeps_the_lock(void **unused)
{
        struct tmp dir;
        int ready[2];
        char byte;

        (void)unused;
        assert_int_equal(tmp_make(&dir), 0);
        assert_int_equal(pipe(ready), 0);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                struct job j = { .value = 0 };
                int fd = open(at(&dir, "lock"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
                if (fd < 0 || flock(fd, LOCK_EX) < 0 || write(ready[1], "x", 1) != 1)
                        _exit(1);
                child_call(hold_on, &j, sizeof j, 60000, NULL);
                _exit(0);
        }
        assert_int_equal(read(ready[0], &byte, 1), 1);
        int fd = open(at(&dir, "lock"), O_RDWR | O_CREAT, 0600);
        assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), -1);
        end_child(&pid);
        EVENTUALLY(flock(fd, LOCK_EX | LOCK_NB) == 0); /* the child died with it */
        close(fd);
        close(ready[0]);
        close(ready[1]);
        tmp_remove(&dir);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(results),          cmocka_unit_test(deadline),
                cmocka_unit_test(dies_with_parent), cmocka_unit_test(programs),
                cmocka_unit_test(much_output),      cmocka_unit_test(keeps_the_lock),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
