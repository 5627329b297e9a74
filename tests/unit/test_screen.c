/* `hamon status` on a terminal: what is in colour, what narrow screens get, and that no text of
 * others reaches the terminal as more than text. */
#include "hamon/screen.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define GREEN "\033[32m"
#define RED   "\033[31m"
#define AMBER "\033[33m"
#define OFF   "\033[0m"

static void test_colours(void **state)
{
        static const struct {
                const char *in, *out;
        } ROWS[] = {
                { "n1  master  fit (ok) for 3m", "n1  master  " GREEN "fit" OFF " (ok) for 3m" },
                { "  smtp   down  2s  refused", "  smtp   " RED "down" OFF "  2s  refused" },
                { "  smtp   suspect  2s  up", "  smtp   " AMBER "suspect" OFF "  2s  up" },
                { "  n3  -  unknown  9s  stale", "  n3  -  " AMBER "unknown" OFF "  9s  stale" },
                { "  leads in epoch 7", "  leads in epoch 7" },
                { "  update downstream unfitting", "  update downstream unfitting" },
                { "unfit", RED "unfit" OFF },
                { "", "" },
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
                CLEANUP(buf_done) struct buf out = BUF(400), want = BUF(400);
                struct screen s = { .cols = 80, .rows = 24, .colour = true };
                char text[100];
                snprintf(text, sizeof text, "%s\n", ROWS[i].in);
                buf_addf(&want, "%s\n", ROWS[i].out);
                assert_int_equal(screen_text(&s, text, &out), 0);
                assert_string_equal(buf_str(&out), buf_str(&want));
                s.colour = false;
                buf_reset(&out);
                screen_text(&s, text, &out);
                assert_string_equal(buf_str(&out), text);
        }
}

static void test_widths(void **state)
{
        static const struct {
                unsigned cols;
                const char *in, *out;
        } ROWS[] = {
                { 80, "  docker          up      3d  answers",
                  "  docker          up      3d  answers" },
                { 40, "  docker          up      3d  answers", "  docker  up  3d  answers" },
                { 20, "  docker          up      3d  answers", "  docker  up  3d\n    answers" },
                { 16, "abcdefghijklmnopqrstuvwxyz", "abcdefghijklmnop\n    qrstuvwxyz" },
                { 5, "abcdefghijk", "abcde\nfghij\nk" },
                { 1, "ab c", "a\nb\nc" },
                { 6, "\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f\xe2\x82\xac\xc3\xa9z",
                  "\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f\xe2\x82\xac\xc3\xa9\nz" },
                { 10, "one two three", "one two\nthree" },
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
                CLEANUP(buf_done) struct buf out = BUF(400), want = BUF(400);
                struct screen s = { .cols = ROWS[i].cols, .rows = 24 };
                buf_addf(&want, "%s\n", ROWS[i].out);
                screen_text(&s, ROWS[i].in, &out);
                assert_string_equal(buf_str(&out), buf_str(&want));
        }
}

/* A verdict that is broken in two is in colour on both sides. */
static void test_colour_over_the_edge(void **state)
{
        CLEANUP(buf_done) struct buf out = BUF(400);
        const struct screen s = { .cols = 4, .colour = true };

        (void)state;
        screen_text(&s, "unknown x", &out);
        assert_string_equal(buf_str(&out), AMBER "unkn" OFF "\n" AMBER "own" OFF "\nx\n");
}

static void test_no_escapes(void **state)
{
        CLEANUP(buf_done) struct buf out = BUF(400);
        const struct screen s = { .cols = 80, .rows = 3 };

        (void)state;
        screen_text(&s, "a \033[2J\007\rb\tc\177 \233 \302\233 \303\244\n", &out);
        assert_string_equal(buf_str(&out), "a ?[2J??b?c? ? ?? \303\244\n");
        buf_reset(&out);
        screen_text(&s, "x\303", &out);
        assert_string_equal(buf_str(&out), "x?\n");
}

static unsigned count(const char *text, const char *what)
{
        unsigned n = 0;

        for (; (text = strstr(text, what)); text++)
                n++;
        return n;
}

/* Never more lines than the screen has: it would scroll, and flicker. */
static void test_frame(void **state)
{
        static const char TEXT[] = "one\ntwo\nthree\nfour\nfive\n";
        static const struct {
                unsigned rows;
                const char *alert, *last;
        } ROWS[] = {
                { 24, "", "foot" },
                { 6, "", "foot" },
                { 6, "alert", "1 more lines below; foot" },
                { 5, "", "1 more lines below; foot" },
                { 2, "", "4 more lines below; foot" },
                { 1, "", "5 more lines below; foot" },
                { 1, "alert", "6 more lines below; foot" },
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
                CLEANUP(buf_done) struct buf out = BUF(4000);
                struct screen s = { .cols = 40, .rows = ROWS[i].rows, .colour = false };
                assert_int_equal(screen_frame(&s, ROWS[i].alert, TEXT, "foot", &out), 0);
                const char *text = buf_str(&out), *last = strrchr(text, '\n');
                assert_int_equal(strncmp(text, "\033[H", 3), 0);
                assert_true(count(text, "\n") < s.rows);
                assert_int_equal(count(text, "\033[K"), count(text, "\n") + 1);
                assert_int_equal(count(text, "\033[J"), 1);
                assert_non_null(strstr(last ? last : text, ROWS[i].last));
                assert_null(strstr(text, "\033[2J"));
        }
}

static void test_cap(void **state)
{
        CLEANUP(buf_done) struct buf out = BUF(20);
        const struct screen s = { .cols = 40, .rows = 9 };

        (void)state;
        assert_int_equal(screen_frame(&s, "", "a long line of text, too long\n", "foot", &out),
                         -EFBIG);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_colours),
                cmocka_unit_test(test_widths),
                cmocka_unit_test(test_colour_over_the_edge),
                cmocka_unit_test(test_no_escapes),
                cmocka_unit_test(test_frame),
                cmocka_unit_test(test_cap),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
