/* The small helpers: strict numbers and durations, strings, whole files. */
#include "lib/util.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void test_parse_uint(void **state)
{
        static const struct {
                const char *text;
                uint64_t min, max;
                int result;
                uint64_t value;
        } ROWS[] = {
                { "0", 0, 9, 0, 0 },
                { "007", 0, 9, 0, 7 },
                { "65535", 1, 65535, 0, 65535 },
                { "65536", 1, 65535, -ERANGE, 0 },
                { "0", 1, 65535, -ERANGE, 0 },
                { "18446744073709551615", 0, UINT64_MAX, 0, UINT64_MAX },
                { "18446744073709551616", 0, UINT64_MAX, -ERANGE, 0 },
                { "99999999999999999999999", 0, UINT64_MAX, -ERANGE, 0 },
                { "", 0, 9, -EINVAL, 0 },
                { " 1", 0, 9, -EINVAL, 0 },
                { "1 ", 0, 9, -EINVAL, 0 },
                { "+1", 0, 9, -EINVAL, 0 },
                { "-1", 0, UINT64_MAX, -EINVAL, 0 },
                { "0x1", 0, 9, -EINVAL, 0 },
                { "1.0", 0, 9, -EINVAL, 0 },
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
                uint64_t v = 4711;
                int r = parse_uint(ROWS[i].text, ROWS[i].min, ROWS[i].max, &v);
                if (r != ROWS[i].result)
                        fail_msg("\"%s\": %d", ROWS[i].text, r);
                assert_int_equal(v, r < 0 ? 4711 : ROWS[i].value); /* only on success */
        }
}

static void test_parse_duration(void **state)
{
        static const struct {
                const char *text;
                int result;
                msec_t value;
        } ROWS[] = {
                { "250ms", 0, 250 },
                { "0s", 0, 0 },
                { "2s", 0, 2000 },
                { "5m", 0, 300000 },
                { "1h", 0, 3600000 },
                { "10000h", 0, 36000000000 },
                { "10001h", -ERANGE, 0 },
                { "36000000001ms", -ERANGE, 0 },
                { "18446744073709551615h", -ERANGE, 0 },
                { "99999999999999999999s", -ERANGE, 0 },
                { "5", -EINVAL, 0 },
                { "s", -EINVAL, 0 },
                { "", -EINVAL, 0 },
                { "5 s", -EINVAL, 0 },
                { "5S", -EINVAL, 0 },
                { "5sec", -EINVAL, 0 },
                { "-5s", -EINVAL, 0 },
                { "1.5s", -EINVAL, 0 },
                { "1m30s", -EINVAL, 0 },
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
                msec_t v = 4711;
                int r = parse_duration(ROWS[i].text, &v);
                if (r != ROWS[i].result)
                        fail_msg("\"%s\": %d", ROWS[i].text, r);
                assert_int_equal(v, r < 0 ? 4711 : ROWS[i].value);
        }
}

static void test_format_duration(void **state)
{
        static const struct {
                msec_t ms;
                const char *text;
        } ROWS[] = {
                { 0, "0s" },       { 1, "1ms" },       { 1500, "1500ms" },
                { 2000, "2s" },    { 60000, "1m" },    { 90000, "90s" },
                { 3600000, "1h" }, { 5400000, "90m" }, { 36000000000, "10000h" },
        };
        char text[32];

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
                msec_t back;
                assert_string_equal(format_duration(ROWS[i].ms, text, sizeof text), ROWS[i].text);
                assert_int_equal(parse_duration(text, &back), 0);
                assert_int_equal(back, ROWS[i].ms);
        }
}

static void test_strings(void **state)
{
        char dst[4];

        (void)state;
        assert_true(str_copy(dst, sizeof dst, "abc"));
        assert_string_equal(dst, "abc");
        assert_false(str_copy(dst, sizeof dst, "abcd"));
        assert_string_equal(dst, "abc");
        assert_true(str_copy(dst, sizeof dst, ""));
        assert_string_equal(dst, "");
        assert_false(str_copy(dst, 1, "a"));
        assert_string_equal(dst, "");

        assert_true(str_eq("a", "a"));
        assert_true(str_eq(NULL, NULL));
        assert_false(str_eq("a", "b"));
        assert_false(str_eq("a", NULL));
        assert_false(str_eq(NULL, "a"));
        char hex[9];
        hex_text("\x00\x0f\xa0\xff", 4, hex);
        assert_string_equal(hex, "000fa0ff");
        hex_text("", 0, hex);
        assert_string_equal(hex, "");
}

static void test_take_ptr(void **state)
{
        CLEANUP(freep) char *owned = strdup("x");

        (void)state;
        char *taken = take_ptr(owned);
        assert_null(owned);
        assert_string_equal(taken, "x");
        free(taken);
}

static void test_clock(void **state)
{
        msec_t a = clock_ms(), b = clock_ms();

        (void)state;
        assert_true(a > 0);
        assert_true(b >= a);
}

static char dir[] = "/tmp/test_util.XXXXXX";

