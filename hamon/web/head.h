/* The head of an HTTP request, as far as we read it: who asks for what. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum { HEAD_MAX = 8192, HEAD_LINES = 64 };

struct head {
        bool get, headers_only; /* neither: another method */
        const char *path;       /* begins with '/'; without what follows '?' */
        const char *proof;      /* value of Authorization, or NULL */
};

/* Where the head ends in what came so far: just behind its empty line; 0 = not yet. */
size_t head_end(const char *text, size_t len);

/* `text`: a whole head, `len` bytes up to its end; it is cut into pieces that `ret` points to.
 * 0, or the status to refuse it with: 400, 431, 505. */
int head_parse(char *text, size_t len, struct head *ret);
