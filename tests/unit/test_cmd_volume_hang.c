/* A disk that hangs: the image lies in a file system that is frozen, so every write to the disk
 * waits until it thaws, in the kernel, where no signal reaches. The commands leave by their
 * deadline all the same; nothing starts beside what is still stuck; when the disk is back all goes
 * on. */
#include "hamon/volume_mnt.h"
#include "tests/unit/disk.h"
#include "tests/unit/step_fixture.h"

static bool able;
static struct disk outer, inner;
static char frame[160], where[160];
static int guard_pipe = -1; /* our death closes it */
static pid_t guard;

/* A frozen file system outlives us; whatever becomes of this test, it thaws. */
static pid_t start_guard(void)
{
        int ends[2];
        char byte;

        assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                close(ends[1]);
                int fd = open(frame, O_RDONLY | O_DIRECTORY);
                while (read(ends[0], &byte, 1) > 0)
                        continue;
                ioctl(fd, FITHAW, 0);
                _exit(0);
        }
        close(ends[0]);
        guard_pipe = ends[1];
        return pid;
}

static int up(void **unused)
{
        (void)unused;
        able = disk_able();
        if (step_up() < 0)
                return -1;
        str_copy(frame, sizeof frame, at(&sx.dir, "frame"));
        str_copy(where, sizeof where, at(&sx.dir, "mail"));
        if (!able)
                return 0;
        struct tmp inside;
        disk_make(&sx.dir, &outer, "outer", "11111111-0000-0000-0000-000000000000", 64);
        if (mkdir(frame, 0700) < 0 || mount(outer.device, frame, "ext4", 0, NULL) < 0)
                return -1;
        str_copy(inside.path, sizeof inside.path, frame);
        disk_make(&inside, &inner, "disk", DISK_UUID, 16);
        guard = start_guard();
        return 0;
}

static int down(void **unused)
{
        (void)unused;
        if (able) {
                end_child(&guard);
                closep(&guard_pipe);
                disk_detach(&inner);
                umount2(frame, MNT_DETACH);
                disk_detach(&outer);
        }
        step_down();
        return 0;
}

static int before(void **unused)
{
        (void)unused;
        lease_reset();
        step_configure("[volume]\nprovider = local\ndevice = %s\nmount = %s\nuuid = " DISK_UUID
                       "\n",
                       inner.device, where);
        return 0;
}

static int after(void **unused)
{
        (void)unused;
        CLEANUP(closep) int fd = open(frame, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (able && fd >= 0)
                ioctl(fd, FITHAW, 0); /* an error if it has thawed: fine */
        return 0;
}

#define NEEDS_ROOT()            \
        do {                    \
                if (!able)      \
                        skip(); \
        } while (0)

/* Until whatever was stuck has come to its end. */
static bool umounts(void)
{
        step_run((const char *const[]){ "volume", "umount", "--timeout", "2s", NULL });
        return sx.ran.code == 0;
}

static void mount_hangs(void **unused)
{
        (void)unused;
        NEEDS_ROOT();
        disk_freeze(frame, true);
        msec_t began = clock_ms();
        STEP(75, "the disk does not answer: mount of", "volume", "mount", "--timeout", "1500ms");
        assert_in_range(clock_ms() - began, 1000, PATIENCE_MS);
        /* the stuck one may mount it yet: nobody else begins anything */
        STEP(75, "another step is still under way: volume mount", "volume", "mount", "--timeout",
             "300ms");
        STEP(75, "another step is still under way: volume mount", "volume", "umount", "--timeout",
             "300ms");
        disk_freeze(frame, false);
        EVENTUALLY(umounts());
        STEP(0, "is mounted", "volume", "mount");
        STEP(0, "is free", "volume", "umount");
}

static void umount_hangs(void **unused)
{
        char file[200];

        (void)unused;
        NEEDS_ROOT();
        STEP(0, "is mounted", "volume", "mount");
        snprintf(file, sizeof file, "%s/mail", where);
        put_file(file, "accepted");
        disk_freeze(frame, true);
        STEP(75, "the disk does not answer: umount of", "volume", "umount", "--timeout", "1s");
        disk_freeze(frame, false);
        EVENTUALLY(umounts());
        STEP(0, "is mounted", "volume", "mount");
        assert_true(file_holds(file, "accepted"));
        STEP(0, "is free", "volume", "umount");
}

/* Mounted, and then the epoch cannot be written: it does not stay mounted without. */
static void epoch_hangs(void **unused)
{
        struct volume_mnt m;

        (void)unused;
        NEEDS_ROOT();
        pid_t pid = step_start((const char *const[]){ "volume", "mount", "--timeout", "2s", NULL },
                               NULL);
        EVENTUALLY(volume_mnt_look(where, &m) == 0 && m.count > 0);
        disk_freeze(frame, true);
        int code = wait_end(&pid);
        disk_freeze(frame, false);
        if (code == 0) /* it was quicker than we */
                assert_true(umounts());
        else
                assert_int_equal(code, 75);
        EVENTUALLY(umounts());
        assert_int_equal(volume_mnt_look(where, &m), 0);
        assert_int_equal(m.count, 0);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, before, after)

int main(void)
{
        const struct CMUnitTest tests[] = {
                CASE(mount_hangs),
                CASE(umount_hangs),
                CASE(epoch_hangs),
        };

        return cmocka_run_group_tests(tests, up, down);
}
