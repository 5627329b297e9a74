/* Markup with holes, and what is put into them escaped. */
#include "lib/html.h"

#include <errno.h>
#include <string.h>

int html_escape(struct buf *out, const char *s)
{
        static const char *const ENTITIES[128] = {
                ['&'] = "&amp;", ['<'] = "&lt;", ['>'] = "&gt;", ['"'] = "&quot;", ['\''] = "&#39;",
        };

        while (*s) {
                size_t plain = strcspn(s, "&<>\"'");
                buf_add(out, s, plain);
                s += plain;
                if (*s)
                        buf_adds(out, ENTITIES[(unsigned char)*s++ & 127]);
        }
        return out->error;
}

static int not_ours(struct buf *out)
{
        if (!out->error)
                out->error = -EINVAL;
        return out->error;
}

int html_addf(struct buf *out, const char *markup, ...)
{
        const char *p = markup;
        va_list ap;

        va_start(ap, markup);
        while (*p && !out->error) {
                size_t plain = strcspn(p, "%");
                buf_add(out, p, plain);
                p += plain;
                if (!*p)
                        break;
                p++;
                if (*p == 's')
                        html_escape(out, va_arg(ap, const char *));
                else if (*p == 'd')
                        buf_addf(out, "%d", va_arg(ap, int));
                else if (*p == 'u')
                        buf_addf(out, "%u", va_arg(ap, unsigned));
                else if (*p == '%')
                        buf_add(out, p, 1);
                else if (strncmp(p, "zu", 2) == 0)
                        buf_addf(out, "%zu", va_arg(ap, size_t)), p++;
                else if (strncmp(p, "lld", 3) == 0)
                        buf_addf(out, "%lld", va_arg(ap, long long)), p += 2;
                else if (strncmp(p, "llu", 3) == 0)
                        buf_addf(out, "%llu", va_arg(ap, unsigned long long)), p += 2;
                else
                        not_ours(out);
                p++;
        }
        va_end(ap);
        return out->error;
}
