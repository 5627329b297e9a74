/* captcha_images DIR COUNT: pictures of the image gate as an attacker would prepare them for an OCR
 * program, three of each: plain, flattened (ground taken away), opened (thin strokes taken away,
 * cuts closed), all enlarged. One line per picture on stdout: its number and what it says. Tickets
 * follow from their number, so that a run can be had again. */
#include "signup/gate/gate.h"
#include "signup/gate/glyphs.h"
#include "signup/gate/image.h"

#include <stdlib.h>
#include <string.h>

enum { SCALE = 3, MARGIN = 8, WINDOW = 24 };

static int at(image_t from, int x, int y)
{
        return from[MIN(MAX(y, 0), IMAGE_HEIGHT - 1)][MIN(MAX(x, 0), IMAGE_WIDTH - 1)];
}

static void plain(image_t from, image_t to)
{
        for (int y = 0; y < IMAGE_HEIGHT; y++)
                for (int x = 0; x < IMAGE_WIDTH; x++)
                        to[y][x] = (unsigned char)(255 - from[y][x]);
}

/* Darker than its neighbourhood's middle between lightest and darkest: ink. */
static void flattened(image_t from, image_t to)
{
        for (int y = 0; y < IMAGE_HEIGHT; y++)
                for (int x = 0; x < IMAGE_WIDTH; x++) {
                        int low = 255, high = 0;
                        for (int v = y - WINDOW; v <= y + WINDOW; v += 4)
                                for (int u = x - WINDOW; u <= x + WINDOW; u += 4) {
                                        low = MIN(low, at(from, u, v));
                                        high = MAX(high, at(from, u, v));
                                }
                        bool ink = high - low > 70 && from[y][x] > (low + high) / 2;
                        to[y][x] = ink ? 0 : 255;
                }
}

/* Each dot the lightest (grow = false) or the darkest of its 3 x 3 neighbours. */
static void morph(image_t from, image_t to, bool grow)
{
        for (int y = 0; y < IMAGE_HEIGHT; y++)
                for (int x = 0; x < IMAGE_WIDTH; x++) {
                        int best = at(from, x, y);
                        for (int v = -1; v <= 1; v++)
                                for (int u = -1; u <= 1; u++) {
                                        int dot = at(from, x + u, y + v);
                                        best = grow ? MIN(best, dot) : MAX(best, dot);
                                }
                        to[y][x] = (unsigned char)best;
                }
}

static void opened(image_t from, image_t to)
{
        image_t a, b;

        flattened(from, a);
        morph(a, b, true); /* close the cuts */
        morph(b, a, false);
        morph(a, b, false); /* lose the strokes */
        morph(b, to, true);
}

static void save(const char *dir, const char *number, const char *how, image_t picture)
{
        char path[512];

        snprintf(path, sizeof path, "%s/%s%s.pgm", dir, number, how);
        FILE *f = fopen(path, "wb");
        if (!f) {
                perror(path);
                exit(1);
        }
        fprintf(f, "P5 %d %d 255\n", IMAGE_WIDTH * SCALE + 2 * MARGIN,
                IMAGE_HEIGHT * SCALE + 2 * MARGIN);
        for (int y = -MARGIN; y < IMAGE_HEIGHT * SCALE + MARGIN; y++)
                for (int x = -MARGIN; x < IMAGE_WIDTH * SCALE + MARGIN; x++) {
                        int u = x * 256 / SCALE, v = y * 256 / SCALE, fx = u & 255, fy = v & 255;
                        int left = u >> 8, top = v >> 8;
                        int a = at(picture, left, top) * (256 - fx) +
                                at(picture, left + 1, top) * fx;
                        int b = at(picture, left, top + 1) * (256 - fx) +
                                at(picture, left + 1, top + 1) * fx;
                        fputc((a * (256 - fy) + b * fy) >> 16, f);
                }
        fclose(f);
}

/* Type as in a book: what tesseract is good at. */
static void control(const char *dir)
{
        static const char TEXT[] = "MEKAD";
        image_t picture;

        memset(picture, 255, sizeof picture);
        for (int i = 0; TEXT[i]; i++) {
                const glyph_t *g = &gate_glyphs[0][strchr(GLYPHS, TEXT[i]) - GLYPHS];
                for (int y = 0; y < GLYPH_SIZE; y++)
                        for (int x = 0; x < GLYPH_SIZE; x++)
                                if ((*g)[y][x])
                                        picture[y + 12][x + 6 + i * 42] =
                                                (unsigned char)(255 - (*g)[y][x]);
        }
        save(dir, "control", "", picture);
        printf("control %s\n", TEXT);
}

int main(int argc, char **argv)
{
        static const struct {
                const char *name;
                void (*how)(image_t from, image_t to);
        } WAYS[] = { { "-plain", plain }, { "-flattened", flattened }, { "-opened", opened } };
        CLEANUP(buf_done) struct buf error = BUF(512);
        CLEANUP(keys_freep) struct keys *keys = NULL;
        uint64_t count = 0;

        if (argc != 3 || parse_uint(argv[2], 1, 99999, &count) < 0 ||
            keys_parse("the key of the benchmark: no secret", "key", &keys, &error) < 0) {
                fprintf(stderr, "usage: captcha_images DIR COUNT\n");
                return 64;
        }
        control(argv[1]);
        for (int i = 0; i < (int)count; i++) {
                struct ticket t = { .kind = TICKET_FORM };
                char answer[GATE_ANSWER], number[16];
                image_t image, way;
                memcpy(t.nonce, &i, sizeof i);
                snprintf(number, sizeof number, "%05d", i);
                if (gate_answer(keys, &t, GATE_IMAGE, answer) < 0 ||
                    image_paint(keys, &t, image) < 0)
                        return 1;
                for (size_t w = 0; w < ARRAY_SIZE(WAYS); w++) {
                        WAYS[w].how(image, way);
                        save(argv[1], number, WAYS[w].name, way);
                }
                printf("%s %s\n", number, answer);
        }
        return 0;
}
