/* Markup with holes: what comes in by %s stays text wherever it is put. */
#include "lib/html.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void test_escape(void **state)
{
        static const struct {
                const char *in, *out;
        } ROWS[] = {
                { "", "" },
                { "plain", "plain" },
                { "<script>alert('x')</script>",
                  "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;" },
                { "a\" onload=\"b", "a&quot; onload=&quot;b" },
                { "&amp;", "&amp;amp;" },
                { "<<>>&&", "&lt;&lt;&gt;&gt;&amp;&amp;" },
                { "Zo\xc3\xab \xff", "Zo\xc3\xab \xff" },
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
                CLEANUP(buf_done) struct buf b = BUF(200);
                assert_int_equal(html_escape(&b, ROWS[i].in), 0);
                assert_string_equal(buf_str(&b), ROWS[i].out);
        }
}

static void test_addf(void **state)
{
        CLEANUP(buf_done) struct buf b = BUF(400);

        (void)state;
        assert_int_equal(
                html_addf(&b, "<p title=\"%s\" id=%d>%s</p>%u 100%%", "\"><b>", -7, "&<", 7U), 0);
        assert_string_equal(buf_str(&b),
                            "<p title=\"&quot;&gt;&lt;b&gt;\" id=-7>&amp;&lt;</p>7 100%");
        buf_reset(&b);
        assert_int_equal(html_addf(&b, "%lld|%llu|%zu", LLONG_MIN, ULLONG_MAX, (size_t)3), 0);
        assert_string_equal(buf_str(&b), "-9223372036854775808|18446744073709551615|3");
        buf_reset(&b);
        assert_int_equal(html_addf(&b, "%s", ""), 0);
        assert_string_equal(buf_str(&b), "");
}

/* A hole that is none of ours must not become half a page without anybody noticing. */
static void test_bounds(void **state)
{
        CLEANUP(buf_done) struct buf b = BUF(8);

        (void)state;
        assert_int_equal(html_addf(&b, "a%cb", 'x'), -EINVAL);
        assert_string_equal(buf_str(&b), "a");
        assert_int_equal(html_addf(&b, "c"), -EINVAL);
        buf_reset(&b);
        assert_int_equal(html_addf(&b, "%s", "<<<"), -EFBIG);
        assert_string_equal(buf_str(&b), "&lt;&lt;");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_escape),
                cmocka_unit_test(test_addf),
                cmocka_unit_test(test_bounds),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
