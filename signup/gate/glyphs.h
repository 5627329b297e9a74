/* The glyph atlas: every letter of the image gate in every font, as coverage 0 to 255, drawn when
 * this program is built (make_glyphs.c) and part of it. So no font is needed where it runs, the
 * first image costs no more than the next one, and each node has the same pixels. */
#pragma once

enum { GLYPH_SIZE = 56, GLYPH_FONTS = 6 }; /* a glyph is a square, its ink in the middle */

/* Figures and letters that look like no other one, also when they are bent. Small letters are drawn
 * instead of large ones now and then; what is typed may be either. */
#define GLYPH_LARGE "ACDEFHJKLMNPRTUWXY347"
#define GLYPH_SMALL "adefhkmnrty"
#define GLYPHS      GLYPH_LARGE GLYPH_SMALL

enum { GLYPH_COUNT = sizeof GLYPHS - 1 };

typedef unsigned char glyph_t[GLYPH_SIZE][GLYPH_SIZE];

extern const glyph_t gate_glyphs[GLYPH_FONTS][GLYPH_COUNT]; /* letters in the order of GLYPHS */
