/* The image gate: letters of mixed fonts that overlap, turned, sheared and bent by two waves, with
 * strokes as thick as theirs across them and strokes that cut them, on a ground of about their own
 * lightness in places. A speed bump for machines, not a wall: tests/bench/README.md has the
 * numbers. All of it integer arithmetic on bytes that follow from the ticket: the same ticket, the
 * same bytes. Pure, thread-safe. */
#pragma once

#include "signup/gate/ticket.h"

enum { IMAGE_WIDTH = 240, IMAGE_HEIGHT = 80, IMAGE_BYTES = 32768 };

/* A JPEG is added to `out`, in light or dark colours: the same drawing. -ENOMEM, -EIO, or what the
 * buffer says. */
int image_draw(const struct keys *k, const struct ticket *t, bool dark, struct buf *out);

typedef unsigned char image_t[IMAGE_HEIGHT][IMAGE_WIDTH];

/* The drawing alone: 0 = ground, 255 = ink, in between what the palette makes of it. */
int image_paint(const struct keys *k, const struct ticket *t, image_t ret);
