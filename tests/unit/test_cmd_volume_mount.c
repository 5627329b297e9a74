/* `hamon volume mount` and `umount`, the real program on real loop devices in a mount namespace of
 * the test's own: only the right file system, only by the right epoch, and every disk that hangs is
 * left by its deadline. Provider local; what it has no say in is in test_cmd_volume_attach.c. */
#include "hamon/epoch_file.h"
#include "hamon/volume_mnt.h"
#include "tests/unit/disk.h"
#include "tests/unit/step_fixture.h"

static bool able;
static struct disk disk;
static char where[160], device[160]; /* device: a link, as udev makes them */

static const struct epoch_mark OURS = { .epoch = 12, .incarnation = 0xdeadbeef, .holder = "n1" };

static int up(void **unused)
{
        (void)unused;
        able = disk_able();
        if (step_up() < 0)
                return -1;
        str_copy(where, sizeof where, at(&sx.dir, "srv/mail"));
        str_copy(device, sizeof device, at(&sx.dir, "by-id"));
        return 0;
}

static int down(void **unused)
{
        (void)unused;
        step_down();
        return 0;
}

static void configure(const char *more)
{
        step_configure("[volume]\nprovider = local\ndevice = %s\nmount = %s\nuuid = " DISK_UUID
                       "\n%s",
                       device, where, more);
}

static void use(const char *path)
{
        unlink(device);
        assert_int_equal(symlink(path, device), 0);
}

static int before(void **unused)
{
        (void)unused;
        lease_reset();
        unsetenv("HAMON_INCARNATION");
        configure("");
        if (!able)
                return 0;
        disk_make(&sx.dir, &disk, "image", DISK_UUID, 16);
        use(disk.device);
        return 0;
}

static unsigned mounts(void)
{
        struct volume_mnt m;

        assert_int_equal(volume_mnt_look(where, &m), 0);
        return m.count;
}

static int after(void **unused)
{
        (void)unused;
        while (able && mounts() > 0)
                if (umount2(where, MNT_DETACH) < 0)
                        return -1;
        rmdir(where);
        if (able)
                disk_detach(&disk);
        return 0;
}

#define NEEDS_ROOT()            \
        do {                    \
                if (!able)      \
                        skip(); \
        } while (0)

static void mark_is(const struct epoch_mark *want)
{
        struct epoch_mark have;

        assert_int_equal(epoch_file_read(where, &have), 0);
        assert_int_equal(epoch_file_compare(&have, want), EPOCH_SAME);
}

/* ---- as it should be ---- */

static void there_and_back(void **unused)
{
        struct stat st;

        (void)unused;
        NEEDS_ROOT();
        STEP(0, "is mounted on", "volume", "mount");
        assert_int_equal(mounts(), 1);
        mark_is(&OURS);
        assert_int_equal(stat(where, &st), 0);
        STEP(0, "\"result\":\"already\"", "volume", "mount", "--json");
        assert_int_equal(mounts(), 1);
        STEP(0, "is free", "volume", "umount");
        assert_int_equal(mounts(), 0);
        STEP(0, "\"result\":\"already\"", "volume", "umount", "--json");

        CLEANUP(freep) char *info = NULL;
        STEP(0, "is mounted on", "volume", "mount");
        assert_int_equal(read_file("/proc/self/mountinfo", 1024L * 1024, &info, NULL), 0);
        const char *line = strstr(info, where);
        assert_non_null(line);
        assert_int_equal(strncmp(line + strlen(where), " rw,nosuid,nodev,noatime ", 25), 0);
        assert_non_null(strstr(line, "errors=remount-ro"));
}

/* The way to the mount point may be a link, and end in a slash. */
static void by_a_link(void **unused)
{
        char link[160], text[512];

        (void)unused;
        NEEDS_ROOT();
        str_copy(link, sizeof link, at(&sx.dir, "link"));
        assert_int_equal(symlink(at(&sx.dir, "srv"), link), 0);
        snprintf(text, sizeof text,
                 "[volume]\nprovider = local\ndevice = %s\nmount = %s/mail/\nuuid = " DISK_UUID
                 "\n",
                 device, link);
        step_configure("%s", text);
        STEP(0, "is mounted on", "volume", "mount");
        assert_int_equal(mounts(), 1);
        STEP(0, "\"already\"", "volume", "mount", "--json");
        assert_int_equal(mounts(), 1);
        STEP(0, "is free", "volume", "umount");
        assert_int_equal(mounts(), 0);
        unlink(link);
}

