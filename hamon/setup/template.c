/* Tags are read where they stand; a section's body is filled by the function that found it, as
 * often as it takes, so that no tree is built. */
#include "hamon/setup/template.h"

#include <errno.h>
#include <string.h>

struct job {
        const char *what, *text;
        const struct template_words *words;
        struct buf *out, *errors;
};

static PRINTF(3, 4) int mistake(const struct job *j, const char *at, const char *fmt, ...)
{
        unsigned line = 1;
        va_list ap;

        for (const char *p = j->text; p < at; p++)
                line += *p == '\n';
        buf_addf(j->errors, "%s:%u: ", j->what, line);
        va_start(ap, fmt);
        buf_vaddf(j->errors, fmt, ap);
        va_end(ap);
        buf_adds(j->errors, "\n");
        return -EINVAL;
}

static bool is_plain(const char *s)
{
        return s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:/@%[]"
                           "+-")] == '\0';
}

/* ---- values ---- */

static int value_of(const struct job *j, const char *at, const struct template_scope *scope,
                    const char *name, struct buf *ret, const char **ret_from)
{
        *ret_from = name;
        if (scope && strcmp(name, "first") == 0)
                return scope->i == 0 ? buf_adds(ret, "yes") : 0;
        if (scope && strcmp(name, "last") == 0)
                return scope->i + 1 == scope->n ? buf_adds(ret, "yes") : 0;
        int r = j->words->value(j->words->arg, scope, name, ret, ret_from);
        if (r == -ENOENT)
                return mistake(j, at, "there is no value \"%s\"", name);
        if (r == 0)
                r = ret->error;
        return r < 0 ? mistake(j, at, "%s: %s", *ret_from, strerror(-r)) : 0;
}

static int put_value(const struct job *j, const char *at, const struct template_scope *scope,
                     const char *name, bool may_be_empty)
{
        CLEANUP(buf_done) struct buf value = BUF(TEMPLATE_VALUE);
        const char *from;

        int r = value_of(j, at, scope, name, &value, &from);
        if (r < 0)
                return r;
        if (value.len == 0 && !may_be_empty)
                return mistake(j, at, "%s is not set", from);
        if (!is_plain(buf_str(&value)))
                return mistake(j, at,
                               "%s: \"%s\" cannot stand in this file; use letters, digits and "
                               "._:/@%%[]+-",
                               from, buf_str(&value));
        return buf_adds(j->out, buf_str(&value));
}

/* How often the body of a section stands. */
static int times(const struct job *j, const char *at, const struct template_scope *scope,
                 const char *name, bool inverted, size_t *ret, bool *ret_list)
{
        CLEANUP(buf_done) struct buf value = BUF(TEMPLATE_VALUE);
        const char *from;
        size_t n = 0;

        int r = j->words->items(j->words->arg, name, &n);
        *ret_list = r == 0 && !inverted;
        if (r == -ENOENT) {
                r = value_of(j, at, scope, name, &value, &from);
                n = value.len > 0;
        }
        *ret = inverted ? n == 0 : n;
        return r;
}

/* ---- tags ---- */

struct tag {
        char kind; /* '#', '^', '/', '!', or 'v' for a value */
        char name[TEMPLATE_NAME];
        const char *start, *end; /* with the line around it, if it is to go too */
};

/* A tag alone on its line begins with the line and ends with it. */
static void take_line(const char *from, struct tag *t)
{
        const char *s = t->start, *e = t->end;

        while (s > from && (s[-1] == ' ' || s[-1] == '\t'))
                s--;
        while (*e == ' ' || *e == '\t')
                e++;
        if ((s == from || s[-1] == '\n') && *e == '\n') {
                t->start = s;
                t->end = e + 1;
        }
}

/* The next tag between `p` and `end`. 0: there is none. */
static int next_tag(const struct job *j, const char *p, const char *end, struct tag *ret)
{
        const char *open = strstr(p, "{{");

        *ret = (struct tag){ .start = end, .end = end };
        if (!open || open >= end)
                return 0;
        const char *close = strstr(open, "}}");
        if (!close || close >= end)
                return mistake(j, open, "{{ without }}");
        bool special = open[2] && strchr("#^/!", open[2]);
        const char *name = open + 2 + special;
        size_t len = (size_t)(close - name);
        ret->kind = 'v';
        if (special)
                ret->kind = open[2];
        ret->start = open;
        ret->end = close + 2;
        if (ret->kind != 'v')
                take_line(j->text, ret);
        if (ret->kind == '!')
                return 1;
        if (len == 0 || len >= TEMPLATE_NAME)
                return mistake(j, open, "a name has 1 to %d letters", TEMPLATE_NAME - 1);
        memcpy(ret->name, name, len);
        ret->name[len] = '\0';
        return 1;
}

