/* Words, babble and noise are added up in 16 bits and cut to 8 at the end. */
#include "signup/gate/audio.h"

#include "signup/gate/dice.h"
#include "signup/gate/digits.h"
#include "signup/gate/gate.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
        SAMPLES_MAX = AUDIO_BYTES - 44,
        ONE = 4096, /* of speed and loudness */
        BABBLERS = 3,
        EDGE = 48, /* samples of fading at both ends of a clip */
};

__asm__(".section .rodata\n"
        ".balign 16\n"
        ".globl gate_digits\n"
        "gate_digits:\n"
        ".incbin \"" GATE_DIGITS_FILE "\"\n"
        ".byte 0\n"
        ".previous\n");

static const char *const LANGUAGES[DIGITS_LANGUAGE_COUNT] = { DIGITS_LANGUAGES };

static int language(const char *locale)
{
        for (int i = 0; i < DIGITS_LANGUAGE_COUNT; i++)
                if (strncmp(locale, LANGUAGES[i], 2) == 0 && (!locale[2] || locale[2] == '-'))
                        return i;
        return -1;
}

struct clip {
        const unsigned char *samples;
        int n;
};

static struct clip clip(int language, int voice, int digit)
{
        int i = (language * DIGITS_VOICES + voice) * 10 + digit;
        const uint32_t *at = gate_digits.at + i;

        return (struct clip){ gate_digits.samples + at[0], (int)(at[1] - at[0]) };
}

struct track {
        int end; /* what will be heard of them */
        short sample[SAMPLES_MAX];
};

/* The clip at a speed, from sample `at` on; where it ends. */
static int lay(struct track *t, struct clip c, int at, int speed, int loudness, bool backwards)
{
        int n = (int)((int64_t)(c.n - 1) * ONE / speed);

        for (int i = 0; i < n && at + i < SAMPLES_MAX; i++) {
                int from = (int)((int64_t)i * speed), whole = from / ONE, part = from % ONE;
                int a = c.samples[backwards ? c.n - 1 - whole : whole] - 128;
                int b = c.samples[backwards ? MAX(c.n - 2 - whole, 0) : whole + 1] - 128;
                int edge = MIN(MIN(i, n - i), EDGE);
                int value = (a * (ONE - part) + b * part) / 64 * edge / EDGE;
                t->sample[at + i] = (short)(t->sample[at + i] + value * loudness / ONE);
        }
        return MIN(at + n, SAMPLES_MAX);
}

static void say(struct track *t, struct dice *d, int language, const char *digits)
{
        int at = dice_range(d, DIGITS_RATE / 2, DIGITS_RATE);

        for (const char *c = digits; *c; c++) {
                struct clip word = clip(language, dice_roll(d, DIGITS_VOICES), *c - '0');
                int speed = dice_range(d, ONE * 86 / 100, ONE * 112 / 100);
                int loudness = dice_range(d, ONE * 80 / 100, ONE);
                at = lay(t, word, at, speed, loudness, false);
                at = MIN(at + dice_range(d, DIGITS_RATE * 3 / 10, DIGITS_RATE * 9 / 10),
                         SAMPLES_MAX);
        }
        t->end = at;
}

/* Speakers of the same voices who say nothing, each without a pause from the first moment on. */
static void babble(struct track *t, struct dice *d, int language)
{
        for (int i = 0; i < BABBLERS; i++)
                for (int at = 0; at < t->end;) {
                        struct clip word =
                                clip(language, dice_roll(d, DIGITS_VOICES), dice_roll(d, 10));
                        int speed = dice_range(d, ONE * 75 / 100, ONE * 135 / 100);
                        int loudness = dice_range(d, ONE * 6 / 100, ONE * 18 / 100);
                        at = lay(t, word, at, speed, loudness, true) - dice_roll(d, 400);
                        at = MAX(at, 1);
                }
}

/* Noise whose high part is damped, as in a room; then 8 bits. */
static int finish(const struct track *t, struct dice *d, struct buf *out)
{
        int room = 0;

        for (int i = 0; i < t->end; i++) {
                room += (((int)dice_byte(d) - 128) * 8 - room) / 3;
                int value = 128 + (t->sample[i] + room) / 72;
                unsigned char byte = (unsigned char)MIN(MAX(value, 0), 255);
                buf_add(out, &byte, 1);
        }
        return out->error;
}

static void put(struct buf *out, uint32_t value, int bytes)
{
        for (; bytes > 0; bytes--, value >>= 8)
                buf_add(out, &(unsigned char){ (unsigned char)value }, 1);
}

static void header(struct buf *out, uint32_t samples)
{
        buf_add(out, "RIFF", 4);
        put(out, 36 + samples, 4);
        buf_add(out, "WAVEfmt ", 8);
        put(out, 16, 4);
        put(out, 1, 2); /* PCM */
        put(out, 1, 2);
        put(out, DIGITS_RATE, 4);
        put(out, DIGITS_RATE, 4);
        put(out, 1, 2);
        put(out, 8, 2);
        buf_add(out, "data", 4);
        put(out, samples, 4);
}

int audio_speak(const struct keys *k, const struct ticket *t, struct buf *out)
{
        static const int ENGLISH = 1;
        char answer[GATE_ANSWER];
        int spoken = language(t->locale);
        struct dice d;

        if (spoken < 0)
                spoken = ENGLISH;
        int r = gate_answer(k, t, GATE_AUDIO, answer);
        if (r == 0)
                r = dice_init(&d, k, t, "audio");
        if (r < 0)
                return r;
        struct track *track = calloc(1, sizeof *track);
        if (!track) {
                dice_done(&d);
                return -ENOMEM;
        }
        say(track, &d, spoken, answer);
        babble(track, &d, spoken);
        track->end -= track->end & 1; /* RIFF wants it even */
        header(out, (uint32_t)track->end);
        r = finish(track, &d, out);
        free(track);
        dice_done(&d);
        return r;
}
