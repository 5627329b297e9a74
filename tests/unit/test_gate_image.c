/* signup/gate/image.c and dice.c: the same ticket is the same bytes, on every node and in every
 * thread; another ticket, key or purpose is another picture; and it is a picture at all. */
#include "signup/gate/dice.h"
#include "signup/gate/gate.h"
#include "signup/gate/glyphs.h"
#include "signup/gate/image.h"
#include "tests/unit/gate_fixture.h"

#include <gd.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static struct keys *one, *two, *other;

static int setup(void **unused)
{
        (void)unused;
        one = keys("the key of this test, long enough for it");
        two = keys("the key of this test, long enough for it");
        other = keys("another key, which is long enough as well");
        return 0;
}

static int teardown(void **unused)
{
        (void)unused;
        keys_free(one);
        keys_free(two);
        keys_free(other);
        return 0;
}

static struct ticket ticket(int number)
{
        struct ticket t = { .kind = TICKET_FORM };

        memcpy(t.nonce, &number, sizeof number);
        return t;
}

static void draw(const struct keys *k, int number, bool dark, struct buf *b)
{
        const struct ticket t = ticket(number);

        buf_reset(b);
        assert_int_equal(image_draw(k, &t, dark, b), 0);
}

static void test_same(void **unused)
{
        CLEANUP(buf_done) struct buf a = BUF(IMAGE_BYTES), b = BUF(IMAGE_BYTES);

        (void)unused;
        for (int i = 0; i < 50; i++) {
                draw(one, i, i & 1, &a);
                draw(two, i, i & 1, &b);
                assert_int_equal(a.len, b.len);
                assert_memory_equal(a.data, b.data, a.len);
        }
}

static size_t differences(image_t a, image_t b)
{
        size_t n = 0;

        for (int y = 0; y < IMAGE_HEIGHT; y++)
                for (int x = 0; x < IMAGE_WIDTH; x++)
                        n += a[y][x] != b[y][x];
        return n;
}

static void test_different(void **unused)
{
        enum { MANY = IMAGE_WIDTH * IMAGE_HEIGHT / 2 };
        const struct ticket t = ticket(1), next = ticket(2);
        image_t a, b;

        (void)unused;
        assert_int_equal(image_paint(one, &t, a), 0);
        assert_int_equal(image_paint(one, &next, b), 0);
        assert_true(differences(a, b) > MANY);
        assert_int_equal(image_paint(other, &t, b), 0);
        assert_true(differences(a, b) > MANY);
}

/* Both colours show the same drawing: two views of a captcha tell no more than one. */
static void test_file(void **unused)
{
        CLEANUP(buf_done) struct buf b = BUF(IMAGE_BYTES);
        size_t total = 0;

        (void)unused;
        for (int i = 0; i < 40; i++) {
                const struct ticket t = ticket(i);
                image_t want;
                long off = 0;
                bool dark = i & 1;

                draw(one, i, dark, &b);
                total += b.len;
                gdImagePtr im = gdImageCreateFromJpegPtr((int)b.len, b.data);
                assert_non_null(im);
                assert_int_equal(gdImageSX(im), IMAGE_WIDTH);
                assert_int_equal(gdImageSY(im), IMAGE_HEIGHT);
                assert_int_equal(image_paint(one, &t, want), 0);
                for (int y = 0; y < IMAGE_HEIGHT; y++)
                        for (int x = 0; x < IMAGE_WIDTH; x++) {
                                int green = gdTrueColorGetGreen(gdImageGetPixel(im, x, y));
                                int light = dark ? (green - 25) * 255 / (238 - 25)
                                                 : (253 - green) * 255 / (253 - 20);
                                off += abs(light - want[y][x]);
                        }
                gdImageDestroy(im);
                if (off / (IMAGE_WIDTH * IMAGE_HEIGHT) > 8)
                        fail_msg("%d: %ld off in the middle", i,
                                 off / (IMAGE_WIDTH * IMAGE_HEIGHT));
        }
        assert_true(total / 40 <= 7000);
}

