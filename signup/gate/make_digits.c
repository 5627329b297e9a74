/* Runs while the portal is built: make_digits OUT <names of wave files, in the order of digits.h.
 * Each is cut to where it speaks, brought to half the rate and to the same loudness. */
#include "signup/gate/digits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SOURCE_MAX = 4 * DIGITS_CLIP_MAX, HEADER = 12, LOUDEST = 110, QUIET = 50 };

struct wave {
        int n;
        short sample[SOURCE_MAX];
};

static struct digits head;
static unsigned char samples[DIGITS_CLIPS * DIGITS_CLIP_MAX];

static void die(const char *what, const char *why)
{
        fprintf(stderr, "make_digits: %s: %s\n", what, why);
        exit(1);
}

static unsigned little(const unsigned char *at, int bytes)
{
        unsigned value = 0;

        while (bytes-- > 0)
                value = value << 8 | at[bytes];
        return value;
}

/* 16 bit, one channel, twice our rate. */
static void load(const char *path, struct wave *w)
{
        static unsigned char bytes[2 * SOURCE_MAX + 4096];
        FILE *f = fopen(path, "rb");

        if (!f)
                die(path, "not there");
        size_t n = fread(bytes, 1, sizeof bytes, f), at = HEADER, size = 0;
        fclose(f);
        for (; at + 8 <= n; at += 8 + size) {
                const unsigned char *chunk = bytes + at;
                size = little(chunk + 4, 4);
                if (memcmp(chunk, "fmt ", 4) == 0 &&
                    (little(chunk + 8, 2) != 1 || little(chunk + 10, 2) != 1 ||
                     little(chunk + 12, 4) != 2 * DIGITS_RATE || little(chunk + 22, 2) != 16))
                        die(path, "not 22,050 samples of 16 bit on one channel");
                if (memcmp(chunk, "data", 4) == 0)
                        break;
        }
        if (at + 8 > n || at + 8 + size > n || size / 2 > SOURCE_MAX)
                die(path, "no sound in it, or too long a one");
        w->n = (int)(size / 2);
        for (int i = 0; i < w->n; i++)
                w->sample[i] = (short)little(bytes + at + 8 + 2 * i, 2);
}

/* A half-band filter, then every second sample. */
static void halve(struct wave *w)
{
        static const int TAPS[] = { -1, 0, 9, 16, 9, 0, -1 };
        static struct wave half;

        half.n = w->n / 2;
        for (int i = 0; i < half.n; i++) {
                int sum = 0;
                for (int t = 0; t < 7; t++) {
                        int at = 2 * i + t - 3;
                        sum += at < 0 || at >= w->n ? 0 : TAPS[t] * w->sample[at];
                }
                sum /= 32;
                half.sample[i] = (short)(sum > 32767 ? 32767 : sum < -32768 ? -32768 : sum);
        }
        *w = half;
}

static size_t add(const char *path, const struct wave *w, size_t at)
{
        int loudest = 1, from = 0, to = w->n;

        for (int i = 0; i < w->n; i++)
                loudest = abs(w->sample[i]) > loudest ? abs(w->sample[i]) : loudest;
        while (from < to && abs(w->sample[from]) < loudest / QUIET)
                from++;
        while (to > from && abs(w->sample[to - 1]) < loudest / QUIET)
                to--;
        if (to - from < DIGITS_RATE / 10 || to - from > DIGITS_CLIP_MAX)
                die(path, "no word of a tenth to one second");
        for (int i = from; i < to; i++)
                samples[at++] = (unsigned char)(128 + w->sample[i] * LOUDEST / loudest);
        return at;
}

int main(int argc, char **argv)
{
        static struct wave wave;
        char path[1024];
        size_t clips = 0, at = 0;

        if (argc != 2)
                die("usage", "make_digits OUT <names");
        for (; clips < DIGITS_CLIPS && fgets(path, sizeof path, stdin); clips++) {
                path[strcspn(path, "\n")] = '\0';
                load(path, &wave);
                halve(&wave);
                at = add(path, &wave, at);
                head.at[clips + 1] = (uint32_t)at;
        }
        if (clips != DIGITS_CLIPS)
                die("names", "too few");
        FILE *out = fopen(argv[1], "wb");
        if (!out || fwrite(&head, sizeof head, 1, out) != 1 || fwrite(samples, at, 1, out) != 1 ||
            fclose(out) != 0)
                die(argv[1], "not written");
        return 0;
}
