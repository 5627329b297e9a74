/* The mount point, the device and the lock files, below the commands: what /proc says, which
 * options mean what, what is on a disk, which files go. */
#include "hamon/volume_dev.h"
#include "hamon/volume_locks.h"
#include "hamon/volume_mnt.h"
#include "tests/unit/disk.h"

#include <sys/sysmacros.h>

static struct tmp dir;
static bool able;

static int begin(void **unused)
{
        (void)unused;
        able = disk_able();
        return tmp_make(&dir);
}

static int end(void **unused)
{
        (void)unused;
        tmp_remove(&dir);
        return 0;
}

static void mountinfo(void **unused)
{
        static const char TEXT[] =
                "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
                "36 22 8:16 / /srv/mail rw,noatime shared:7 master:2 - ext4 /dev/sdb rw,errors=x\n"
                "37 22 0:44 / /srv/my\\040mail rw - btrfs /dev/disk/by-id/a\\134b rw\n"
                "38 22 8:32 / /srv/two rw - ext4 /dev/sdc rw\n"
                "39 38 8:48 / /srv/two ro,noatime - xfs /dev/sdd rw\n"
                "40 22 8:64 / /srv/dead rw - ext4 /dev/sde rw,emergency_ro\n"
                "41 22 8:65 / /srv/dead2 rw - ext4 /dev/sdf ro\n"
                "no line at all\n"
                "42 22 8:80 / /srv/short rw -\n"
                "43 22 8:81 / /srv/last rw - ext4 /dev/sdg rw";
        static const struct {
                const char *where, *source;
                unsigned count, minor;
                bool read_only;
        } ROWS[] = {
                { "/", "/dev/sda1", 1, 1, false },
                { "/srv/mail", "/dev/sdb", 1, 16, false },
                { "/srv/my mail", "/dev/disk/by-id/a\\b", 1, 44, false },
                { "/srv/two", "/dev/sdd", 2, 48, true },
                { "/srv/dead", "/dev/sde", 1, 64, true },
                { "/srv/dead2", "/dev/sdf", 1, 65, true },
                { "/srv/last", "/dev/sdg", 1, 81, false },
                { "/srv/short", "", 0, 0, false },
                { "/srv", "", 0, 0, false },
                { "/srv/mai", "", 0, 0, false },
        };
        struct volume_mnt m;

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
                volume_mnt_parse(TEXT, ROWS[i].where, &m);
                assert_int_equal(m.count, ROWS[i].count);
                assert_string_equal(m.source, ROWS[i].source);
                assert_int_equal(minor(m.dev), ROWS[i].minor);
                assert_int_equal(m.read_only, ROWS[i].read_only);
        }
        assert_int_equal(volume_mnt_look("/proc", &m), 0);
        assert_true(m.count >= 1);
        assert_string_equal(m.type, "proc");
}

static void options(void **unused)
{
        static const struct {
                const char *words;
                unsigned long flags;
                const char *data;
        } ROWS[] = {
                { "", 0, "" },
                { "rw", 0, "" },
                { "noatime,nodev,nosuid", MS_NOATIME | MS_NODEV | MS_NOSUID, "" },
                { "errors=remount-ro,noatime,,commit=5", MS_NOATIME, "errors=remount-ro,commit=5" },
                { "noexec,compress=zstd", MS_NOEXEC, "compress=zstd" },
                { "noatimes", 0, "noatimes" },
        };
        unsigned long flags;
        char data[64], small[8];

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
                assert_int_equal(volume_mnt_options(ROWS[i].words, &flags, data, sizeof data), 0);
                assert_int_equal(flags, ROWS[i].flags);
                assert_string_equal(data, ROWS[i].data);
        }
        assert_int_equal(volume_mnt_options("errors=remount-ro", &flags, small, sizeof small),
                         -E2BIG);
}

