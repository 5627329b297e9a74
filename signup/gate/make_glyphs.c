/* Runs while the portal is built: make_glyphs OUT FONT... draws the atlas of glyphs.h with libgd.
 * Capitals are 36 pixels high whatever the font; a letter that is too wide is made smaller. */
#include "signup/gate/glyphs.h"

#include <gd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CAPITAL = 36, WIDEST = GLYPH_SIZE - 4, CANVAS = 4 * GLYPH_SIZE };

struct box {
        int left, top, width, height;
};

static void die(const char *what, const char *why)
{
        fprintf(stderr, "make_glyphs: %s: %s\n", what, why);
        exit(1);
}

/* The ink of `letter` on the canvas, drawn at its middle. */
static struct box draw(gdImagePtr im, char *font, double size, char letter)
{
        char text[] = { letter, '\0' };
        int brect[8], left = CANVAS, top = CANVAS, right = -1, bottom = -1;

        gdImageFilledRectangle(im, 0, 0, CANVAS - 1, CANVAS - 1, 0);
        char *error = gdImageStringFT(im, brect, gdTrueColor(255, 255, 255), font, size, 0,
                                      CANVAS / 4, CANVAS * 3 / 4, text);
        if (error)
                die(font, error);
        for (int y = 0; y < CANVAS; y++)
                for (int x = 0; x < CANVAS; x++) {
                        if (gdTrueColorGetRed(gdImageGetPixel(im, x, y)) < 16)
                                continue;
                        left = x < left ? x : left;
                        right = x > right ? x : right;
                        top = y < top ? y : top;
                        bottom = y > bottom ? y : bottom;
                }
        if (right < 0)
                die(font, "a letter without ink");
        return (struct box){ left, top, right - left + 1, bottom - top + 1 };
}

static void cut(gdImagePtr im, const struct box *b, glyph_t glyph)
{
        int dx = b->left - (GLYPH_SIZE - b->width) / 2, dy = b->top - (GLYPH_SIZE - b->height) / 2;

        for (int y = 0; y < GLYPH_SIZE; y++)
                for (int x = 0; x < GLYPH_SIZE; x++)
                        glyph[y][x] = (unsigned char)gdTrueColorGetRed(
                                gdImageGetPixel(im, x + dx, y + dy));
}

static void font(gdImagePtr im, char *path, FILE *out)
{
        static const char LETTERS[] = GLYPHS;
        const double probe = 40;
        struct box capital = draw(im, path, probe, 'E');
        double size = probe * CAPITAL / capital.height;
        glyph_t glyph;

        for (const char *c = LETTERS; *c; c++) {
                double mine = strchr(GLYPH_LARGE, *c) ? size : size * 1.12;
                struct box b = draw(im, path, mine, *c);
                int longest = b.width > b.height ? b.width : b.height;
                if (longest > WIDEST)
                        b = draw(im, path, mine * WIDEST / longest, *c);
                cut(im, &b, glyph);
                if (fwrite(glyph, sizeof glyph, 1, out) != 1)
                        die("writing", "failed");
        }
}

int main(int argc, char **argv)
{
        if (argc != 2 + GLYPH_FONTS)
                die("usage", "make_glyphs OUT FONT... (as many as glyphs.h says)");
        FILE *out = fopen(argv[1], "wb");
        gdImagePtr im = gdImageCreateTrueColor(CANVAS, CANVAS);
        if (!out || !im)
                die(argv[1], "cannot be made");
        for (int i = 0; i < GLYPH_FONTS; i++)
                font(im, argv[2 + i], out);
        gdImageDestroy(im);
        gdFontCacheShutdown();
        if (fclose(out) != 0)
                die(argv[1], "not written");
        return 0;
}
