/* image_paint() draws in two passes over bytes: where there is ink, then how light all of it is.
 * libjpeg-turbo makes the JPEG. Angles are 1024ths of a turn, positions 256ths of a pixel. */
#include "signup/gate/image.h"

#include "signup/gate/dice.h"
#include "signup/gate/gate.h"
#include "signup/gate/glyphs.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <turbojpeg.h>

enum {
        W = IMAGE_WIDTH,
        H = IMAGE_HEIGHT,
        ONE = 256,   /* a pixel */
        TURN = 1024, /* a full turn */
        DECOYS = 2,
        CUTS = 2,
        QUALITY = 70,
};

__asm__(".section .rodata\n"
        ".balign 16\n"
        ".globl gate_glyphs\n"
        "gate_glyphs:\n"
        ".incbin \"" GATE_GLYPHS_FILE "\"\n"
        "gate_glyphs_end:\n"
        ".byte 0\n"
        ".previous\n");

/* Bhaskara's sine, 0.2 % off at most, the same on every machine: -16384 to 16384. */
static int sine(int angle)
{
        int a = angle & (TURN - 1), half = a & (TURN / 2 - 1), p = half * (TURN / 2 - half);
        int value = (int)((int64_t)p * 16 * 16384 / (5 * (TURN / 2) * (TURN / 2) - 4 * p));

        return a < TURN / 2 ? value : -value;
}

static int cosine(int angle)
{
        return sine(angle + TURN / 4);
}

/* A wave: amplitude in 256ths, step of the angle per pixel in 64ths. */
struct wave {
        int amplitude, step, phase;
};

static int wave_at(const struct wave *w, int pixel)
{
        return w->amplitude * sine(w->phase + w->step * pixel / 64) / 16384;
}

static struct wave wave_roll(struct dice *d, int min, int max, int length_min, int length_max)
{
        /* one by one: within one initialiser each compiler may have an order of its own */
        int amplitude = dice_range(d, min, max);
        int step = TURN * 64 / dice_range(d, length_min, length_max);

        return (struct wave){ amplitude, step, dice_roll(d, TURN) };
}

/* ---- letters ---- */

struct canvas {
        image_t ink;
        int dx[H], dy[W]; /* how far a row, a column is bent */
};

static void canvas_init(struct canvas *c, struct dice *d)
{
        struct wave long_y = wave_roll(d, 3 * ONE, 6 * ONE, 110, 190);
        struct wave short_y = wave_roll(d, ONE / 2, ONE * 3 / 2, 24, 44);
        struct wave long_x = wave_roll(d, ONE, 3 * ONE, 50, 90);
        struct wave short_x = wave_roll(d, ONE / 2, ONE, 14, 26);

        memset(c->ink, 0, sizeof c->ink);
        for (int x = 0; x < W; x++)
                c->dy[x] = wave_at(&long_y, x) + wave_at(&short_y, x);
        for (int y = 0; y < H; y++)
                c->dx[y] = wave_at(&long_x, y) + wave_at(&short_x, y);
}

struct letter {
        const glyph_t *glyph;
        int x, y;           /* of its middle, in pixels */
        int xx, xy, yx, yy; /* from the image to the glyph, in 4096ths */
};

/* Coverage at a point of the glyph in 256ths of a pixel, interpolated. */
static inline int sample(const glyph_t *g, int u, int v)
{
        int x = u >> 8, y = v >> 8, fx = u & 255, fy = v & 255;

        if (x < 0 || y < 0 || x >= GLYPH_SIZE - 1 || y >= GLYPH_SIZE - 1)
                return 0;
        const unsigned char *row = &(*g)[y][x], *next = &(*g)[y + 1][x];
        int top = row[0] * (256 - fx) + row[1] * fx;
        int low = next[0] * (256 - fx) + next[1] * fx;
        return (top * (256 - fy) + low * fy) >> 16;
}

