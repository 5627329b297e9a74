/* The epoch file: what is one and what is damage, who may write after whom, and that the power may
 * go at any moment. */
#include "hamon/epoch_file.h"
#include "tests/unit/disk.h"

#include <time.h>

static struct tmp dir;
static bool able;

static const struct epoch_mark OURS = { .epoch = 12, .incarnation = 0xdeadbeef, .holder = "n1" };

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

static void order(void **unused)
{
        static const struct {
                struct epoch_mark file;
                enum epoch_order want;
        } ROWS[] = {
                { { 0, 0, "n2" }, EPOCH_OLDER },
                { { 11, 0xdeadbeef, "n1" }, EPOCH_OLDER },
                { { 12, 0xdeadbeef, "n1" }, EPOCH_SAME },
                { { 12, 0xdeadbeef, "n2" }, EPOCH_AHEAD }, /* two holders of one epoch */
                { { 12, 0xdeadbeee, "n1" }, EPOCH_AHEAD }, /* our own twin, or before our reboot */
                { { 13, 0xdeadbeef, "n1" }, EPOCH_AHEAD },
                { { UINT64_MAX, 1, "n3" }, EPOCH_AHEAD },
        };

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++)
                assert_int_equal(epoch_file_compare(&ROWS[i].file, &OURS), ROWS[i].want);
}

static void words(void **unused)
{
        char line[EPOCH_LINE];
        struct epoch_mark m;

        (void)unused;
        assert_int_equal(epoch_file_format(&OURS, line), 0);
        size_t len = strlen(line);
        assert_non_null(strstr(line, "epoch=12 holder=n1 incarnation=00000000deadbeef sum="));
        assert_int_equal(epoch_file_parse(line, len, &m), 0);
        assert_int_equal(epoch_file_compare(&m, &OURS), EPOCH_SAME);

        for (size_t cut = 0; cut < len; cut++) /* half a file, at each place */
                assert_int_equal(epoch_file_parse(line, cut, &m), -EBADMSG);
        for (size_t i = 0; i < len; i++) /* one wrong bit in each byte */
                for (int bit = 0; bit < 8; bit++) {
                        char bad[EPOCH_LINE];
                        memcpy(bad, line, sizeof bad);
                        bad[i] = (char)(bad[i] ^ (1 << bit));
                        assert_int_equal(epoch_file_parse(bad, len, &m), -EBADMSG);
                }
        char twice[2 * EPOCH_LINE];
        snprintf(twice, sizeof twice, "%s%s", line, line);
        assert_int_equal(epoch_file_parse(twice, 2 * len, &m), -EBADMSG);

        static const struct epoch_mark BAD[] = { { 1, 1, "" }, { 1, 1, "a b" }, { 1, 1, "a\nb" } };
        for (size_t i = 0; i < ARRAY_SIZE(BAD); i++)
                assert_int_equal(epoch_file_format(&BAD[i], line), -EINVAL);
        const struct epoch_mark longest = {
                UINT64_MAX, UINT64_MAX,
                "123456789012345678901234567890123456789012345678901234567890123"
        };
        assert_int_equal(epoch_file_format(&longest, line), 0);
        assert_int_equal(epoch_file_parse(line, strlen(line), &m), 0);
        assert_int_equal(epoch_file_compare(&m, &longest), EPOCH_SAME);
}