static void directory(void **unused)
{
        const char *where = at(&dir, "a/b/mnt"), *file = at(&dir, "file");
        struct stat st;

        (void)unused;
        assert_int_equal(volume_mnt_prepare(where), 0);
        assert_int_equal(stat(where, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0755);
        assert_int_equal(volume_mnt_prepare(where), 0);
        put_file(at(&dir, "a/b/mnt/mail"), "x");
        assert_int_equal(volume_mnt_prepare(where), -ENOTEMPTY);
        put_file(file, "x");
        assert_int_equal(volume_mnt_prepare(file), -ENOTDIR);
}

/* ---- the device ---- */

static void devices(void **unused)
{
        struct disk ext = { .device = "" }, empty = { .device = "" }, swap = { .device = "" };
        static struct ran ran;
        char found[128];
        dev_t number = 0;

        (void)unused;
        if (!able)
                skip();
        disk_make(&dir, &ext, "ext", DISK_UUID, 8);
        disk_make(&dir, &empty, "empty", NULL, 8);
        disk_fill(&dir, &swap, "swap", 8);
        RUN(&dir, &ran, "/sbin/mkswap", "-U", DISK_UUID, swap.image);
        assert_int_equal(ran.code, 0);
        assert_true(disk_attach(&swap));

        assert_int_equal(volume_dev_find("/dev/no-such-disk", &number), -ENOENT);
        assert_int_equal(volume_dev_find("/dev/null", &number), -ENOTBLK);
        assert_int_equal(volume_dev_find(ext.device, &number), 0);
        assert_int_equal(major(number), 7);

        static const char OTHER[] = "99999999-2222-3333-4444-555555555555";
        const struct {
                const char *device, *uuid, *fstype;
                int want;
                const char *found;
        } rows[] = {
                { ext.device, DISK_UUID, "ext4", 0, "ext4 " DISK_UUID },
                { ext.device, OTHER, "ext4", -EMEDIUMTYPE, "ext4 " DISK_UUID },
                { ext.device, DISK_UUID, "xfs", -EMEDIUMTYPE, "ext4 " DISK_UUID },
                { empty.device, DISK_UUID, "ext4", -ENODATA, "" },
                { swap.device, DISK_UUID, "ext4", -EMEDIUMTYPE, "swap " DISK_UUID },
                { "/dev/no-such-disk", DISK_UUID, "ext4", -ENOENT, "" },
        };
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                *found = '\0';
                assert_int_equal(volume_dev_check(rows[i].device, rows[i].uuid, rows[i].fstype,
                                                  found, sizeof found),
                                 rows[i].want);
                assert_string_equal(found, rows[i].found);
        }

        assert_int_equal(volume_dev_blank(empty.device), 0);
        assert_int_equal(volume_dev_blank(ext.device), -ENOTEMPTY);
        assert_int_equal(volume_dev_blank(swap.device), -ENOTEMPTY);
        assert_int_equal(volume_dev_blank("/dev/no-such-disk"), -ENOENT);

        const char *where = at(&dir, "held");
        assert_int_equal(mkdir(where, 0700), 0);
        assert_int_equal(volume_dev_free(ext.device), 0);
        assert_int_equal(volume_mnt_mount(ext.device, where, "ext4", "noatime,nodev"), 0);
        assert_int_equal(volume_dev_free(ext.device), -EBUSY);
        assert_int_equal(volume_dev_check(ext.device, DISK_UUID, "ext4", found, sizeof found),
                         -EBUSY);
        struct volume_mnt m;
        assert_int_equal(volume_mnt_look(where, &m), 0);
        assert_true(volume_mnt_is(&m, number));
        assert_false(volume_mnt_is(&m, makedev(1, 1)));
        assert_int_equal(volume_mnt_sync(where), 0);
        assert_int_equal(volume_mnt_umount(where), 0);
        assert_int_equal(volume_mnt_umount(where), -EINVAL);
        assert_int_equal(volume_dev_free(ext.device), 0);
        disk_detach(&ext);
        disk_detach(&empty);
        disk_detach(&swap);
}

/* ---- lock files ---- */

static void put_below(const char *path)
{
        char whole[256];

        snprintf(whole, sizeof whole, "%s/vol/%s", dir.path, path);
        assert_int_equal(make_parents(whole), 0);
        put_file(whole, "x");
}

static bool is_below(const char *path)
{
        char whole[256];

        snprintf(whole, sizeof whole, "%s/vol/%s", dir.path, path);
        return access(whole, F_OK) == 0;
}

static void locks(void **unused)
{
        static const struct {
                const char *path;
                bool stays;
        } ROWS[] = {
                { "vmail/a.test/bob/Maildir/dovecot-uidlist.lock", false },
                { "vmail/a.test/bob/Maildir/.Sent/dovecot.index.log.lock", false },
                { "vmail/a.test/bob/Maildir/subscriptions.lock", false },
                { "vmail/a.test/bob/.dovecot.sieve.lock", false },
                { "vmail/a.test/new/Maildir/dovecot-uidlist.lock", false }, /* a mailbox "new" */
                { "vmail_index/bob@a.test/.INBOX/dovecot.index.cache.lock", false },
                { "vmail/a.test/bob/Maildir/dovecot-uidlist", true },
                { "vmail/a.test/bob/Maildir/cur/dovecot-uidlist.lock", true }, /* a message */
                { "vmail/a.test/bob/Maildir/new/1.lock", true },
                { "vmail/a.test/bob/Maildir/tmp/1", true },
                { "vmail/a.test/new/Maildir/cur/1", true },
                { "redis/dump.lock", true },
                { "postfix/pid/master.lock", true },
        };
        unsigned removed = 0;

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++)
                put_below(ROWS[i].path);
        assert_int_equal(volume_locks_clear(at(&dir, "vol"), 10000, &removed), 0);
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++)
                if (is_below(ROWS[i].path) != ROWS[i].stays)
                        fail_msg("%s %s", ROWS[i].path, ROWS[i].stays ? "is gone" : "is there");
        assert_int_equal(removed, 6);
        assert_int_equal(volume_locks_clear(at(&dir, "vol"), 10000, &removed), 0);
        assert_int_equal(removed, 0);
        assert_int_equal(volume_locks_clear(at(&dir, "nowhere"), 10000, &removed), -ENOENT);
}

/* With no time at all it ends early and says so; what it did is right. */
static void no_time(void **unused)
{
        char path[96];
        unsigned removed = 0;

        (void)unused;
        for (unsigned i = 0; i < 300; i++) {
                snprintf(path, sizeof path, "vmail/a.test/u%u/Maildir/dovecot-uidlist.lock", i);
                put_below(path);
        }
        assert_int_equal(volume_locks_clear(at(&dir, "vol"), -1, &removed), 1);
        assert_in_range(removed, 0, 64);
        assert_int_equal(volume_locks_clear(at(&dir, "vol"), 10000, &removed), 0);
        assert_in_range(removed, 236, 300);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(mountinfo), cmocka_unit_test(options), cmocka_unit_test(directory),
                cmocka_unit_test(devices),   cmocka_unit_test(locks),   cmocka_unit_test(no_time),
        };

        return cmocka_run_group_tests(tests, begin, end);
}
