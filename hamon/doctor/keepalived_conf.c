/* One statement per line; a block begins with { behind the words or on the next line, and may begin
 * and end on one line. # and ! begin a comment. */
#include "hamon/doctor/keepalived_conf.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

struct reader {
        struct kc *k;
        const char *p;
        unsigned line;
        int parent; /* the block we are in */
        int last;   /* the last statement of it, which a { on the next line would open */
        struct kc_item now;
        size_t len;
};

static int finish(struct reader *r)
{
        if (r->len == 0)
                return 0;
        if (r->k->n == KC_ITEMS)
                return -E2BIG;
        if (strncmp(r->now.text, "include", 7) == 0)
                r->k->includes = true;
        r->now.parent = r->parent;
        r->last = (int)r->k->n;
        r->k->v[r->k->n++] = r->now;
        r->len = 0;
        r->now.text[0] = '\0';
        return 0;
}

static void add(struct reader *r, const char *s, size_t n)
{
        if (r->len == 0)
                r->now.line = r->line;
        else if (r->len + 1 < KC_TEXT)
                r->now.text[r->len++] = ' ';
        n = MIN(n, KC_TEXT - 1 - r->len);
        memcpy(r->now.text + r->len, s, n);
        r->len += n;
        r->now.text[r->len] = '\0';
}

static int open_block(struct reader *r)
{
        int e = finish(r);

        if (e < 0)
                return e;
        if (r->last < 0)
                return -EBADMSG;
        r->parent = r->last;
        r->last = -1;
        return 0;
}

static int close_block(struct reader *r)
{
        int e = finish(r);

        if (e < 0)
                return e;
        if (r->parent == KC_TOP)
                return -EBADMSG;
        r->last = -1;
        r->parent = r->k->v[r->parent].parent;
        return 0;
}

static void skip_line(struct reader *r)
{
        r->p += strcspn(r->p, "\n");
}

static void read_word(struct reader *r)
{
        if (*r->p == '"') {
                size_t n = strcspn(r->p + 1, "\"\n");
                add(r, r->p + 1, n);
                r->p += 1 + n + (r->p[1 + n] == '"');
                return;
        }
        size_t n = strcspn(r->p, " \t\r\n\"{}");
        add(r, r->p, n);
        r->p += n;
}

static int step(struct reader *r)
{
        switch (*r->p) {
        case '\n':
                r->line++;
                r->p++;
                return finish(r);
        case ' ':
        case '\t':
        case '\r':
                r->p++;
                return 0;
        case '#':
        case '!':
                skip_line(r);
                return 0;
        case '{':
                r->p++;
                return open_block(r);
        case '}':
                r->p++;
                return close_block(r);
        default:
                read_word(r);
                return 0;
        }
}

int kc_parse(const char *text, struct kc *ret)
{
        struct reader r = { .k = ret, .p = text, .line = 1, .parent = KC_TOP, .last = -1 };
        int e = 0;

        ret->n = 0;
        ret->includes = false;
        while (e == 0 && *r.p)
                e = step(&r);
        if (e == 0)
                e = finish(&r);
        return e < 0 ? e : r.parent == KC_TOP ? 0 : -EBADMSG;
}

static bool begins(const char *text, const char *word)
{
        size_t len = strlen(word);

        return strncmp(text, word, len) == 0 && (text[len] == ' ' || text[len] == '\0');
}

int kc_find(const struct kc *k, int parent, const char *word, int after)
{
        for (size_t i = (size_t)after + 1; i < k->n; i++) /* -1 + 1 = 0 */
                if (k->v[i].parent == parent && begins(k->v[i].text, word))
                        return (int)i;
        return -1;
}

const char *kc_value(const struct kc *k, int parent, const char *word)
{
        int i = kc_find(k, parent, word, -1);

        if (i < 0)
                return NULL;
        const char *blank = strchr(k->v[i].text, ' ');
        return blank ? blank + 1 : "";
}

bool kc_has(const struct kc *k, int block, const char *word)
{
        return kc_find(k, block, word, -1) >= 0;
}
