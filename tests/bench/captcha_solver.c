/* captcha_solver SECONDS [TESTED]: the attacker who reads our source. A small network (two hidden
 * layers, no convolution) is trained on pictures it draws itself with a key of its own, for so many
 * seconds of processor time, then has one try at each of TESTED (2,000) pictures under another key.
 * It cuts the picture to its ink and scales that to one size; which letter is where it must find
 * out. What it reaches goes into README.md; somebody with a convolutional network and a day reaches
 * more. */
#include "signup/gate/gate.h"
#include "signup/gate/glyphs.h"
#include "signup/gate/image.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
        WIDE = 96,
        HIGH = 32,
        INPUTS = WIDE * HIGH,
        FIRST = 512,
        SECOND = 256,
        SLOTS = 6,
        LETTERS = sizeof GLYPH_LARGE, /* one more: no letter */
        OUTPUTS = SLOTS * LETTERS,
};

static float w1[INPUTS][FIRST], b1[FIRST], w2[FIRST][SECOND], b2[SECOND], w3[SECOND][OUTPUTS],
        b3[OUTPUTS];
static float x[INPUTS], h1[FIRST], h2[SECOND], out[OUTPUTS], d1[FIRST], d2[SECOND], d3[OUTPUTS];

/* ---- pictures ---- */

struct picture {
        image_t light;
        char answer[GATE_ANSWER];
};

static void draw(const struct keys *k, uint64_t number, struct picture *ret)
{
        struct ticket t = { .kind = TICKET_FORM };

        memcpy(t.nonce, &number, sizeof number);
        if (gate_answer(k, &t, GATE_IMAGE, ret->answer) < 0 || image_paint(k, &t, ret->light) < 0)
                exit(1);
}

static float ink(const struct picture *p, int px, int py)
{
        int c = MIN(MAX(px, 0), IMAGE_WIDTH - 1), r = MIN(MAX(py, 0), IMAGE_HEIGHT - 1);

        return MIN(MAX(((float)p->light[r][c] - 95) / 85, 0), 1);
}

/* The first and last row or column with enough ink. */
static void extent(const struct picture *p, bool columns, float *ret_from, float *ret_to)
{
        int n = columns ? IMAGE_WIDTH : IMAGE_HEIGHT, m = columns ? IMAGE_HEIGHT : IMAGE_WIDTH;
        int from = n, to = 0;

        for (int i = 0; i < n; i++) {
                float sum = 0;
                for (int j = 0; j < m; j++)
                        sum += columns ? ink(p, i, j) : ink(p, j, i);
                if (sum < (columns ? 7 : 12)) /* more than the strokes make */
                        continue;
                from = MIN(from, i);
                to = i;
        }
        *ret_from = (float)MIN(from, to);
        *ret_to = (float)(to + 1);
}

static void prepare(const struct picture *p)
{
        float left, right, top, bottom;

        extent(p, true, &left, &right);
        extent(p, false, &top, &bottom);
        for (int r = 0; r < HIGH; r++)
                for (int c = 0; c < WIDE; c++) {
                        float u = left + (right - left) * ((float)c + 0.5f) / WIDE - 0.5f;
                        float v = top + (bottom - top) * ((float)r + 0.5f) / HIGH - 0.5f;
                        int iu = (int)floorf(u), iv = (int)floorf(v);
                        float fu = u - (float)iu, fv = v - (float)iv;
                        float a = ink(p, iu, iv) * (1 - fu) + ink(p, iu + 1, iv) * fu;
                        float b = ink(p, iu, iv + 1) * (1 - fu) + ink(p, iu + 1, iv + 1) * fu;
                        x[r * WIDE + c] = a * (1 - fv) + b * fv;
                }
}

static int wanted(const struct picture *p, int slot)
{
        char c = (size_t)slot < strlen(p->answer) ? p->answer[slot] : '\0';

        return (int)(strchr(GLYPH_LARGE, c) - GLYPH_LARGE); /* its NUL: no letter */
}

/* ---- the network ---- */

static float noise(void)
{
        static uint64_t state = 88172645463325252u;

        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        return ((float)(state >> 40) / (1 << 23) - 1) * 1.732f;
}

static void scatter(float *w, size_t n, int inputs)
{
        for (size_t i = 0; i < n; i++)
                w[i] = noise() * sqrtf(2.0f / (float)inputs);
}

static void forward(void)
{
        memcpy(h1, b1, sizeof h1);
        memcpy(h2, b2, sizeof h2);
        memcpy(out, b3, sizeof out);
        for (int i = 0; i < INPUTS; i++)
                for (int j = 0; x[i] > 0 && j < FIRST; j++)
                        h1[j] += x[i] * w1[i][j];
        for (int i = 0; i < FIRST; i++) {
                h1[i] = MAX(h1[i], 0);
                for (int j = 0; h1[i] > 0 && j < SECOND; j++)
                        h2[j] += h1[i] * w2[i][j];
        }
        for (int i = 0; i < SECOND; i++) {
                h2[i] = MAX(h2[i], 0);
                for (int j = 0; h2[i] > 0 && j < OUTPUTS; j++)
                        out[j] += h2[i] * w3[i][j];
        }
}