/* The end of the section that `open` begins. */
static int find_end(const struct job *j, const struct tag *open, const char *end, struct tag *ret)
{
        const char *p = open->end;
        unsigned depth = 0;
        int r;

        while ((r = next_tag(j, p, end, ret)) > 0) {
                p = ret->end;
                if (ret->kind == '/' && depth == 0)
                        return strcmp(ret->name, open->name) == 0
                                       ? 0
                                       : mistake(j, ret->start, "{{/%s}} ends {{%c%s}}", ret->name,
                                                 open->kind, open->name);
                if (ret->kind == '/')
                        depth--;
                else if (ret->kind == '#' || ret->kind == '^')
                        depth++;
        }
        return r < 0 ? r : mistake(j, open->start, "{{%c%s}} has no end", open->kind, open->name);
}

static int fill(const struct job *j, const char *p, const char *end,
                const struct template_scope *scope, unsigned depth);

static int fill_section(const struct job *j, const struct tag *open, const struct tag *close,
                        const struct template_scope *scope, unsigned depth)
{
        size_t n;
        bool list;

        if (depth == TEMPLATE_DEPTH)
                return mistake(j, open->start, "sections are nested more than %d deep",
                               TEMPLATE_DEPTH);
        int r = times(j, open->start, scope, open->name, open->kind == '^', &n, &list);
        for (size_t i = 0; r == 0 && i < n; i++) {
                const struct template_scope inner = {
                        .up = scope, .list = open->name, .i = i, .n = n
                };
                r = fill(j, open->end, close->start, list ? &inner : scope, depth + 1);
        }
        return r;
}

static int fill(const struct job *j, const char *p, const char *end,
                const struct template_scope *scope, unsigned depth)
{
        struct tag t = { 0 }, close = { 0 };
        int r;

        while ((r = next_tag(j, p, end, &t)) > 0) {
                buf_add(j->out, p, (size_t)(t.start - p));
                p = t.end;
                r = 0;
                if (t.kind == '/')
                        return mistake(j, t.start, "{{/%s}} ends nothing", t.name);
                if (t.kind == 'v')
                        r = put_value(j, t.start, scope, t.name, false);
                if (t.kind == '#' || t.kind == '^') {
                        r = find_end(j, &t, end, &close);
                        if (r == 0)
                                r = fill_section(j, &t, &close, scope, depth);
                        p = close.end;
                }
                if (r < 0)
                        return r;
        }
        buf_add(j->out, p, (size_t)(end - p));
        return r;
}

int template_fill(const char *what, const char *text, const struct template_words *w,
                  struct buf *out, struct buf *errors)
{
        const struct job j = { what, text, w, out, errors };

        int r = fill(&j, text, text + strlen(text), NULL, 0);
        return r < 0 ? r : out->error;
}

/* ---- a compose file ---- */

static int env_name(const struct job *j, const char *name, size_t len, char ret[TEMPLATE_NAME])
{
        if (len == 0 || len >= TEMPLATE_NAME)
                return mistake(j, name, "a name has 1 to %d letters", TEMPLATE_NAME - 1);
        if (strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") != len)
                return mistake(j, name, "a name has capitals and `_` only");
        memcpy(ret, name, len);
        ret[len] = '\0';
        return 0;
}

int template_fill_env(const char *what, const char *text, const char *prefix,
                      const struct template_words *w, struct buf *out, struct buf *errors)
{
        const struct job j = { what, text, w, out, errors };
        const char *p = text, *at;
        char word[TEMPLATE_NAME];
        int r = 0;

        while (r == 0 && (at = strstr(p, "${")) != NULL) {
                const char *name = at + 2, *end = strchr(name, '}');
                buf_add(out, p, (size_t)(at - p));
                p = at + 2;
                if ((at > text && at[-1] == '$') || strncmp(name, prefix, strlen(prefix)) != 0) {
                        buf_adds(out, "${"); /* compose's own, or no variable at all */
                        continue;
                }
                if (!end)
                        return mistake(&j, at, "${ without }");
                size_t len = strcspn(name, ":}");
                const char *otherwise = strncmp(name + len, ":-", 2) == 0 ? name + len + 2 : NULL;
                r = env_name(&j, name, len, word);
                size_t before = out->len;
                if (r == 0)
                        r = put_value(&j, at, NULL, word, otherwise != NULL);
                if (r == 0 && out->len == before && otherwise)
                        buf_add(out, otherwise, (size_t)(end - otherwise));
                p = end + 1;
        }
        buf_adds(out, p);
        return r < 0 ? r : out->error;
}