/* Each state that a killed writer can leave behind, and the next writer after it. */
static void leftovers(void **unused)
{
        struct epoch_mark m, next = OURS;
        const char *file = at(&dir, EPOCH_FILE), *temp = at(&dir, EPOCH_FILE ".new");

        (void)unused;
        assert_int_equal(epoch_file_read("/no/such/place", &m), -ENOTDIR);
        assert_int_equal(epoch_file_read(dir.path, &m), -ENOENT);
        put_file(temp, "hamon-epoch 1 epo"); /* died while it wrote */
        assert_int_equal(epoch_file_read(dir.path, &m), -ENOENT);
        assert_int_equal(epoch_file_write(dir.path, &OURS), 0);
        assert_int_equal(access(temp, F_OK), -1);
        put_file(temp, "hamon-epoch 1 epoch=13"); /* died before it renamed */
        assert_int_equal(epoch_file_read(dir.path, &m), 0);
        assert_int_equal(epoch_file_compare(&m, &OURS), EPOCH_SAME);
        next.epoch = 14;
        assert_int_equal(epoch_file_write(dir.path, &next), 0);
        assert_int_equal(epoch_file_read(dir.path, &m), 0);
        assert_int_equal(m.epoch, 14);

        put_file(file, "%s", ""); /* damage of all kinds */
        assert_int_equal(epoch_file_read(dir.path, &m), -EBADMSG);
        put_file(file, "epoch=1 holder=n1 incarnation=1\n");
        assert_int_equal(epoch_file_read(dir.path, &m), -EBADMSG);
        assert_int_equal(epoch_file_set_aside(dir.path), 0);
        assert_int_equal(epoch_file_read(dir.path, &m), -ENOENT);
        assert_true(file_has(at(&dir, EPOCH_FILE ".bad"), "holder=n1"));
        assert_int_equal(mkdir(file, 0700), 0);
        assert_int_equal(epoch_file_read(dir.path, &m), -EBADMSG);
        assert_int_equal(rmdir(file), 0);
        assert_int_equal(symlink("elsewhere", file), 0);
        assert_int_equal(epoch_file_read(dir.path, &m), -EBADMSG);
        unlink(file);
        assert_int_equal(epoch_file_set_aside(dir.path), -ENOENT);
}

/* Epoch after epoch is written, and the power goes somewhere in between. Whatever was reported as
 * written is there afterwards, or a later one, and never half of it. */
static void power_cuts(void **unused)
{
        struct disk d = { .device = "" };
        const char *where = at(&dir, "mnt");
        uint64_t epoch = 0, durable = 0;
        struct epoch_mark m;
        unsigned written = 0;

        (void)unused;
        if (!able)
                skip();
        assert_int_equal(mkdir(where, 0700), 0);
        disk_make(&dir, &d, "image", DISK_UUID, 16);
        for (unsigned round = 0; round < 12; round++) {
                int said[2];
                uint64_t n;

                assert_int_equal(mount(d.device, where, "ext4", 0, NULL), 0);
                assert_int_equal(pipe(said), 0);
                pid_t pid = fork();
                assert_true(pid >= 0);
                if (pid == 0) {
                        struct epoch_mark next = OURS;
                        for (next.epoch = epoch + 1; epoch_file_write(where, &next) == 0;
                             next.epoch++)
                                if (write(said[1], &next.epoch, sizeof next.epoch) < 0)
                                        break;
                        _exit(0);
                }
                close(said[1]);
                /* not before the first one, and then at some other moment in each round */
                assert_int_equal(read(said[0], &n, sizeof n), sizeof n);
                durable = n;
                struct timespec moment = { .tv_nsec = (long)round * 270000L };
                nanosleep(&moment, NULL);
                disk_power_cut(where);
                end_child(&pid);
                while (read(said[0], &n, sizeof n) == sizeof n)
                        durable = n;
                close(said[0]);
                written += (unsigned)(durable - epoch);
                assert_int_equal(umount(where), 0);

                assert_int_equal(mount(d.device, where, "ext4", 0, NULL), 0);
                assert_int_equal(epoch_file_read(where, &m), 0);
                assert_in_range(m.epoch, durable, durable + 1);
                epoch = m.epoch;
                assert_int_equal(umount(where), 0);
        }
        assert_true(written >= 12);
        disk_detach(&d);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(order),
                cmocka_unit_test(words),
                cmocka_unit_test(leftovers),
                cmocka_unit_test(power_cuts),
        };

        return cmocka_run_group_tests(tests, begin, end);
}
