/* The decoders of form.h. */
#include "signup/form.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

bool utf8_valid(const char *s, size_t len)
{
        const utf8proc_uint8_t *p = (const utf8proc_uint8_t *)s;

        while (len > 0) {
                utf8proc_int32_t c;
                utf8proc_ssize_t n = utf8proc_iterate(p, (utf8proc_ssize_t)len, &c);
                if (n <= 0 || c == 0)
                        return false;
                p += n;
                len -= (size_t)n;
        }
        return true;
}

static int hex(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        if (c >= 'A' && c <= 'F')
                return c - 'A' + 10;
        return -1;
}

/* In place; the result is never longer. NULL = malformed. `s` ends with NUL. */
static char *decode(char *s)
{
        char *to = s;

        for (const char *p = s; *p; p++) {
                char c = *p;
                if (c == '+') {
                        c = ' ';
                } else if (c == '%') {
                        int high = hex(p[1]), low = high < 0 ? -1 : hex(p[2]);
                        if (low < 0 || (high == 0 && low == 0))
                                return NULL;
                        c = (char)(high * 16 + low);
                        p += 2;
                }
                *to++ = c;
        }
        *to = '\0';
        return utf8_valid(s, (size_t)(to - s)) ? s : NULL;
}

static int add_pair(struct form *f, char *pair)
{
        char *equals = strchr(pair, '=');

        if (!*pair)
                return 0;
        if (f->n >= FORM_FIELDS)
                return -E2BIG;
        char *value = equals ? equals + 1 : pair + strlen(pair);
        if (equals)
                *equals = '\0';
        const char *name = decode(pair);
        if (!name || !decode(value))
                return -EBADMSG;
        if (form_get(f, name))
                return -EEXIST;
        f->v[f->n++] = (struct form_field){ name, value };
        return 0;
}

int form_parse(const char *text, size_t len, struct form *ret)
{
        struct form f = { .n = 0 };
        int r = 0;

        if (len > FORM_BYTES)
                return -E2BIG;
        if (memchr(text, '\0', len))
                return -EBADMSG;
        f.text = strndup(text, len);
        if (!f.text)
                return -ENOMEM;
        f.len = len;
        for (char *p = f.text, *next; p && r == 0; p = next) {
                next = strchr(p, '&');
                if (next)
                        *next++ = '\0';
                r = add_pair(&f, p);
        }
        if (r < 0)
                form_done(&f);
        else
                *ret = f;
        return r;
}

void form_done(struct form *f)
{
        if (f->text)
                explicit_bzero(f->text, f->len);
        free(f->text);
        *f = (struct form){ .n = 0 };
}

const char *form_get(const struct form *f, const char *name)
{
        for (size_t i = 0; i < f->n; i++)
                if (strcmp(f->v[i].name, name) == 0)
                        return f->v[i].value;
        return NULL;
}

bool cookie_get(const char *header, const char *name, char *dst, size_t size)
{
        size_t want = strlen(name);

        for (const char *p = header; p && *p;) {
                p += strspn(p, " ;");
                size_t len = strcspn(p, ";");
                if (len > want && strncmp(p, name, want) == 0 && p[want] == '=') {
                        size_t n = len - want - 1;
                        if (n >= size)
                                return false;
                        memcpy(dst, p + want + 1, n);
                        dst[n] = '\0';
                        for (size_t i = 0; i < n; i++)
                                if (dst[i] < '!' || dst[i] > '~')
                                        return false;
                        return true;
                }
                p += len;
        }
        return false;
}
