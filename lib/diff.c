/* The longest common subsequence of lines by its table, between what both texts begin and end with;
 * then hunks with three lines around each change. */
#include "lib/diff.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { CONTEXT = 3, PAIRS_MAX = 4 * 1024 * 1024 };

struct line {
        const char *s;
        size_t len; /* with its line end, if it has one */
};

struct text {
        struct line *v;
        size_t n;
};

/* One line of the result: ' ' in both, '-' in the old one, '+' in the new one. */
struct step {
        char sign;
        struct line line;
};

struct script {
        struct step *v;
        size_t n;
};

static int split(const char *s, struct text *ret)
{
        size_t n = 0;

        for (const char *p = s; *p; p += strcspn(p, "\n"), p += *p == '\n')
                n++;
        ret->v = calloc(n + 1, sizeof *ret->v);
        if (!ret->v)
                return -ENOMEM;
        for (ret->n = 0; ret->n < n; ret->n++) {
                size_t len = strcspn(s, "\n");
                len += s[len] == '\n';
                ret->v[ret->n] = (struct line){ s, len };
                s += len;
        }
        return 0;
}

static bool same(const struct line *a, const struct line *b)
{
        return a->len == b->len && memcmp(a->s, b->s, a->len) == 0;
}

static void add(struct script *s, char sign, const struct line *l)
{
        s->v[s->n++] = (struct step){ sign, *l };
}

static void add_all(struct script *s, char sign, const struct text *t)
{
        for (size_t i = 0; i < t->n; i++)
                add(s, sign, &t->v[i]);
}

/* best[i][j]: how many lines a from i and b from j on have in common. */
static void count_common(const struct text *a, const struct text *b, uint32_t *best)
{
        size_t width = b->n + 1;

        for (size_t x = a->n; x-- > 0;)
                for (size_t y = b->n; y-- > 0;) {
                        uint32_t *cell = &best[x * width + y];
                        *cell = same(&a->v[x], &b->v[y]) ? cell[width + 1] + 1
                                                         : MAX(cell[width], cell[1]);
                }
}

static int middle(const struct text *a, const struct text *b, struct script *s)
{
        size_t width = b->n + 1, i = 0, j = 0;

        if (a->n == 0 || b->n == 0 || a->n > PAIRS_MAX / b->n) {
                add_all(s, '-', a);
                add_all(s, '+', b);
                return 0;
        }
        uint32_t *best = calloc((a->n + 1) * width, sizeof *best);
        if (!best)
                return -ENOMEM;
        count_common(a, b, best);
        while (i < a->n && j < b->n) {
                const uint32_t *cell = &best[i * width + j];
                if (same(&a->v[i], &b->v[j])) {
                        add(s, ' ', &a->v[i++]);
                        j++;
                } else if (cell[width] >= cell[1]) {
                        add(s, '-', &a->v[i++]);
                } else {
                        add(s, '+', &b->v[j++]);
                }
        }
        add_all(s, '-', &(struct text){ a->v + i, a->n - i });
        add_all(s, '+', &(struct text){ b->v + j, b->n - j });
        free(best);
        return 0;
}

static int compare(const struct text *a, const struct text *b, struct script *s)
{
        size_t head = 0, tail = 0, least = MIN(a->n, b->n);

        s->v = calloc(a->n + b->n + 1, sizeof *s->v);
        if (!s->v)
                return -ENOMEM;
        while (head < least && same(&a->v[head], &b->v[head]))
                head++;
        while (tail < least - head && same(&a->v[a->n - 1 - tail], &b->v[b->n - 1 - tail]))
                tail++;
        add_all(s, ' ', &(struct text){ a->v, head });
        int r = middle(&(struct text){ a->v + head, a->n - head - tail },
                       &(struct text){ b->v + head, b->n - head - tail }, s);
        add_all(s, ' ', &(struct text){ a->v + a->n - tail, tail });
        return r;
}

/* ---- hunks ---- */

/* Where the hunk that begins with the change at `from` ends: no change for twice the context. */
static size_t hunk_end(const struct script *s, size_t from)
{
        size_t last = from;

        for (size_t i = from; i < s->n && i <= last + 2 * CONTEXT + 1; i++)
                if (s->v[i].sign != ' ')
                        last = i;
        return MIN(s->n, last + 1 + CONTEXT);
}

static void range(struct buf *out, char sign, size_t before, size_t n)
{
        buf_addf(out, " %c%zu", sign, n > 0 ? before + 1 : before);
        if (n != 1)
                buf_addf(out, ",%zu", n);
}

static void print_step(const struct step *t, struct buf *out)
{
        buf_add(out, &t->sign, 1);
        buf_add(out, t->line.s, t->line.len);
        if (t->line.len == 0 || t->line.s[t->line.len - 1] != '\n')
                buf_adds(out, "\n\\ No newline at end of file\n");
}

static void print_hunk(const struct script *s, size_t from, size_t to, struct buf *out)
{
        size_t before[2] = { 0, 0 }, n[2] = { 0, 0 };

        for (size_t i = 0; i < to; i++) {
                size_t *count = i < from ? before : n;
                count[0] += s->v[i].sign != '+';
                count[1] += s->v[i].sign != '-';
        }
        buf_adds(out, "@@");
        range(out, '-', before[0], n[0]);
        range(out, '+', before[1], n[1]);
        buf_adds(out, " @@\n");
        for (size_t i = from; i < to; i++)
                print_step(&s->v[i], out);
}

static void print(const struct script *s, const char *a, const char *b, struct buf *out)
{
        size_t done = 0;

        for (size_t i = 0; i < s->n; i++) {
                if (s->v[i].sign == ' ')
                        continue;
                if (done == 0)
                        buf_addf(out, "--- %s\n+++ %s\n", a, b);
                size_t to = hunk_end(s, i);
                print_hunk(s, MAX(done, i - MIN(i, CONTEXT)), to, out);
                done = to;
                i = to - 1;
        }
}

int diff_unified(const char *old, const char *fresh, const char *a, const char *b, struct buf *out)
{
        struct text x = { .n = 0 };
        struct text y = { .n = 0 };
        struct script s = { .n = 0 };
        int r = split(old, &x);

        if (r == 0)
                r = split(fresh, &y);
        if (r == 0)
                r = compare(&x, &y, &s);
        if (r == 0)
                print(&s, a, b, out);
        free(x.v);
        free(y.v);
        free(s.v);
        return r < 0 ? r : out->error;
}