static void stamp(struct canvas *c, const struct letter *l)
{
        enum { REACH = 36, MIDDLE = GLYPH_SIZE * ONE / 2 };

        for (int y = MAX(l->y - REACH, 0); y < MIN(l->y + REACH, H); y++)
                for (int x = MAX(l->x - REACH, 0); x < MIN(l->x + REACH, W); x++) {
                        int dx = (x - l->x) * ONE + c->dx[y], dy = (y - l->y) * ONE + c->dy[x];
                        int cover = sample(l->glyph, MIDDLE + ((dx * l->xx + dy * l->xy) >> 12),
                                           MIDDLE + ((dx * l->yx + dy * l->yy) >> 12));
                        if (cover > c->ink[y][x])
                                c->ink[y][x] = (unsigned char)cover;
                }
}

/* The inverse of "scale, shear, turn". Letters next to each other lean different ways. */
static void shape(struct letter *l, struct dice *d, bool odd)
{
        int angle = dice_range(d, 4, 44) * (odd ? 1 : -1) + dice_range(d, -12, 12);
        int wide = dice_range(d, 3300, 4100), high = dice_range(d, 3200, 3900);
        int shear = dice_range(d, -700, 700), s = sine(angle) / 4, co = cosine(angle) / 4;

        l->xx = (co - s * shear / 4096) * wide / 4096;
        l->xy = (s + co * shear / 4096) * wide / 4096;
        l->yx = -s * high / 4096;
        l->yy = co * high / 4096;
}

static const glyph_t *pick(struct dice *d, char letter)
{
        static const char ALL[] = GLYPHS;
        int font = dice_roll(d, GLYPH_FONTS);
        const char *small = letter >= 'A' ? strchr(GLYPH_SMALL, letter | 32) : NULL;
        const char *at = small && dice_roll(d, 2)
                                 ? ALL + sizeof GLYPH_LARGE - 1 + (small - GLYPH_SMALL)
                                 : strchr(ALL, letter);

        return &gate_glyphs[font][at - ALL];
}

static int ink_width(const glyph_t *g)
{
        int left = GLYPH_SIZE, right = 0;

        for (int y = 0; y < GLYPH_SIZE; y += 2)
                for (int x = 0; x < GLYPH_SIZE; x++)
                        if ((*g)[y][x] > 127) {
                                left = MIN(left, x);
                                right = MAX(right, x);
                        }
        return MAX(right - left, 12);
}

static void write_answer(struct canvas *c, struct dice *d, const char *answer)
{
        struct letter letters[GATE_ANSWER];
        size_t n = strlen(answer);
        int total = 0, at[GATE_ANSWER];
        bool odd = dice_roll(d, 2);

        for (size_t i = 0; i < n; i++) {
                letters[i].glyph = pick(d, answer[i]);
                shape(&letters[i], d, odd ^ (i & 1));
                int width = ink_width(letters[i].glyph);
                at[i] = total + width / 2;
                total += width + dice_range(d, -4, 2); /* most touch */
        }
        int room = W - 12 - total, start = 6 + MAX(room, 0) * dice_range(d, 20, 80) / 100;
        for (size_t i = 0; i < n; i++) {
                letters[i].x = start + (room < 0 ? at[i] * (W - 12) / total : at[i]);
                letters[i].y = H / 2 + dice_range(d, -7, 7);
                stamp(c, &letters[i]);
        }
}

/* ---- strokes ---- */

/* From left to right, bent as the letters are. `ink` 0 cuts. */
static void stroke(struct canvas *c, struct dice *d, int width, int ink, int slope_max)
{
        int x0 = dice_range(d, 0, W / 3), x1 = dice_range(d, W * 2 / 3, W - 1);
        int y0 = dice_range(d, 16, H - 16) * ONE, slope = dice_range(d, -slope_max, slope_max);
        struct wave bend = wave_roll(d, 4 * ONE, 14 * ONE, 90, 220);

        for (int x = x0; x <= x1; x++) {
                int middle = y0 + slope * (x - W / 2) + wave_at(&bend, x);
                for (int y = MAX((middle - width) / ONE - 1, 0);
                     y < MIN((middle + width) / ONE + 2, H); y++) {
                        int off = y * ONE - middle,
                            cover = width - (off < 0 ? -off : off) + ONE / 2;
                        cover = MIN(MAX(cover, 0), 255);
                        int now = c->ink[y][x];
                        c->ink[y][x] =
                                (unsigned char)(ink ? MAX(now, cover) : now * (255 - cover) / 255);
                }
        }
}

