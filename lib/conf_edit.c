/* One value of a file a person wrote: changed where it stands. */
#include "lib/conf_impl.h"

#include <errno.h>
#include <string.h>

/* What a line is to the value that is looked for. */
enum kind { OTHER, HEAD, KEY, COMMENTED, MORE };

struct place {
        bool found;
        enum kind kind;
        size_t from, to; /* bytes of the text that the value replaces */
};

static size_t skip(const char *s, size_t len)
{
        size_t n = 0;

        while (n < len && conf_is_blank(s[n]))
                n++;
        return n;
}

static bool is_head(const char *s, size_t len, const char *section)
{
        size_t n = strlen(section);

        return len >= n + 2 && *s == '[' && strncmp(s + 1, section, n) == 0 && s[n + 1] == ']';
}

static bool is_key(const char *s, size_t len, const char *key)
{
        size_t n = strlen(key), at = skip(s, len);

        if (len - at < n + 1 || strncmp(s + at, key, n) != 0)
                return false;
        at += n;
        at += skip(s + at, len - at);
        return at < len && s[at] == '=';
}

static enum kind kind_of(const char *s, size_t len, const struct option *o, bool inside)
{
        if (len > 0 && *s == '[')
                return is_head(s, len, o->section) ? HEAD : OTHER;
        if (!inside || len == 0)
                return OTHER;
        if (*s == '#')
                return is_key(s + 1, len - 1, o->key) ? COMMENTED : OTHER;
        if (is_key(s, len, o->key))
                return KEY;
        return conf_is_blank(*s) && skip(s, len) < len ? MORE : OTHER;
}

/* The best place: the key itself, else its comment, else behind the first head. */
static void look(const char *text, const struct option *o, struct place *ret)
{
        struct conf_lines lines = { .next = text, .end = text + strlen(text) };
        bool inside = false, value = false;
        const char *s;
        size_t len;

        while (conf_next_line(&lines, &s, &len)) {
                enum kind kind = kind_of(s, len, o, inside);
                size_t from = (size_t)(s - text), to = (size_t)(lines.next - text);
                if (len > 0 && *s == '[')
                        inside = kind == HEAD;
                if (kind == MORE && value)
                        ret->to = to;
                value = kind == KEY || (kind == MORE && value);
                if (kind == KEY || (kind == COMMENTED && (!ret->found || ret->kind == HEAD)))
                        *ret = (struct place){ true, kind, from, to };
                else if (kind == HEAD && !ret->found)
                        *ret = (struct place){ true, kind, to, to };
        }
}

int conf_edit(const char *text, const struct option *o, const char *value, struct buf *out)
{
        struct place p = { .from = strlen(text), .to = strlen(text) };

        look(text, o, &p);
        buf_add(out, text, p.from);
        if (p.from > 0 && text[p.from - 1] != '\n')
                buf_adds(out, "\n");
        if (!p.found)
                buf_addf(out, "%s[%s]\n", p.from > 0 ? "\n" : "", o->section);
        int r = conf_print_value(o, value, out);
        buf_adds(out, text + p.to);
        return r < 0 ? r : out->error;
}