static void softmax(float *v)
{
        float most = v[0], sum = 0;

        for (int i = 1; i < LETTERS; i++)
                most = MAX(most, v[i]);
        for (int i = 0; i < LETTERS; i++)
                sum += v[i] = expf(v[i] - most);
        for (int i = 0; i < LETTERS; i++)
                v[i] /= sum;
}

static void backward(float rate)
{
        memset(d1, 0, sizeof d1);
        memset(d2, 0, sizeof d2);
        for (int i = 0; i < SECOND; i++)
                for (int j = 0; h2[i] > 0 && j < OUTPUTS; j++) {
                        d2[i] += d3[j] * w3[i][j];
                        w3[i][j] -= rate * d3[j] * h2[i];
                }
        for (int i = 0; i < FIRST; i++)
                for (int j = 0; h1[i] > 0 && j < SECOND; j++) {
                        d1[i] += d2[j] * w2[i][j];
                        w2[i][j] -= rate * d2[j] * h1[i];
                }
        for (int i = 0; i < INPUTS; i++)
                for (int j = 0; x[i] > 0 && j < FIRST; j++)
                        w1[i][j] -= rate * x[i] * d1[j];
        for (int j = 0; j < FIRST; j++)
                b1[j] -= rate * d1[j];
        for (int j = 0; j < SECOND; j++)
                b2[j] -= rate * d2[j];
        for (int j = 0; j < OUTPUTS; j++)
                b3[j] -= rate * d3[j];
}

static void learn(const struct picture *p, float rate)
{
        prepare(p);
        forward();
        for (int s = 0; s < SLOTS; s++) {
                softmax(out + s * LETTERS);
                memcpy(d3 + s * LETTERS, out + s * LETTERS, LETTERS * sizeof *d3);
                d3[s * LETTERS + wanted(p, s)] -= 1;
        }
        backward(rate);
}

/* How many slots are right. */
static int guess(const struct picture *p)
{
        int right = 0;

        prepare(p);
        forward();
        for (int s = 0; s < SLOTS; s++) {
                int best = 0;
                for (int l = 1; l < LETTERS; l++)
                        best = out[s * LETTERS + l] > out[s * LETTERS + best] ? l : best;
                right += best == wanted(p, s);
        }
        return right;
}

/* ---- the run ---- */

static double spent(void)
{
        struct timespec t;

        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
        return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void test(const struct keys *k, int n, const char *what)
{
        int letters = 0, whole = 0;
        struct picture p;
        double solving = 0;

        for (int i = 0; i < n; i++) {
                draw(k, (uint64_t)i, &p);
                double began = spent();
                int right = guess(&p);
                solving += spent() - began;
                letters += right;
                whole += right == SLOTS;
        }
        printf("%s: %.1f %% of the letters, %.1f %% of the pictures (%d of %d), %.2f ms each\n",
               what, 100.0 * letters / (n * SLOTS), 100.0 * whole / n, whole, n,
               solving * 1000 / n);
        fflush(stdout);
}

int main(int argc, char **argv)
{
        CLEANUP(buf_done) struct buf error = BUF(512);
        CLEANUP(keys_freep) struct keys *mine = NULL, *theirs = NULL;
        uint64_t seconds = 0, tested = 2000, n = 0;
        struct picture p;
        char what[64];

        if (argc < 2 || parse_uint(argv[1], 1, 100000, &seconds) < 0 ||
            (argc > 2 && parse_uint(argv[2], 1, 100000, &tested) < 0) ||
            keys_parse("a key the attacker has made himself", "key", &mine, &error) < 0 ||
            keys_parse("a key the attacker does not know...", "key", &theirs, &error) < 0) {
                fprintf(stderr, "usage: captcha_solver SECONDS [TESTED]\n");
                return 64;
        }
        scatter(&w1[0][0], (size_t)INPUTS * FIRST, INPUTS / 4);
        scatter(&w2[0][0], (size_t)FIRST * SECOND, FIRST);
        scatter(&w3[0][0], (size_t)SECOND * OUTPUTS, SECOND);
        for (double began = spent(), part = 0, told = 0; part < 1; n++) {
                draw(mine, n, &p);
                learn(&p, 0.006f * (float)(1 - part) + 0.0003f);
                part = (spent() - began) / (double)seconds;
                if (part > told + 0.1) {
                        told = part;
                        snprintf(what, sizeof what, "after %llu pictures", (unsigned long long)n);
                        test(theirs, 300, what);
                }
        }
        snprintf(what, sizeof what, "%llu s, %llu pictures", (unsigned long long)seconds,
                 (unsigned long long)n);
        test(theirs, (int)tested, what);
        return 0;
}
