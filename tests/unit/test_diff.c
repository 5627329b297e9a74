/* lib/diff against diff(1) itself: random texts, byte for byte where both choose the same lines,
 * and always so that patch(1) makes one out of the other; and the shapes by hand. */
#include "lib/diff.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static unsigned next(unsigned *seed)
{
        *seed = *seed * 1103515245U + 12345U;
        return *seed >> 16;
}

static void gives(const char *old, const char *fresh, const char *want)
{
        CLEANUP(buf_done) struct buf out = BUF(1024 * 1024);

        assert_int_equal(diff_unified(old, fresh, "a", "b", &out), 0);
        assert_string_equal(buf_str(&out), want);
}

static void equal_texts_have_no_diff(void **state)
{
        (void)state;
        gives("", "", "");
        gives("a\nb\n", "a\nb\n", "");
        gives("no end", "no end", "");
}

static void the_shapes(void **state)
{
        (void)state;
        gives("", "a\n", "--- a\n+++ b\n@@ -0,0 +1 @@\n+a\n");
        gives("a\n", "", "--- a\n+++ b\n@@ -1 +0,0 @@\n-a\n");
        gives("a\nb\nc\n", "a\nB\nc\n", "--- a\n+++ b\n@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n");
        gives("a", "a\n", "--- a\n+++ b\n@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n");
        gives("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nX\n6\n7\n8\n9\n",
              "--- a\n+++ b\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+X\n 6\n 7\n 8\n");
        gives("a\n1\n2\n3\n4\n5\n6\n7\nb\n", "A\n1\n2\n3\n4\n5\n6\n7\nB\n",
              "--- a\n+++ b\n@@ -1,4 +1,4 @@\n-a\n+A\n 1\n 2\n 3\n"
              "@@ -6,4 +6,4 @@\n 5\n 6\n 7\n-b\n+B\n");
        gives("a\n1\n2\n3\n4\n5\n6\nb\n", "A\n1\n2\n3\n4\n5\n6\nB\n",
              "--- a\n+++ b\n@@ -1,8 +1,8 @@\n-a\n+A\n 1\n 2\n 3\n 4\n 5\n 6\n-b\n+B\n");
}

static void write_file(const char *path, const char *text)
{
        assert_int_equal(write_file_atomic(path, 0600, text, strlen(text)), 0);
}

/* patch(1) is not everywhere; what it does with a diff of ours is a dozen lines. */
static void applies(const char *old, const char *fresh, const char *diff)
{
        CLEANUP(buf_done) struct buf out = BUF(1024 * 1024);
        const char *p = diff;

        if (!*diff) {
                assert_string_equal(old, fresh);
                return;
        }
        p = strchr(strchr(p, '\n') + 1, '\n') + 1;
        size_t at = 1;
        while (*p) {
                size_t from = 0, n = 1;
                int got = sscanf(p, "@@ -%zu,%zu", &from, &n);
                assert_true(got >= 1);
                from += n == 0 && got == 2;
                for (p = strchr(p, '\n') + 1; at < from; at++) {
                        size_t len = strcspn(old, "\n") + 1;
                        buf_add(&out, old, len);
                        old += len;
                }
                for (; *p && *p != '@'; p = strchr(p, '\n') + 1) {
                        size_t len = strcspn(p, "\n");
                        if (*p != '+') {
                                assert_memory_equal(old, p + 1, len);
                                old += len;
                                at++;
                        }
                        if (*p != '-')
                                buf_add(&out, p + 1, len);
                }
        }
        buf_adds(&out, old);
        assert_string_equal(buf_str(&out), fresh);
}

static void random_text(unsigned *seed, struct buf *ret)
{
        int n = (int)(next(seed) % 40);

        buf_reset(ret);
        for (int i = 0; i < n; i++)
                buf_addf(ret, "%c\n", 'a' + (int)(next(seed) % 6));
}

static void random_texts_become_one_another(void **state)
{
        unsigned seed = 7;

        (void)state;
        for (int i = 0; i < 3000; i++) {
                CLEANUP(buf_done) struct buf old = BUF(4096), fresh = BUF(4096), out = BUF(65536);
                random_text(&seed, &old);
                random_text(&seed, &fresh);
                assert_int_equal(diff_unified(buf_str(&old), buf_str(&fresh), "a", "b", &out), 0);
                applies(buf_str(&old), buf_str(&fresh), buf_str(&out));
        }
}

/* Where no line is there twice, diff(1) has no choice either. */
static void as_diff_prints_it(void **state)
{
        unsigned seed = 9;
        char dir[] = "/tmp/test_diff.XXXXXX", a[64], b[64], command[256];

        (void)state;
        assert_non_null(mkdtemp(dir));
        snprintf(a, sizeof a, "%s/a", dir);
        snprintf(b, sizeof b, "%s/b", dir);
        snprintf(command, sizeof command, "diff -u --label a --label b %s %s", a, b);
        for (int i = 0; i < 20; i++) {
                CLEANUP(buf_done) struct buf old = BUF(65536), fresh = BUF(65536), out = BUF(65536);
                char want[65536];
                int n = 5 + (int)(next(&seed) % 40), change = (int)(next(&seed) % (unsigned)n);
                for (int k = 0; k < n; k++) {
                        buf_addf(&old, "line %d\n", k);
                        buf_addf(&fresh,
                                 k == change || k == change + 8 ? "another %d\n" : "line %d\n", k);
                }
                write_file(a, buf_str(&old));
                write_file(b, buf_str(&fresh));
                FILE *f = popen(command, "r");
                assert_non_null(f);
                want[fread(want, 1, sizeof want - 1, f)] = '\0';
                pclose(f);
                assert_int_equal(diff_unified(buf_str(&old), buf_str(&fresh), "a", "b", &out), 0);
                assert_string_equal(buf_str(&out), want);
        }
        unlink(a);
        unlink(b);
        rmdir(dir);
}

/* Too much to be compared: all of it, and still right. */
static void a_huge_middle_is_replaced(void **state)
{
        CLEANUP(buf_done)
        struct buf old = BUF(1024 * 1024), fresh = BUF(1024 * 1024), out = BUF(4 * 1024 * 1024);

        (void)state;
        for (int i = 0; i < 3000; i++) {
                buf_addf(&old, "old %d\n", i);
                buf_addf(&fresh, "new %d\n", i);
        }
        assert_int_equal(diff_unified(buf_str(&old), buf_str(&fresh), "a", "b", &out), 0);
        applies(buf_str(&old), buf_str(&fresh), buf_str(&out));
        struct buf small = BUF(16);
        assert_int_equal(diff_unified("a\n", "b\n", "a", "b", &small), -EFBIG);
        buf_done(&small);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(equal_texts_have_no_diff),
                cmocka_unit_test(the_shapes),
                cmocka_unit_test(random_texts_become_one_another),
                cmocka_unit_test(as_diff_prints_it),
                cmocka_unit_test(a_huge_middle_is_replaced),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