/* ---- nothing but the right file system ---- */

static void wrong_disks(void **unused)
{
        static const struct {
                const char *make, *config; /* make: NULL = an empty disk */
                int code;
                const char *says;
        } ROWS[] = {
                { "99999999-2222-3333-4444-555555555555", "", 1,
                  "there is ext4 99999999-2222-3333-4444-555555555555" },
                { DISK_UUID, "fstype = xfs\n", 1, "and [volume] wants xfs" },
                { NULL, "", 1, "there is no file system" },
                { DISK_UUID, "options = nonsense\n", 1, "the kernel refuses ext4 with options" },
        };

        (void)unused;
        NEEDS_ROOT();
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
                disk_detach(&disk);
                disk_make(&sx.dir, &disk, "image", ROWS[i].make, 16);
                use(disk.device);
                configure(ROWS[i].config);
                STEP(ROWS[i].code, ROWS[i].says, "volume", "mount");
                assert_int_equal(mounts(), 0);
        }
        configure("");
        use("/dev/null");
        STEP(1, "is no block device", "volume", "mount");
        unlink(device);
        STEP(75, "although it is attached", "volume", "mount", "--timeout", "1500ms");
        STEP(0, "\"already\"", "volume", "umount", "--json"); /* no device is a free device */
        step_configure("[volume]\nprovider = local\ndevice = %s\nmount = %s\n", device, where);
        STEP(1, "[volume] uuid must be set", "volume", "mount");
}

/* udev may take its time. */
static void late_device(void **unused)
{
        (void)unused;
        NEEDS_ROOT();
        unlink(device);
        pid_t pid = step_start((const char *const[]){ "volume", "mount", NULL }, NULL);
        EVENTUALLY(sx.lease->asked >= 2);
        assert_int_equal(ended(&pid), -1);
        use(disk.device);
        assert_int_equal(wait_end(&pid), 0);
        assert_int_equal(mounts(), 1);
}

