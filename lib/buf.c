/* The capped buffer of buf.h. */
#include "lib/buf.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

void buf_init(struct buf *b, size_t cap)
{
        *b = (struct buf){ .cap = cap };
}

void buf_done(struct buf *b)
{
        free(b->data);
        *b = (struct buf){ .cap = b->cap };
}

void buf_wipe(struct buf *b)
{
        if (b->data)
                explicit_bzero(b->data, b->size);
        buf_done(b);
}

void buf_reset(struct buf *b)
{
        b->len = 0;
        b->error = 0;
        if (b->data)
                b->data[0] = '\0';
}

/* Room for `more` bytes and the NUL. */
static int reserve(struct buf *b, size_t more)
{
        if (b->error)
                return b->error;
        if (more > b->cap - b->len)
                return b->error = -EFBIG;
        if (b->len + more < b->size)
                return 0;

        size_t want = b->size ? b->size : 64;
        while (want <= b->len + more)
                want *= 2;
        if (want > b->cap + 1)
                want = b->cap + 1;

        char *data = realloc(b->data, want);
        if (!data)
                return b->error = -ENOMEM;
        b->data = data;
        b->size = want;
        return 0;
}

int buf_add(struct buf *b, const void *data, size_t len)
{
        int r = reserve(b, len);
        if (r < 0)
                return r;
        if (len > 0)
                memcpy(b->data + b->len, data, len);
        b->len += len;
        b->data[b->len] = '\0';
        return 0;
}

int buf_adds(struct buf *b, const char *s)
{
        return buf_add(b, s, strlen(s));
}

int buf_vaddf(struct buf *b, const char *fmt, va_list ap)
{
        va_list again;

        va_copy(again, ap);
        int n = vsnprintf(NULL, 0, fmt, again);
        va_end(again);
        if (n < 0)
                return b->error = -EINVAL;

        int r = reserve(b, (size_t)n);
        if (r < 0)
                return r;
        vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap);
        b->len += (size_t)n;
        return 0;
}

int buf_addf(struct buf *b, const char *fmt, ...)
{
        va_list ap;

        va_start(ap, fmt);
        int r = buf_vaddf(b, fmt, ap);
        va_end(ap);
        return r;
}

int buf_add_percent(struct buf *b, const char *s)
{
        for (; *s; s++) {
                unsigned char c = (unsigned char)*s;

                if (c < 0x80 && (isalnum(c) || strchr("-._~", c)))
                        buf_add(b, s, 1);
                else
                        buf_addf(b, "%%%02X", c);
        }
        return b->error;
}

const char *buf_str(const struct buf *b)
{
        return b->data ? b->data : "";
}