static int make_dir(void **state)
{
        (void)state;
        return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
        (void)state;
        return rmdir(dir);
}

static char *in_dir(const char *name, char *path, size_t size)
{
        snprintf(path, size, "%s/%s", dir, name);
        return path;
}

static void test_read_file(void **state)
{
        static const char TEXT[] = "a\0b\n";
        char path[64];
        char *text = NULL;
        size_t len = 99;

        (void)state;
        in_dir("f", path, sizeof path);
        assert_int_equal(read_file(path, 10, &text, &len), -ENOENT);
        assert_null(text);
        assert_int_equal(read_file(dir, 10, &text, &len), -EISDIR);
        assert_int_equal(len, 99);

        assert_int_equal(write_file_atomic(path, 0600, TEXT, 4), 0);
        assert_int_equal(read_file(path, 4, &text, &len), 0);
        assert_int_equal(len, 4);
        assert_memory_equal(text, TEXT, 5);
        free(take_ptr(text));
        assert_int_equal(read_file(path, 3, &text, &len), -EFBIG);
        assert_null(text);
        assert_int_equal(read_file("/dev/zero", 1000, &text, NULL), -EFBIG);

        assert_int_equal(write_file_atomic(path, 0600, "", 0), 0);
        assert_int_equal(read_file(path, 0, &text, NULL), 0);
        assert_string_equal(text, "");
        free(text);
        unlink(path);
}

/* A pipe without writer must not make us wait. */
static void test_read_fifo(void **state)
{
        char path[64];
        char *text = NULL;
        size_t len;

        (void)state;
        assert_int_equal(mkfifo(in_dir("fifo", path, sizeof path), 0600), 0);
        assert_int_equal(read_file(path, 10, &text, &len), 0);
        assert_int_equal(len, 0);
        free(text);
        unlink(path);
}

static void test_write_file_atomic(void **state)
{
        char path[64], victim[64], missing[64];
        char *text;
        struct stat before, after;

        (void)state;
        in_dir("f", path, sizeof path);
        in_dir("victim", victim, sizeof victim);
        mode_t mask = umask(077);
        assert_int_equal(write_file_atomic(path, 0644, "one", 3), 0);
        umask(mask);
        assert_int_equal(stat(path, &before), 0);
        assert_int_equal(before.st_mode & 07777, 0644); /* whatever the umask */
        assert_int_equal(write_file_atomic(path, 0600, "two", 3), 0);
        assert_int_equal(stat(path, &after), 0);
        assert_int_not_equal(before.st_ino, after.st_ino); /* replaced, not rewritten */
        assert_int_equal(after.st_mode & 07777, 0600);

        /* a link in the place of the file is replaced, what it points to is not touched */
        assert_int_equal(write_file_atomic(victim, 0600, "v", 1), 0);
        unlink(path);
        assert_int_equal(symlink(victim, path), 0);
        assert_int_equal(write_file_atomic(path, 0600, "three", 5), 0);
        assert_int_equal(read_file(victim, 10, &text, NULL), 0);
        assert_string_equal(text, "v");
        free(text);
        assert_int_equal(read_file(path, 10, &text, NULL), 0);
        assert_string_equal(text, "three");
        free(text);

        assert_int_equal(write_file_atomic(in_dir("no/f", missing, sizeof missing), 0600, "x", 1),
                         -ENOENT);
        assert_int_equal(write_file_atomic(dir, 0600, "x", 1), -EISDIR);
        unlink(path);
        unlink(victim);
        char leftover[96]; /* of the failed rename: none, or rmdir() of the directory fails */
        snprintf(leftover, sizeof leftover, "%s.tmp.%ld", dir, (long)getpid());
        assert_int_equal(access(leftover, F_OK), -1);
}

static void test_make_parents(void **state)
{
        char path[64], parent[64], top[64];
        struct stat st;

        (void)state;
        in_dir("a/b/f", path, sizeof path);
        assert_int_equal(make_parents(path), 0);
        assert_int_equal(make_parents(path), 0); /* again */
        assert_int_equal(stat(in_dir("a/b", parent, sizeof parent), &st), 0);
        assert_true(S_ISDIR(st.st_mode));
        assert_int_equal(access(path, F_OK), -1);
        assert_int_equal(make_parents("f"), 0);
        assert_int_equal(make_parents("/f"), 0);

        assert_int_equal(write_file_atomic(path, 0600, "", 0), 0);
        char below[80];
        snprintf(below, sizeof below, "%s/x/y", path);
        assert_int_equal(make_parents(below), -ENOTDIR);
        unlink(path);
        rmdir(parent);
        rmdir(in_dir("a", top, sizeof top));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_parse_uint),        cmocka_unit_test(test_parse_duration),
                cmocka_unit_test(test_format_duration),   cmocka_unit_test(test_strings),
                cmocka_unit_test(test_take_ptr),          cmocka_unit_test(test_clock),
                cmocka_unit_test(test_read_file),         cmocka_unit_test(test_read_fifo),
                cmocka_unit_test(test_write_file_atomic), cmocka_unit_test(test_make_parents),
        };

        return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