static void wrong_places(void **unused)
{
        char file[200];

        (void)unused;
        NEEDS_ROOT();
        snprintf(file, sizeof file, "%s/written-while-unmounted", where);
        assert_int_equal(make_parents(file), 0);
        put_file(file, "x");
        STEP(1, "is not empty", "volume", "mount");
        assert_int_equal(mounts(), 0);
        unlink(file);
        assert_int_equal(mount("none", where, "tmpfs", 0, NULL), 0);
        STEP(1, "something else is mounted", "volume", "mount");
        assert_int_equal(umount(where), 0);
        assert_int_equal(rmdir(where), 0);
        put_file(where, "x");
        STEP(1, "is no directory", "volume", "mount");
        unlink(where);

        CLEANUP(closep) int fd = open(disk.device, O_RDONLY | O_EXCL | O_CLOEXEC);
        STEP(75, "is held by something on this node", "volume", "mount");
        closep(&fd);
        STEP(0, "is mounted", "volume", "mount");
        assert_int_equal(mount(where, where, NULL, MS_BIND, NULL), 0);
        STEP(1, "2 mounts lie over each other", "volume", "mount");
        STEP(0, "is free", "volume", "umount"); /* both */
        assert_int_equal(mounts(), 0);

        STEP(0, "is mounted", "volume", "mount");
        assert_int_equal(mount(NULL, where, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
        STEP(1, "is mounted read-only", "volume", "mount");
}

static void lease_needed(void **unused)
{
        (void)unused;
        NEEDS_ROOT();
        sx.lease->mood = LEASE_NO;
        STEP(1, "we do not have the lease", "volume", "mount");
        assert_int_equal(mounts(), 0);
        for (unsigned n = 1, last = 1; last != 0; n++) { /* gone at each question */
                lease_reset();
                sx.lease->no_after = n;
                assert_in_range(n, 1, 30);
                step_run((const char *const[]){ "volume", "mount", NULL });
                last = (unsigned)sx.ran.code;
                assert_int_equal(mounts(), last == 0);
                assert_true(last == 0 || last == 1);
        }
        mark_is(&OURS);
        STEP(0, "is free", "volume", "umount");
        lease_reset();
        sx.lease->incarnation[0] = '\0';
        STEP(1, "tells our incarnation", "volume", "mount");
        setenv("HAMON_INCARNATION", "00000000deadbeef", 1);
        STEP(0, "is mounted", "volume", "mount");
        mark_is(&OURS);
        STEP(0, "is free", "volume", "umount");
        sx.lease->mood = LEASE_NO; /* it needs none */
        STEP(0, "\"already\"", "volume", "umount", "--json");
}

/* ---- the epoch ---- */

static void put_mark(const struct epoch_mark *m, const char *text)
{
        char path[200];

        snprintf(path, sizeof path, "%s/" EPOCH_FILE, where);
        assert_int_equal(make_parents(path), 0);
        assert_int_equal(mount(disk.device, where, "ext4", 0, NULL), 0);
        if (m)
                assert_int_equal(epoch_file_write(where, m), 0);
        else
                put_file(path, "%s", text);
        assert_int_equal(umount(where), 0);
}

static void epochs(void **unused)
{
        static const struct {
                struct epoch_mark file;
                int code;
                uint64_t told;
        } ROWS[] = {
                { { 3, 0xdeadbeef, "n1" }, 0, 0 },
                { { 11, 5, "n2" }, 0, 0 },
                { { 12, 0xdeadbeef, "n1" }, 0, 0 },
                { { 12, 0xdeadbeef, "n2" }, 75, 12 },
                { { 12, 5, "n1" }, 75, 12 },
                { { 13, 0xdeadbeef, "n1" }, 75, 13 },
                { { 4000000000, 5, "n3" }, 75, 4000000000 },
        };

        (void)unused;
        NEEDS_ROOT();
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
                lease_reset();
                put_mark(&ROWS[i].file, NULL);
                STEP(ROWS[i].code, ROWS[i].code ? "not mounted; the lease goes beyond it" : "is m",
                     "volume", "mount");
                assert_true(sx.lease->told == ROWS[i].told);
                assert_int_equal(mounts(), ROWS[i].code == 0);
                if (ROWS[i].code == 0) {
                        mark_is(&OURS);
                        STEP(0, "is free", "volume", "umount");
                        continue;
                }
                /* the daemon heard it, and claims beyond */
                sx.lease->epoch = sx.lease->told + 1;
                STEP(0, "is mounted", "volume", "mount");
                STEP(0, "is free", "volume", "umount");
        }
}

/* Mounted already, and somebody wrote a newer epoch: not ours, and not ours to unmount. */
static void newer_while_mounted(void **unused)
{
        const struct epoch_mark newer = { .epoch = 20, .incarnation = 1, .holder = "n2" };

        (void)unused;
        NEEDS_ROOT();
        STEP(0, "is mounted", "volume", "mount");
        assert_int_equal(epoch_file_write(where, &newer), 0);
        STEP(75, "last held by n2 in epoch 20, and ours is 12", "volume", "mount");
        assert_true(sx.lease->told == 20);
        assert_int_equal(mounts(), 1);
        mark_is(&newer);
}

static void damaged(void **unused)
{
        (void)unused;
        NEEDS_ROOT();
        put_mark(NULL, "hamon-epoch 1 epoch=");
        STEP(1, "is damaged: who had this volume last is not known", "volume", "mount");
        assert_int_equal(mounts(), 0);
        STEP(1, "hamon volume mount --force-epoch", "volume", "mount");
        STEP(0, "is mounted", "volume", "mount", "--force-epoch");
        mark_is(&OURS);
        char aside[200];
        snprintf(aside, sizeof aside, "%s/" EPOCH_FILE ".bad", where);
        assert_true(file_holds(aside, "hamon-epoch 1 epoch="));
        STEP(0, "is free", "volume", "umount");

        /* a newer one is not damage, and no flag gets past it */
        const struct epoch_mark newer = { .epoch = 20, .incarnation = 1, .holder = "n2" };
        put_mark(&newer, NULL);
        STEP(75, "last held by n2", "volume", "mount", "--force-epoch");

        /* repair by hand: nothing of ours is written */
        sx.lease->mood = LEASE_SILENT;
        STEP(0, "is mounted", "volume", "mount", "--no-lease", "--yes");
        mark_is(&newer);
}

/* The program is killed at some moment, the power goes, another tries: it gets there each time. */
static void killed_anywhere(void **unused)
{
        unsigned finished = 0, before_mount = 0;

        (void)unused;
        NEEDS_ROOT();
        for (unsigned round = 0; round < 12; round++) {
                lease_reset();
                sx.lease->epoch = 12 + round;
                pid_t pid = step_start((const char *const[]){ "volume", "mount", NULL }, NULL);
                if (round % 3 == 1)
                        EVENTUALLY(sx.lease->asked >= 4 || ended(&pid) == 0);
                else if (round % 3 == 2)
                        EVENTUALLY(mounts() > 0);
                end_child(&pid);
                finished += mounts() > 0;
                before_mount += mounts() == 0;
                EVENTUALLY(access(device, F_OK) == 0);
                if (mounts() > 0) {
                        disk_power_cut(where);
                        STEP(0, "is free", "volume", "umount");
                }
                STEP(0, "is mounted", "volume", "mount");
                struct epoch_mark now = OURS;
                now.epoch = 12 + round;
                mark_is(&now);
                STEP(0, "is free", "volume", "umount");
        }
        assert_true(finished > 0 && before_mount > 0);
}

/* ---- in use ---- */

static void busy(void **unused)
{
        char file[200];

        (void)unused;
        NEEDS_ROOT();
        STEP(0, "is mounted", "volume", "mount");
        snprintf(file, sizeof file, "%s/mail", where);
        int fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        STEP(75, "is still in use", "volume", "umount", "--timeout", "400ms");
        assert_int_equal(mounts(), 1);
        /* it goes on as soon as it can */
        pid_t pid = step_start((const char *const[]){ "volume", "umount", NULL }, NULL);
        EVENTUALLY(file_has(at(&sx.dir, "step-volume.lock"), "umount"));
        closep(&fd);
        assert_int_equal(wait_end(&pid), 0);
        assert_int_equal(mounts(), 0);
}

/* A container with its own copy of the mount: umount works, and the device is not free. */
static void copied(void **unused)
{
        int ready[2], go[2];
        char byte;

        (void)unused;
        NEEDS_ROOT();
        STEP(0, "is mounted", "volume", "mount");
        assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
        assert_int_equal(pipe2(go, O_CLOEXEC), 0);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                close(go[1]);
                if (unshare(CLONE_NEWNS) < 0 || write(ready[1], "x", 1) != 1)
                        _exit(1);
                _exit(read(go[0], &byte, 1) < 0);
        }
        close(go[0]);
        assert_int_equal(read(ready[0], &byte, 1), 1);
        STEP(75, "a container has a copy of the mount", "volume", "umount", "--timeout", "1s");
        assert_int_equal(mounts(), 0);
        STEP(75, "is held by something", "volume", "mount");
        close(go[1]);
        STEP(0, "is free", "volume", "umount");
        waitpid(pid, NULL, 0);
        close(ready[0]);
        close(ready[1]);
}

