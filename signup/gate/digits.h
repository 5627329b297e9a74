/* The spoken digits, as make_digits.c made them while this program was built: each language, voice
 * and digit a clip of 8-bit samples, silence is 128. Part of the program, so no speech synthesis is
 * needed where it runs, and each node says the same. */
#pragma once

#include <stdint.h>

/* The languages of the portal's own texts (locales/), in the order of the clips. */
#define DIGITS_LANGUAGES "de", "en", "es", "fr", "it"

enum {
        DIGITS_LANGUAGE_COUNT = 5,
        DIGITS_VOICES = 3,
        DIGITS_CLIPS = DIGITS_LANGUAGE_COUNT * DIGITS_VOICES * 10,
        DIGITS_RATE = 11025,     /* samples per second */
        DIGITS_CLIP_MAX = 11025, /* samples of the longest one */
};

struct digits {
        uint32_t at[DIGITS_CLIPS + 1]; /* a clip ends where the next one begins */
        unsigned char samples[];
};

extern const struct digits gate_digits;
