/* Two texts as a unified diff, as diff(1) -u prints it. Pure. For files people write: what is
 * between the first and the last difference may have four million pairs of lines; beyond, it is
 * shown as taken out and put in as a whole. */
#pragma once

#include "buf.h"

/* Nothing if they are equal. `a` and `b` name the two sides. 0, or out's error, or -ENOMEM. */
int diff_unified(const char *old, const char *fresh, const char *a, const char *b, struct buf *out);
