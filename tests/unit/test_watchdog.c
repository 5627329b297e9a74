/* What is taken for a watchdog, and what it hears. The fifo plays the device. */
#include "hamon/watchdog.h"
#include "tests/unit/harness.h"

static struct tmp dir;

static int begin(void **unused)
{
        (void)unused;
        return tmp_make(&dir);
}

static int end(void **unused)
{
        (void)unused;
        tmp_remove(&dir);
        return 0;
}

static void what_is_none(void **unused)
{
        unsigned seconds = 99;
        int fd = -1;

        (void)unused;
        put_file(at(&dir, "file"), "x");
        assert_int_equal(mkfifo(at(&dir, "fifo"), 0600), 0);
        assert_int_equal(watchdog_open(at(&dir, "no"), 5, &seconds, &fd), -ENOENT);
        assert_int_equal(watchdog_open(at(&dir, "file"), 5, &seconds, &fd), -ENOTTY);
        assert_true(file_holds(at(&dir, "file"), "x"));
        assert_int_equal(watchdog_open("/dev/null", 5, &seconds, &fd), -ENOTTY);
        assert_int_equal(watchdog_open(at(&dir, "fifo"), 5, &seconds, &fd), -ENXIO);
        assert_int_equal(fd, -1);
        assert_int_equal(seconds, 99);
}

static void what_it_hears(void **unused)
{
        unsigned seconds = 0;
        char heard[64];
        int fd = -1;

        (void)unused;
        assert_int_equal(mkfifo(at(&dir, "dog"), 0600), 0);
        CLEANUP(closep) int dog = open(at(&dir, "dog"), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        assert_int_equal(watchdog_open(at(&dir, "dog"), 5, &seconds, &fd), 0);
        assert_int_equal(seconds, 5);
        assert_int_equal(watchdog_pet(fd), 0);
        assert_int_equal(watchdog_pet(fd), 0);
        assert_int_equal(read(dog, heard, sizeof heard), 2);
        assert_null(memchr(heard, 'V', 2));
        watchdog_close(&fd);
        assert_int_equal(fd, -1);
        assert_int_equal(read(dog, heard, sizeof heard), 1);
        assert_int_equal(heard[0], 'V');
        assert_int_equal(read(dog, heard, sizeof heard), 0);
        watchdog_close(&fd); /* again */
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_is_none),
                cmocka_unit_test(what_it_hears),
        };

        return cmocka_run_group_tests(tests, begin, end);
}
