/* Local parts nobody may have: a file, one word a line, # begins a comment. A word also stands for
 * its look-alikes: without . - _, 0 for o, 1 for l or i, 3 for e, 4 for a, 5 for s, 7 for t, and
 * with digits behind it. "word*" stands for all that begins with it, "*word" for all that ends with
 * it. */
#pragma once

#include "lib/buf.h"

struct reserved;

int reserved_load(const char *path, struct reserved **ret, struct buf *errors);
void reserved_free(struct reserved *r); /* NULL is fine */
bool reserved_has(const struct reserved *r, const char *local_part);