/* Enough ink, all within the frame, and contrast that eyes can use. */
static void test_legible(void **unused)
{
        (void)unused;
        for (int i = 0; i < 100; i++) {
                const struct ticket t = ticket(i);
                unsigned histogram[256] = { 0 }, below = 0;
                image_t a;
                int dark = 0, light = 255;

                assert_int_equal(image_paint(one, &t, a), 0);
                for (int y = 0; y < IMAGE_HEIGHT; y++)
                        for (int x = 0; x < IMAGE_WIDTH; x++)
                                histogram[a[y][x]]++;
                while (below < IMAGE_WIDTH * IMAGE_HEIGHT / 4)
                        below += histogram[dark++]; /* a quarter is ground */
                for (unsigned above = 0; above < IMAGE_WIDTH * IMAGE_HEIGHT / 16; light--)
                        above += histogram[light]; /* a sixteenth is ink */
                if (light - dark < 100)
                        fail_msg("%d: ground %d, ink %d", i, dark, light);
        }
}

static void test_glyphs(void **unused)
{
        (void)unused;
        for (int f = 0; f < GLYPH_FONTS; f++)
                for (int g = 0; g < GLYPH_COUNT; g++) {
                        long ink = 0, edge = 0;
                        for (int i = 0; i < GLYPH_SIZE; i++) {
                                for (int j = 0; j < GLYPH_SIZE; j++)
                                        ink += gate_glyphs[f][g][i][j];
                                edge += gate_glyphs[f][g][0][i] + gate_glyphs[f][g][i][0];
                                edge += gate_glyphs[f][g][GLYPH_SIZE - 1][i];
                                edge += gate_glyphs[f][g][i][GLYPH_SIZE - 1];
                        }
                        if (ink < 120 * 255 || edge > 0)
                                fail_msg("font %d, %c: ink %ld, edge %ld", f, GLYPHS[g], ink, edge);
                }
}

static void test_dice(void **unused)
{
        const struct ticket t = ticket(7);
        struct dice a, b, c;
        unsigned seen[6] = { 0 }, same = 0;

        (void)unused;
        assert_int_equal(dice_init(&a, one, &t, "x"), 0);
        assert_int_equal(dice_init(&b, two, &t, "x"), 0);
        assert_int_equal(dice_init(&c, one, &t, "y"), 0);
        for (int i = 0; i < 12000; i++) {
                int value = dice_range(&a, -2, 3);
                assert_true(value >= -2 && value <= 3);
                assert_int_equal(value, dice_range(&b, -2, 3));
                same += value == dice_range(&c, -2, 3);
                seen[value + 2]++;
        }
        for (size_t i = 0; i < ARRAY_SIZE(seen); i++)
                assert_true(seen[i] > 1800 && seen[i] < 2200);
        assert_true(same > 1800 && same < 2200);
        assert_int_equal(dice_roll(&a, 1), 0);
        dice_done(&a);
        dice_done(&b);
        dice_done(&c);
}

/* ---- threads ---- */

static struct buf expected[8];

static void *painter(void *arg)
{
        CLEANUP(buf_done) struct buf b = BUF(IMAGE_BYTES);
        bool *ok = arg;

        *ok = true;
        for (int i = 0; i < 40; i++) {
                const struct ticket t = ticket(i % 8);
                const struct buf *want = &expected[i % 8];
                buf_reset(&b);
                *ok = *ok && image_draw(one, &t, false, &b) == 0 && b.len == want->len &&
                      memcmp(b.data, want->data, b.len) == 0;
        }
        return NULL;
}

static void test_threads(void **unused)
{
        pthread_t threads[8];
        bool ok[8];
        int all = 0;

        (void)unused;
        for (int i = 0; i < 8; i++) {
                buf_init(&expected[i], IMAGE_BYTES);
                draw(one, i, false, &expected[i]);
        }
        for (int i = 0; i < 8; i++)
                assert_int_equal(pthread_create(&threads[i], NULL, painter, &ok[i]), 0);
        for (int i = 0; i < 8; i++) {
                pthread_join(threads[i], NULL);
                all += ok[i];
        }
        for (int i = 0; i < 8; i++)
                buf_done(&expected[i]);
        assert_int_equal(all, 8);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_same),    cmocka_unit_test(test_different),
                cmocka_unit_test(test_file),    cmocka_unit_test(test_legible),
                cmocka_unit_test(test_glyphs),  cmocka_unit_test(test_dice),
                cmocka_unit_test(test_threads),
        };

        return cmocka_run_group_tests(tests, setup, teardown);
}