/* ---- lock files ---- */

static void locks(void **unused)
{
        char lock[240];

        (void)unused;
        NEEDS_ROOT();
        snprintf(lock, sizeof lock, "%s/vmail/a.test/bob/Maildir/dovecot-uidlist.lock", where);
        for (int on = 1; on >= 0; on--) {
                configure(on ? "" : "lock_scan = 0s\n");
                STEP(0, "is mounted", "volume", "mount");
                assert_int_equal(make_parents(lock), 0);
                put_file(lock, "x");
                STEP(0, "is mounted", "volume", "mount"); /* mounted already: Dovecot may run */
                assert_int_equal(access(lock, F_OK), 0);
                STEP(0, "is free", "volume", "umount");
                STEP(0, on ? "\"locks_removed\":1" : "\"result\":\"done\"", "volume", "mount",
                     "--json");
                assert_int_equal(access(lock, F_OK), on ? -1 : 0);
                STEP(0, "is free", "volume", "umount");
        }
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, before, after)

int main(void)
{
        const struct CMUnitTest tests[] = {
                CASE(there_and_back), CASE(by_a_link),
                CASE(wrong_disks),    CASE(late_device),
                CASE(wrong_places),   CASE(lease_needed),
                CASE(epochs),         CASE(newer_while_mounted),
                CASE(damaged),        CASE(killed_anywhere),
                CASE(busy),           CASE(copied),
                CASE(locks),
        };

        return cmocka_run_group_tests(tests, up, down);
}
