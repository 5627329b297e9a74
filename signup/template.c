/* The template engine of template.h: a file becomes a list of ops once, at start. */
#include "signup/template.h"

#include "lib/html.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_CAP = 256 * 1024, NAME_CAP = 64, DEPTH_CAP = 8, OPS_CAP = 4096 };

enum op_kind { OP_TEXT, OP_VALUE, OP_LOCALE, OP_IF, OP_UNLESS, OP_EACH, OP_END };

struct op {
        enum op_kind kind;
        char *text; /* OP_TEXT: literal; OP_LOCALE: the key */
        size_t len;
        int key;       /* value or list */
        size_t target; /* blocks: their OP_END; OP_END: its block */
};

struct template
{
        struct op *ops;
        size_t n;
};

struct parser {
        const struct template_source *source;
        struct template *t;
        struct buf *errors;
        size_t open[DEPTH_CAP]; /* blocks not yet closed */
        unsigned depth, files;
};

/* One file being read. */
struct place {
        const char *path;
        unsigned line;
};

static PRINTF(3, 4) int complain(const struct parser *p, const struct place *at, const char *fmt,
                                 ...)
{
        va_list ap;

        buf_addf(p->errors, "%s:%u: ", at->path, at->line);
        va_start(ap, fmt);
        buf_vaddf(p->errors, fmt, ap);
        va_end(ap);
        buf_adds(p->errors, "\n");
        return -EINVAL;
}

void template_free(struct template *t)
{
        if (!t)
                return;
        for (size_t i = 0; i < t->n; i++)
                free(t->ops[i].text);
        free(t->ops);
        free(t);
}

/* Takes over `text`. */
static int add_op(struct parser *p, struct op op)
{
        struct template *t = p->t;
        struct op *ops = t->n < OPS_CAP ? reallocarray(t->ops, t->n + 1, sizeof *ops) : NULL;

        if (!ops) {
                free(op.text);
                return -ENOMEM;
        }
        t->ops = ops;
        t->ops[t->n++] = op;
        return 0;
}

static int add_text(struct parser *p, enum op_kind kind, const char *s, size_t len)
{
        if (len == 0)
                return 0;
        char *copy = strndup(s, len);
        if (!copy)
                return -ENOMEM;
        return add_op(p, (struct op){ .kind = kind, .text = copy, .len = len });
}

/* ---- the kinds of holes ---- */

static int hole_value(struct parser *p, const struct place *at, const char *name)
{
        int key = view_value(name);

        if (key < 0)
                return complain(p, at, "{{%s}}: there is no such value", name);
        return add_op(p, (struct op){ .kind = OP_VALUE, .key = key });
}

static int known_placeholder(void *arg, const char *name)
{
        (void)arg;
        return view_value(name) < 0 ? 1 : 0;
}

static int hole_text(struct parser *p, const struct place *at, const char *name)
{
        const struct locales *l = p->source->locales;
        const char *text = locale_text(l->fallback, name);

        if (!text)
                return complain(p, at, "{{t:%s}}: there is no such text in the locales", name);
        if (locale_placeholders(text, known_placeholder, NULL) != 0)
                return complain(p, at, "{{t:%s}}: its text names an unknown value", name);
        return add_text(p, OP_LOCALE, name, strlen(name));
}

static int hole_asset(struct parser *p, const struct place *at, const char *name)
{
        const char *path = p->source->asset ? p->source->asset(p->source->arg, name) : NULL;

        if (!path)
                return complain(p, at, "{{asset:%s}}: there is no such file", name);
        return add_text(p, OP_TEXT, path, strlen(path));
}

static int open_block(struct parser *p, const struct place *at, enum op_kind kind, const char *name)
{
        int key = kind == OP_EACH ? view_list(name) : view_value(name);

        if (key < 0)
                return complain(p, at, "{{%s}}: there is no such %s", name,
                                kind == OP_EACH ? "list" : "value");
        if (p->depth >= DEPTH_CAP)
                return complain(p, at, "{{%s}}: blocks are nested too deep", name);
        p->open[p->depth++] = p->t->n;
        return add_op(p, (struct op){ .kind = kind, .key = key });
}

static int hole_if(struct parser *p, const struct place *at, const char *name)
{
        return open_block(p, at, OP_IF, name);
}

static int hole_unless(struct parser *p, const struct place *at, const char *name)
{
        return open_block(p, at, OP_UNLESS, name);
}

static int hole_each(struct parser *p, const struct place *at, const char *name)
{
        return open_block(p, at, OP_EACH, name);
}

static int hole_end(struct parser *p, const struct place *at, const char *name)
{
        if (p->depth == 0)
                return complain(p, at, "{{/%s}}: nothing is open here", name);
        size_t start = p->open[--p->depth];
        const struct op *block = &p->t->ops[start];
        const char *open = block->kind == OP_EACH ? LISTS[block->key] : VALUES[block->key];
        if (!str_eq(open, name))
                return complain(p, at, "{{/%s}}: what is open here is \"%s\"", name, open);
        p->t->ops[start].target = p->t->n;
        return add_op(p, (struct op){ .kind = OP_END, .target = start });
}

static int parse_file(struct parser *p, const char *name, const struct place *from);

static int hole_include(struct parser *p, const struct place *at, const char *name)
{
        return parse_file(p, name, at);
}

/* Longest prefix first where one begins like another; the last row, without any, is a value. */
static const struct hole {
        const char *prefix;
        int (*fn)(struct parser *p, const struct place *at, const char *name);
        bool alone; /* a line end right after it is no part of the page */
} HOLES[] = {
        { "t:", hole_text, false },  { "asset:", hole_asset, false }, { "?", hole_if, true },
        { "!", hole_unless, true },  { "*", hole_each, true },        { "/", hole_end, true },
        { ">", hole_include, true }, { "", hole_value, false },
};

