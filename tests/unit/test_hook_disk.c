/* A hook that hangs in the kernel, on a file system that is frozen under it: SIGKILL does not end
 * it, and so, by R, it has not ended (for us, and for the next daemon) before the kernel lets it
 * go. The events' writer on such a disk hangs alone. */
#include "tests/unit/disk.h"
#include "tests/unit/hook_fixture.h"

#include "hamon/events.h"

static const char *const ENV[] = { "PATH=/usr/bin:/bin", NULL };
static struct disk disk;
static char where[64];
static bool able; /* root, and loop devices */

static int setup(void **state)
{
        hook_setup(state);
        if (!able)
                return 0;
        disk_make(&tmp, &disk, "image", DISK_UUID, 16);
        str_copy(where, sizeof where, at(&tmp, "mnt"));
        mkdir(where, 0755);
        assert_int_equal(mount(disk.device, where, "ext4", 0, NULL), 0);
        return 0;
}

static int teardown(void **state)
{
        if (able)
                umount2(where, MNT_DETACH);
        disk_detach(&disk);
        return hook_teardown(state);
}

static void start_hanging(msec_t deadline)
{
        const char *path = at(&tmp, "script");

        put_file(path,
                 "#!/bin/sh\necho $$ >%s/script-pid\n(echo x >%s/file) &\necho $! >%s/pid\nwait\n",
                 tmp.path, where, tmp.path);
        chmod(path, 0700);
        disk_freeze(where, true);
        assert_int_equal(start_path(path, ENV, deadline), 0);
}

static bool hangs(const char *file)
{
        char pid[32] = "", path[64];
        CLEANUP(closep) int fd = open(at(&tmp, file), O_RDONLY);

        if (fd < 0 || read(fd, pid, sizeof pid - 1) <= 0)
                return false;
        pid[strcspn(pid, "\n")] = '\0';
        snprintf(path, sizeof path, "/proc/%s/stat", pid);
        return file_has(path, ") D ");
}

static bool is_there(const char *file)
{
        char pid[32] = "";
        CLEANUP(closep) int fd = open(at(&tmp, file), O_RDONLY);

        assert_true(fd >= 0 && read(fd, pid, sizeof pid - 1) > 0);
        return kill((pid_t)strtol(pid, NULL, 10), 0) == 0;
}

static void test_hanging_hook(void **unused)
{
        (void)unused;
        if (!able)
                skip();
        start_hanging(60000);
        TURN_UNTIL(hangs("pid"));
        hook_kill(hook, true);
        TURN_UNTIL(!is_there("script-pid")); /* what can be killed is */
        TURN_UNTIL(file_has(at(&tmp, "log"), "level=error event=hook_stuck hook=test"));
        assert_int_equal(results, 0);
        assert_true(hook_busy(hook) && hangs("pid"));
        assert_int_equal(start_path(at(&tmp, "script"), ENV, 1000), -EBUSY);
        disk_freeze(where, false);
        await_result();
        assert_int_equal(result.end, HOOK_KILLED);
        assert_false(is_there("pid"));
}

static void test_hanging_leftover(void **unused)
{
        (void)unused;
        if (!able)
                skip();
        start_hanging(60000);
        TURN_UNTIL(hangs("pid"));
        hook_free(hook); /* this daemon ends; the keeper sees it, and cannot do all of its work */
        TURN_UNTIL(!is_there("script-pid"));
        assert_int_equal(hook_new(&loop, at(&tmp, "run/hook"), on_result, &result, &hook), 0);
        assert_true(hook_busy(hook));
        for (msec_t end = clock_ms() + 500; clock_ms() < end; turn())
                assert_int_equal(results, 0);
        disk_freeze(where, false);
        await_result();
        assert_int_equal(result.id, 0);
        assert_false(is_there("pid"));
}

static void test_hanging_events(void **unused)
{
        char file[96];
        struct events *events;

        (void)unused;
        if (!able)
                skip();
        snprintf(file, sizeof file, "%s/events", where);
        assert_int_equal(events_new(&loop, file, "n1", &events), 0);
        events_add(events, &(struct happening){ .kind = EVENT_START, .took = -1 });
        EVENTUALLY(file_has(file, "\"start\""));
        disk_freeze(where, true);
        msec_t began = clock_ms();
        for (int i = 0; i < 100; i++)
                events_add(events, &(struct happening){ .kind = EVENT_STEP, .took = i });
        assert_true(clock_ms() - began < PATIENCE_MS);
        assert_false(file_has(file, "\"step\""));
        events_free(events); /* the daemon may end, too */
        disk_freeze(where, false);
        EVENTUALLY(file_has(file, "\"ms\":99}\n"));
        EVENTUALLY(waitpid(-1, NULL, WNOHANG) < 0);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(test_hanging_hook),
                TEST(test_hanging_leftover),
                TEST(test_hanging_events),
        };

        able = disk_able();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
