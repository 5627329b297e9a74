/* signup/gate/audio.c: the same ticket is the same sound; each language has all its digits; what is
 * written is a WAV file of bounded length, in which the words stand out of the babble. */
#include "signup/gate/audio.h"
#include "signup/gate/digits.h"
#include "signup/gate/gate.h"
#include "tests/unit/gate_fixture.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { HEADER = 44 };

static struct keys *one, *two;

static int setup(void **unused)
{
        (void)unused;
        one = keys("the key of this test, long enough for it");
        two = keys("the key of this test, long enough for it");
        return 0;
}

static int teardown(void **unused)
{
        (void)unused;
        keys_free(one);
        keys_free(two);
        return 0;
}

static struct ticket ticket(int number, const char *locale)
{
        struct ticket t = { .kind = TICKET_FORM };

        memcpy(t.nonce, &number, sizeof number);
        str_copy(t.locale, sizeof t.locale, locale);
        return t;
}

static void speak(const struct keys *k, int number, const char *locale, struct buf *b)
{
        const struct ticket t = ticket(number, locale);

        buf_reset(b);
        assert_int_equal(audio_speak(k, &t, b), 0);
}

static bool same(const struct buf *a, const struct buf *b)
{
        return a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}

static void test_same(void **unused)
{
        static const char *const LOCALES[] = { "de-de", "en-gb", "es-es", "fr-fr", "it-it" };
        CLEANUP(buf_done) struct buf a = BUF(AUDIO_BYTES), b = BUF(AUDIO_BYTES);

        (void)unused;
        for (int i = 0; i < 25; i++) {
                speak(one, i, LOCALES[i % 5], &a);
                speak(two, i, LOCALES[i % 5], &b);
                assert_true(same(&a, &b));
                speak(one, i + 1, LOCALES[i % 5], &b);
                assert_false(same(&a, &b));
                speak(one, i, LOCALES[(i + 1) % 5], &b);
                assert_false(same(&a, &b));
        }
}

static void test_languages(void **unused)
{
        static const struct {
                const char *locale, *like; /* NULL: not spoken, English instead */
        } CASES[] = {
                { "de", "de-de" }, { "de-at", "de-de" }, { "en-us", "en-gb" },
                { "", NULL },      { "ru-ru", NULL },    { "d", NULL },
                { "den", NULL },   { "fr-ca", "fr" },    { "it-it", "it" },
        };
        CLEANUP(buf_done) struct buf a = BUF(AUDIO_BYTES), b = BUF(AUDIO_BYTES);

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
                speak(one, 1, CASES[i].locale, &a);
                speak(one, 1, CASES[i].like ? CASES[i].like : "en-gb", &b);
                assert_true(same(&a, &b));
        }
}

static unsigned little(const char *at, int bytes)
{
        unsigned value = 0;

        while (bytes-- > 0)
                value = value << 8 | (unsigned char)at[bytes];
        return value;
}

static void test_file(void **unused)
{
        CLEANUP(buf_done) struct buf b = BUF(AUDIO_BYTES);

        (void)unused;
        for (int i = 0; i < 100; i++) {
                speak(one, i, "fr-fr", &b);
                assert_memory_equal(b.data, "RIFF", 4);
                assert_int_equal(little(b.data + 4, 4), b.len - 8);
                assert_memory_equal(b.data + 8, "WAVEfmt \x10\0\0\0\1\0\1\0", 16);
                assert_int_equal(little(b.data + 24, 4), DIGITS_RATE);
                assert_int_equal(little(b.data + 28, 4), DIGITS_RATE);
                assert_int_equal(little(b.data + 32, 2), 1);
                assert_int_equal(little(b.data + 34, 2), 8);
                assert_memory_equal(b.data + 36, "data", 4);
                assert_int_equal(little(b.data + 40, 4), b.len - HEADER);
                assert_in_range(b.len, 4 * DIGITS_RATE, 11 * DIGITS_RATE);
        }
        CLEANUP(buf_done) struct buf small = BUF(1000); /* an error, not half a file */
        const struct ticket t = ticket(1, "de");
        assert_int_equal(audio_speak(one, &t, &small), -EFBIG);
}

static void test_clips(void **unused)
{
        (void)unused;
        for (int i = 0; i < DIGITS_CLIPS; i++) {
                const unsigned char *s = gate_digits.samples + gate_digits.at[i];
                unsigned n = gate_digits.at[i + 1] - gate_digits.at[i];
                int loudest = 0;
                assert_in_range(n, DIGITS_RATE / 10, DIGITS_CLIP_MAX);
                for (unsigned j = 0; j < n; j++)
                        loudest = MAX(loudest, abs(s[j] - 128));
                assert_in_range(loudest, 100, 127);
                for (int other = 0; other < i; other++) { /* ten different words, in each voice */
                        unsigned m = gate_digits.at[other + 1] - gate_digits.at[other];
                        if (n == m &&
                            memcmp(s, gate_digits.samples + gate_digits.at[other], n) == 0)
                                fail_msg("clips %d and %d are the same", i, other);
                }
        }
}

/* Six words that are clearly louder than what lies between them, and no clipping worth the name. */
static void test_words(void **unused)
{
        CLEANUP(buf_done) struct buf b = BUF(AUDIO_BYTES);
        enum { FRAME = DIGITS_RATE / 50 };

        (void)unused;
        for (int i = 0; i < 40; i++) {
                long quiet = 0, loud = 0, cut = 0, frames = 0;
                static long power[AUDIO_BYTES / FRAME];

                speak(one, i, "en-gb", &b);
                for (size_t at = HEADER; at + FRAME <= b.len; at += FRAME, frames++) {
                        power[frames] = 0;
                        for (size_t j = at; j < at + FRAME; j++) {
                                long value = (long)(unsigned char)b.data[j] - 128;
                                power[frames] += value * value;
                                cut += value == 127 || value == -128;
                        }
                }
                for (long f = 0; f < frames; f++) {
                        long before = 0;
                        for (long g = 0; g < frames; g++)
                                before += power[g] < power[f];
                        quiet = before == frames / 4 ? power[f] : quiet;
                        loud = before == frames * 85 / 100 ? power[f] : loud;
                }
                if (loud < 4 * quiet) /* 6 dB, babble included in both */
                        fail_msg("%d: %ld over %ld", i, loud, quiet);
                assert_true(cut < (long)b.len / 500);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_same),  cmocka_unit_test(test_languages),
                cmocka_unit_test(test_file),  cmocka_unit_test(test_clips),
                cmocka_unit_test(test_words),
        };

        return cmocka_run_group_tests(tests, setup, teardown);
}
