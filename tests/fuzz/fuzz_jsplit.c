/* Any bytes as a JSON stream: the objects and the verdict do not depend on how the stream was cut
 * into pieces, and every object is a part of the input. The first byte chooses the pieces. */
#include "lib/jsplit.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_OBJECT = 4096 };

struct seen {
        struct buf objects; /* each with a NUL behind it */
        const char *data;
        size_t len;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int on_object(void *arg, const char *object, size_t len)
{
        struct seen *s = arg;

        if (len < 2 || len > MAX_OBJECT || object[0] != '{' || object[len - 1] != '}' ||
            object[len] != '\0' || !memmem(s->data, s->len, object, len))
                abort();
        if (buf_add(&s->objects, object, len + 1) < 0)
                abort();
        return 0;
}

static int feed(struct seen *s, size_t piece, bool *ret_at_rest)
{
        struct jsplit j;
        int r = 0;

        jsplit_init(&j, MAX_OBJECT);
        for (size_t i = 0; i < s->len && r == 0; i += piece)
                r = jsplit_feed(&j, s->data + i, MIN(piece, s->len - i), on_object, s);
        *ret_at_rest = jsplit_at_rest(&j);
        if (r < 0 && (*ret_at_rest || jsplit_feed(&j, "{}", 2, on_object, s) == 0))
                abort(); /* an error is final */
        jsplit_done(&j);
        return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        if (size == 0)
                return 0;
        struct seen whole = { BUF(1 << 24), (const char *)data + 1, size - 1 };
        struct seen cut = whole;
        bool rest_whole, rest_cut;

        int r = feed(&whole, size, &rest_whole);
        int r2 = feed(&cut, (size_t)data[0] % 16 + 1, &rest_cut);
        if (r != r2 || rest_whole != rest_cut || whole.objects.len != cut.objects.len ||
            memcmp(buf_str(&whole.objects), buf_str(&cut.objects), whole.objects.len) != 0)
                abort();
        buf_done(&whole.objects);
        buf_done(&cut.objects);
        return 0;
}
