/* The capped buffer: growth, the cap to the byte, the sticky error. */
#include "lib/buf.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void test_empty(void **state)
{
        struct buf b = BUF(10);

        (void)state;
        assert_string_equal(buf_str(&b), "");
        assert_int_equal(buf_add(&b, NULL, 0), 0);
        assert_int_equal(buf_adds(&b, ""), 0);
        assert_string_equal(buf_str(&b), "");
        assert_int_equal(b.len, 0);
        buf_reset(&b);
        buf_done(&b);
        buf_init(&b, 3);
        assert_int_equal(buf_adds(&b, "abc"), 0);
        buf_done(&b);
        buf_done(&b);
}

static void test_cap(void **state)
{
        static const struct {
                size_t cap;
                const char *first, *second;
                int result;
                const char *content;
        } ROWS[] = {
                { 4, "ab", "cd", 0, "abcd" },
                { 4, "abcd", "", 0, "abcd" },
                { 4, "abc", "de", -EFBIG, "abc" }, /* changes nothing */
                { 0, "", "", 0, "" },
                { 0, "", "a", -EFBIG, "" },
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++)
                for (int formatted = 0; formatted < 2; formatted++) {
                        struct buf b = BUF(ROWS[i].cap);
                        assert_int_equal(buf_adds(&b, ROWS[i].first), 0);
                        int r = formatted ? buf_addf(&b, "%s", ROWS[i].second)
                                          : buf_adds(&b, ROWS[i].second);
                        assert_int_equal(r, ROWS[i].result);
                        assert_int_equal(b.error, ROWS[i].result);
                        assert_string_equal(buf_str(&b), ROWS[i].content);
                        assert_int_equal(b.len, strlen(ROWS[i].content));
                        buf_done(&b);
                }
}

static void test_sticky(void **state)
{
        struct buf b = BUF(3);

        (void)state;
        assert_int_equal(buf_adds(&b, "ab"), 0);
        assert_int_equal(buf_adds(&b, "cd"), -EFBIG);
        assert_int_equal(buf_adds(&b, "c"), -EFBIG); /* would fit, but something is missing */
        assert_int_equal(buf_addf(&b, "%d", 1), -EFBIG);
        assert_string_equal(buf_str(&b), "ab");
        buf_reset(&b);
        assert_int_equal(b.error, 0);
        assert_string_equal(buf_str(&b), "");
        assert_int_equal(buf_adds(&b, "xyz"), 0);
        assert_string_equal(buf_str(&b), "xyz");
        buf_done(&b);
}

static void test_growth(void **state)
{
        enum { CAP = 5000 };
        struct buf b = BUF(CAP);

        (void)state;
        for (int i = 0; i < CAP; i++) {
                char c = (char)('a' + i % 26);
                assert_int_equal(buf_add(&b, &c, 1), 0);
                assert_int_equal(b.data[b.len], '\0');
                assert_in_range(b.size, b.len + 1, CAP + 1);
        }
        assert_int_equal(buf_adds(&b, "x"), -EFBIG);
        for (int i = 0; i < CAP; i++)
                assert_int_equal(b.data[i], 'a' + i % 26);
        buf_done(&b);
}

static void test_bytes(void **state)
{
        struct buf b = BUF(10);

        (void)state;
        assert_int_equal(buf_add(&b, "a\0b", 3), 0);
        assert_int_equal(b.len, 3);
        assert_memory_equal(buf_str(&b), "a\0b", 4);
        buf_done(&b);
}

static void test_percent(void **state)
{
        struct buf b = BUF(64), small = BUF(4);

        (void)state;
        assert_int_equal(buf_add_percent(&b, "aZ09-._~ {\"\xc3\xa4/"), 0);
        assert_string_equal(buf_str(&b), "aZ09-._~%20%7B%22%C3%A4%2F");
        assert_true(buf_add_percent(&small, "a  ") < 0);
        buf_done(&b);
        buf_done(&small);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_empty),  cmocka_unit_test(test_cap),
                cmocka_unit_test(test_sticky), cmocka_unit_test(test_growth),
                cmocka_unit_test(test_bytes),  cmocka_unit_test(test_percent),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