/* `s` is behind "{{"; *ret_next behind "}}". */
static int parse_hole(struct parser *p, const struct place *at, const char *s,
                      const char **ret_next)
{
        const char *end = strstr(s, "}}");
        char name[NAME_CAP];

        if (!end || (size_t)(end - s) >= sizeof name || memchr(s, '\n', (size_t)(end - s)))
                return complain(p, at, "a {{ without its }}");
        memcpy(name, s, (size_t)(end - s));
        name[end - s] = '\0';
        *ret_next = end + 2;
        for (size_t i = 0; i < ARRAY_SIZE(HOLES); i++) {
                const struct hole *h = &HOLES[i];
                size_t len = strlen(h->prefix);
                if (strncmp(name, h->prefix, len) != 0)
                        continue;
                if (h->alone && **ret_next == '\n')
                        ++*ret_next;
                return h->fn(p, at, name + len);
        }
        return -EINVAL;
}

static int parse_text(struct parser *p, struct place *at, const char *s)
{
        int result = 0, r = 0;

        while (*s && r != -ENOMEM) {
                const char *hole = strstr(s, "{{"), *next = NULL;
                r = add_text(p, OP_TEXT, s, hole ? (size_t)(hole - s) : strlen(s));
                if (!hole || r < 0)
                        break;
                for (; s < hole; s++)
                        at->line += *s == '\n';
                r = parse_hole(p, at, hole + 2, &next);
                result = r < 0 ? r : result;
                if (!next)
                        break;
                for (; s < next; s++)
                        at->line += *s == '\n';
        }
        return r == -ENOMEM ? r : result;
}

static int parse_file(struct parser *p, const char *name, const struct place *from)
{
        CLEANUP(freep) char *text = NULL;
        char path[4096];
        struct place at = { .path = path, .line = 1 };
        unsigned depth = p->depth;

        snprintf(path, sizeof path, "%s/%s", p->source->dir, name);
        if (strchr(name, '/') || !*name || p->files >= DEPTH_CAP)
                return complain(p, from ? from : &at, "{{>%s}}: cannot be included here", name);
        int r = read_file(path, FILE_CAP, &text, NULL);
        if (r < 0)
                return complain(p, from ? from : &at, "%s: %s", path, strerror(-r));
        p->files++;
        r = parse_text(p, &at, text);
        p->files--;
        if (r == 0 && p->depth != depth)
                r = complain(p, &at, "a block is not closed at the end of the file");
        return r;
}

int template_load(const struct template_source *s, const char *name, struct template **ret,
                  struct buf *errors)
{
        struct template *t = calloc(1, sizeof *t);
        struct parser p = { .source = s, .t = t, .errors = errors };

        if (!t)
                return -ENOMEM;
        int r = parse_file(&p, name, NULL);
        if (r < 0)
                template_free(t);
        else
                *ret = t;
        return r;
}

/* ---- rendering ---- */

struct render {
        const struct view *view;
        const struct row *row;
        struct buf *out;
};

static const char *value_of(const struct render *r, int key)
{
        const char *v = r->view->v[key];

        if (r->row) {
                switch (key) {
                case V_ITEM_VALUE:
                        v = r->row->value;
                        break;
                case V_ITEM_LABEL:
                        v = r->row->label;
                        break;
                case V_ITEM_URL:
                        v = r->row->url;
                        break;
                case V_ITEM_ON:
                        v = r->row->on;
                        break;
                default:
                        break;
                }
        }
        return v ? v : "";
}

static const char *by_name(void *arg, const char *name)
{
        int key = view_value(name);

        return key < 0 ? NULL : value_of(arg, key);
}

static int put_locale(struct render *r, const char *key)
{
        CLEANUP(buf_done) struct buf text = BUF(16 * 1024);
        const char *t = locale_text(r->view->locale, key);

        if (!t)
                return -ENOENT;
        if (!strchr(t, '{'))
                return html_escape(r->out, t);
        int rc = locale_format(&text, t, by_name, r);
        return rc < 0 ? rc : html_escape(r->out, buf_str(&text));
}

static int put_range(struct render *r, const struct template *t, size_t from, size_t to);

static int put_block(struct render *r, const struct template *t, size_t at)
{
        const struct op *op = &t->ops[at];
        const struct row *outer = r->row;
        int rc = 0;

        if (op->kind != OP_EACH) {
                bool set = *value_of(r, op->key) != '\0';
                return set == (op->kind == OP_IF) ? put_range(r, t, at + 1, op->target) : 0;
        }
        const struct rows *rows = &r->view->lists[op->key];
        for (size_t i = 0; i < rows->n && rc == 0; i++) {
                r->row = &rows->v[i];
                rc = put_range(r, t, at + 1, op->target);
        }
        r->row = outer;
        return rc;
}

static int put_range(struct render *r, const struct template *t, size_t from, size_t to)
{
        int rc = 0;

        for (size_t i = from; i < to && rc == 0; i++) {
                const struct op *op = &t->ops[i];
                switch (op->kind) {
                case OP_TEXT:
                        rc = buf_add(r->out, op->text, op->len);
                        break;
                case OP_VALUE:
                        rc = html_escape(r->out, value_of(r, op->key));
                        break;
                case OP_LOCALE:
                        rc = put_locale(r, op->text);
                        break;
                case OP_IF:
                case OP_UNLESS:
                case OP_EACH:
                        rc = put_block(r, t, i);
                        i = op->target;
                        break;
                case OP_END:
                        break;
                }
        }
        return rc;
}

int template_render(const struct template *t, const struct view *v, struct buf *out)
{
        struct render r = { .view = v, .out = out };

        return put_range(&r, t, 0, t->n);
}
