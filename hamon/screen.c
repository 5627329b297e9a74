/* Lines of columns become lines of a terminal: where it is narrow the gaps between columns shrink
 * and the rest goes on below, indented; nothing is cut off. */
#include "hamon/screen.h"

#include <string.h>

enum { LINE = 1024, WIDE = 78, INDENT = 4 };

static const char RESET[] = "\033[0m", RED[] = "\033[1;31m", BOLD[] = "\033[1m";

static const struct {
        const char *word, *colour;
} WORDS[] = {
        { "fit", "\033[32m" },     { "up", "\033[32m" },    { "suspect", "\033[33m" },
        { "unknown", "\033[33m" }, { "unfit", "\033[31m" }, { "down", "\033[31m" },
};

struct pen {
        const struct screen *screen;
        struct buf *out;
        const char *end;     /* of a line */
        unsigned left, more; /* lines that have room; that had none */
};

struct paint { /* what of a line is in colour */
        const char *colour;
        size_t from, to;
};

/* Length of the character at `s`; 0 = none that may go to a terminal: a control character, also one
 * of the upper ones (which UTF-8 writes as C2 80 to C2 9F), or a byte that is no UTF-8. */
static size_t character(const char *s, size_t left)
{
        unsigned char c = (unsigned char)*s;
        size_t len = c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;

        if (c < ' ' || c == 0x7f || len > left || (c == 0xc2 && (unsigned char)s[1] < 0xa0))
                return 0;
        for (size_t i = 1; i < len; i++)
                if (((unsigned char)s[i] & 0xc0) != 0x80)
                        return 0;
        return len;
}

/* Printable, and with gaps of at most two where it is narrow. */
static size_t clean(const char *line, size_t len, bool narrow, char *dst)
{
        size_t n = 0, gap = 0;
        bool began = false;

        for (size_t i = 0; i < len && n < LINE - 4;) {
                size_t size = character(line + i, len - i);
                const char *from = size > 0 ? line + i : "?";
                gap = line[i] == ' ' ? gap + 1 : 0;
                began = began || gap == 0;
                i += MAX(size, (size_t)1);
                size = MAX(size, (size_t)1);
                if (narrow && began && gap > 2)
                        continue;
                memcpy(dst + n, from, size);
                n += size;
        }
        while (n > 0 && dst[n - 1] == ' ')
                n--;
        dst[n] = '\0';
        return n;
}

/* The first verdict that stands as a word of its own. */
static struct paint paint_of(const char *line)
{
        for (const char *p = line; *p; p += strcspn(p, " ")) {
                p += strspn(p, " ");
                size_t len = strcspn(p, " ");
                for (size_t i = 0; i < sizeof WORDS / sizeof WORDS[0]; i++)
                        if (strlen(WORDS[i].word) == len && strncmp(p, WORDS[i].word, len) == 0)
                                return (struct paint){ WORDS[i].colour, (size_t)(p - line),
                                                       (size_t)(p - line) + len };
        }
        return (struct paint){ .colour = NULL };
}

/* Where a piece of at most `cols` characters ends: behind a word, if there is one. */
static size_t piece(const char *text, size_t cols)
{
        size_t n = 0, seen = 0, word = 0;

        for (; text[n]; n++) {
                if (((unsigned char)text[n] & 0xc0) == 0x80)
                        continue; /* goes on a character */
                if (seen++ == cols)
                        return word > 0 ? word : n;
                if (text[n] == ' ' && n > 0 && text[n - 1] != ' ')
                        word = n;
        }
        return n;
}

static void put(struct pen *p, const char *line, size_t from, size_t to, const struct paint *c)
{
        if (!c->colour || !p->screen->colour || c->to <= from || c->from >= to) {
                buf_add(p->out, line + from, to - from);
                return;
        }
        size_t a = MAX(from, c->from), b = MIN(to, c->to);
        buf_add(p->out, line + from, a - from);
        buf_adds(p->out, c->colour);
        buf_add(p->out, line + a, b - a);
        buf_adds(p->out, RESET);
        buf_add(p->out, line + b, to - b);
}

static void put_line(struct pen *p, const char *text, size_t len, const char *whole)
{
        char line[LINE];
        size_t n = clean(text, len, p->screen->cols < WIDE, line), from = 0;
        struct paint c = whole ? (struct paint){ whole, 0, n } : paint_of(line);

        do {
                size_t indent = from > 0 && p->screen->cols > 3 * INDENT ? INDENT : 0;
                size_t to = from + piece(line + from, p->screen->cols - indent);
                if (p->left == 0) {
                        p->more++;
                        return;
                }
                p->left--;
                buf_addf(p->out, "%*s", (int)indent, "");
                put(p, line, from, to, &c);
                buf_adds(p->out, p->end);
                from = to + strspn(line + to, " ");
        } while (from < n);
}

static void put_text(struct pen *p, const char *text)
{
        while (*text) {
                size_t len = strcspn(text, "\n");
                put_line(p, text, len, NULL);
                text += len + (text[len] == '\n');
        }
}

int screen_text(const struct screen *s, const char *text, struct buf *out)
{
        struct pen p = { .screen = s, .out = out, .end = "\n", .left = (unsigned)-1 };

        put_text(&p, text);
        return out->error;
}

int screen_frame(const struct screen *s, const char *alert, const char *text, const char *foot,
                 struct buf *out)
{
        struct pen p = { .screen = s, .out = out, .end = "\033[K\r\n", .left = s->rows - 1 };
        char last[LINE], line[LINE];

        buf_adds(out, "\033[H");
        if (*alert)
                put_line(&p, alert, strlen(alert), s->colour ? RED : NULL);
        put_text(&p, text);
        if (p.more > 0)
                snprintf(last, sizeof last, "%u more lines below; %s", p.more, foot);
        else
                str_copy(last, sizeof last, foot);
        size_t n = clean(last, strlen(last), false, line);
        buf_adds(out, s->colour ? BOLD : "");
        buf_add(out, line, MIN(n, piece(line, s->cols)));
        buf_adds(out, s->colour ? RESET : "");
        return buf_adds(out, "\033[K\033[J");
}