/* ---- light ---- */

/* The ground: two slow waves and grain. Ink is a fixed distance away from it, with grain too. */
static void lighten(struct canvas *c, struct dice *d, image_t ret)
{
        struct wave across = wave_roll(d, 12, 26, 120, 260), down = wave_roll(d, 8, 16, 60, 140);
        struct wave deep = wave_roll(d, 14, 26, 90, 240);
        int ground[W + H / 2], depth[W + H];

        for (int i = 0; i < W + H / 2; i++)
                ground[i] = 36 + wave_at(&across, i);
        for (int i = 0; i < W + H; i++)
                depth[i] = 150 + wave_at(&deep, i);
        for (int y = 0; y < H; y++) {
                int row = wave_at(&down, y);
                for (int x = 0; x < W; x++) {
                        int light = row + ground[x + y / 2] + (dice_byte(d) & 15);
                        light += c->ink[y][x] * depth[x - y + H] / 255;
                        ret[y][x] = (unsigned char)MIN(MAX(light, 0), 255);
                }
        }
}

static void paint(struct canvas *c, struct dice *d, const char *answer, image_t ret)
{
        canvas_init(c, d);
        write_answer(c, d, answer);
        for (int i = 0; i < CUTS; i++)
                stroke(c, d, dice_range(d, ONE / 2, ONE * 3 / 4), 0, 120);
        for (int i = 0; i < DECOYS; i++)
                stroke(c, d, dice_range(d, ONE, ONE * 3 / 2), 1, 60);
        lighten(c, d, ret);
}

int image_paint(const struct keys *k, const struct ticket *t, image_t ret)
{
        char answer[GATE_ANSWER];
        struct dice d;

        int r = gate_answer(k, t, GATE_IMAGE, answer);
        if (r < 0)
                return r;
        struct canvas *c = malloc(sizeof *c); /* not on the stack: each thread would keep it */
        if (!c)
                return -ENOMEM;
        r = dice_init(&d, k, t, "image");
        if (r == 0) {
                paint(c, &d, answer, ret);
                dice_done(&d);
        }
        free(c);
        return r;
}

/* ---- the file ---- */

/* 0 = ground, 255 = ink. */
struct palette {
        int ground[3], ink[3];
};

static const struct palette LIGHT = { { 255, 253, 247 }, { 12, 20, 38 } },
                            DARK = { { 22, 25, 31 }, { 236, 238, 244 } };

static void palette_fill(const struct palette *p, unsigned char ret[256][3])
{
        for (int i = 0; i < 256; i++)
                for (int j = 0; j < 3; j++)
                        ret[i][j] = (unsigned char)(p->ground[j] +
                                                    (p->ink[j] - p->ground[j]) * i / 255);
}

static int compress(unsigned char *rgb, struct buf *out)
{
        unsigned char *jpeg = NULL;
        unsigned long size = 0;
        tjhandle tj = tjInitCompress();

        if (!tj)
                return -ENOMEM;
        int r = tjCompress2(tj, rgb, W, 0, H, TJPF_RGB, &jpeg, &size, TJSAMP_420, QUALITY, 0);
        r = r < 0 ? -ENOMEM : buf_add(out, jpeg, size); /* nothing else can fail */
        tjFree(jpeg);
        tjDestroy(tj);
        return r;
}

struct picture {
        image_t light;
        unsigned char rgb[H][W][3];
};

int image_draw(const struct keys *k, const struct ticket *t, bool dark, struct buf *out)
{
        unsigned char colours[256][3];
        struct picture *p = malloc(sizeof *p);

        if (!p)
                return -ENOMEM;
        int r = image_paint(k, t, p->light);
        if (r == 0) {
                palette_fill(dark ? &DARK : &LIGHT, colours);
                for (int y = 0; y < H; y++)
                        for (int x = 0; x < W; x++)
                                memcpy(p->rgb[y][x], colours[p->light[y][x]], 3);
                r = compress(&p->rgb[0][0][0], out);
        }
        free(p);
        return r;
}
