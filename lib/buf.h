/* A byte buffer with a cap from birth (the idea of curl's dynbuf): it grows by doubling up to
 * `cap`, and the first addition that would not fit (or lacks memory) sets a sticky error and
 * changes nothing. The content is always NUL-terminated, so buf_str() is a C string. */
#pragma once

#include "util.h"
#include <stdarg.h>

struct buf {
        char *data;
        size_t len, size, cap;
        int error; /* 0, -EFBIG or -ENOMEM; sticky until buf_reset() */
};

#define BUF(cap_)             \
        {                     \
                .cap = (cap_) \
        }

void buf_init(struct buf *b, size_t cap);
void buf_done(struct buf *b);  /* frees; the buffer may be used again */
void buf_wipe(struct buf *b);  /* zeroes, then frees: for what held a secret */
void buf_reset(struct buf *b); /* empties, keeps the memory, clears the error */

int buf_add(struct buf *b, const void *data, size_t len);
int buf_adds(struct buf *b, const char *s);
int buf_addf(struct buf *b, const char *fmt, ...) PRINTF(2, 3);
int buf_vaddf(struct buf *b, const char *fmt, va_list ap) PRINTF(2, 0);
int buf_add_percent(struct buf *b, const char *s); /* RFC 3986: all but the unreserved as %XX */

const char *buf_str(const struct buf *b); /* never NULL; borrowed until the next change */
