/* The reserved names of reserved.h. */
#include "signup/reserved.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_CAP = 256 * 1024, WORD_CAP = 64 };

enum match { MATCH_WHOLE, MATCH_BEGIN, MATCH_END };

struct word {
        char text[WORD_CAP]; /* folded; of a pattern as it is */
        enum match match;
};

struct reserved {
        struct word *v;
        size_t n;
};

/* One letter for all that look like it. */
static char alike(char c)
{
        static const char FROM[] = "013457i", TO[] = "oleastl";
        const char *p = strchr(FROM, c);

        return (char)(c && p ? TO[p - FROM] : c);
}

static void fold(const char *s, char dst[WORD_CAP])
{
        size_t n = 0, len = strlen(s);

        while (len > 0 && (isdigit((unsigned char)s[len - 1]) || strchr(".-_", s[len - 1])))
                len--;
        if (len == 0)
                len = strlen(s);
        for (size_t i = 0; i < len && n + 1 < WORD_CAP; i++)
                if (!strchr(".-_", s[i]))
                        dst[n++] = alike((char)tolower((unsigned char)s[i]));
        dst[n] = '\0';
}

static int add_word(struct reserved *r, char *text)
{
        struct word w = { .match = MATCH_WHOLE };
        size_t len = strlen(text);

        if (text[len - 1] == '*') {
                text[len - 1] = '\0';
                w.match = MATCH_BEGIN;
        } else if (text[0] == '*') {
                text++;
                w.match = MATCH_END;
        }
        if (w.match == MATCH_WHOLE)
                fold(text, w.text);
        else
                str_copy(w.text, sizeof w.text, text);
        struct word *v = reallocarray(r->v, r->n + 1, sizeof *v);
        if (!v)
                return -ENOMEM;
        r->v = v;
        r->v[r->n++] = w;
        return 0;
}

static int read_line(struct reserved *r, char *line, const char *path, unsigned number,
                     struct buf *errors)
{
        line[strcspn(line, "#")] = '\0';
        line += strspn(line, " \t");
        size_t len = strcspn(line, " \t\r"), rest = strspn(line + len, " \t\r");

        if (len == 0)
                return 0;
        bool ok = !line[len + rest] && len < WORD_CAP;
        line[len] = '\0';
        ok = ok && strspn(line, "abcdefghijklmnopqrstuvwxyz0123456789.-_*+") == len &&
             (len > 1 || line[0] != '*');
        if (!ok) {
                buf_addf(errors,
                         "%s:%u: is no local part (small letters, digits, . - _; * at one "
                         "end)\n",
                         path, number);
                return -EINVAL;
        }
        return add_word(r, line);
}

int reserved_load(const char *path, struct reserved **ret, struct buf *errors)
{
        CLEANUP(freep) char *text = NULL;
        struct reserved *r = calloc(1, sizeof *r);
        unsigned number = 0;

        if (!r)
                return -ENOMEM;
        int result = read_file(path, FILE_CAP, &text, NULL);
        if (result < 0)
                buf_addf(errors, "%s: %s\n", path, strerror(-result));
        for (char *line = text, *next; result != -ENOMEM && line; line = next) {
                next = strchr(line, '\n');
                if (next)
                        *next++ = '\0';
                int one = read_line(r, line, path, ++number, errors);
                result = one < 0 ? one : result;
        }
        if (result < 0)
                reserved_free(r);
        else
                *ret = r;
        return result;
}

void reserved_free(struct reserved *r)
{
        if (!r)
                return;
        free(r->v);
        free(r);
}

bool reserved_has(const struct reserved *r, const char *local_part)
{
        char folded[WORD_CAP];
        size_t len = strlen(local_part);

        fold(local_part, folded);
        for (size_t i = 0; i < r->n; i++) {
                const struct word *w = &r->v[i];
                size_t n = strlen(w->text);
                if (w->match == MATCH_WHOLE ? strcmp(folded, w->text) == 0
                    : w->match == MATCH_BEGIN
                            ? strncmp(local_part, w->text, n) == 0
                            : len >= n && strcmp(local_part + len - n, w->text) == 0)
                        return true;
        }
        return false;
}
