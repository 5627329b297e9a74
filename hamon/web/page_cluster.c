/* The cluster drawn: nodes in a row (or, on a phone, one below the other), above them the service
 * address and the volume with a line to who has them, below them the database they share. Two
 * drawings are made, the style sheet shows one; each says in words what is to be seen on it. */
#include "hamon/web/page_impl.h"

#include <string.h>

enum { ROW_MAX = 4, LINE = 160 };

struct place {
        int x, y, w, h;
};

struct layout {
        const char *class;
        int w, h;
        bool tall; /* nodes one below the other */
        struct place address, volume, database, node[PAGE_NODES];
};

static int mid_x(const struct place *p)
{
        return p->x + p->w / 2;
}

static int mid_y(const struct place *p)
{
        return p->y + p->h / 2;
}

/* ---- where things are ---- */

static void lay_wide(struct layout *l, int n)
{
        enum { W = 960, GAP = 28, TOP = 112, BOX = 122 };
        int w = MIN(286, (W - GAP * (n - 1)) / n);
        int left = (W - n * w - (n - 1) * GAP) / 2;

        *l = (struct layout){ .class = "wide", .w = W, .h = TOP + BOX + 72 };
        l->address = (struct place){ W / 2 - 316, 6, 300, 48 };
        l->volume = (struct place){ W / 2 + 16, 6, 300, 48 };
        for (int i = 0; i < n; i++)
                l->node[i] = (struct place){ left + i * (w + GAP), TOP, w, BOX };
        l->database = (struct place){ left, TOP + BOX + 30, n * w + (n - 1) * GAP, 36 };
}

static void lay_tall(struct layout *l, int n)
{
        enum { W = 340, X = 40, BOX = 92, GAP = 12, TOP = 118 };
        int end = TOP + n * (BOX + GAP);

        *l = (struct layout){ .class = "tall", .w = W, .h = end + 46, .tall = true };
        l->address = (struct place){ X, 4, 280, 46 };
        l->volume = (struct place){ X, 56, 280, 46 };
        for (int i = 0; i < n; i++)
                l->node[i] = (struct place){ X, TOP + i * (BOX + GAP), 280, BOX };
        l->database = (struct place){ X, end + 4, W - X - 2, 36 };
}

const struct page_node *page_volume_at(const struct page_view *v, bool *ret_sure)
{
        const cJSON *volume = page_get(v->snap->status, "volume");
        const char *at = page_text(volume, "attached_to");

        *ret_sure = true;
        for (size_t i = 0; i < v->n_nodes; i++)
                if (v->nodes[i].mounted || (v->nodes[i].self && page_true(volume, "mounted")))
                        return &v->nodes[i];
        for (size_t i = 0; i < v->n_nodes && *at; i++)
                if (strcmp(v->nodes[i].name, at) == 0)
                        return &v->nodes[i];
        *ret_sure = false;
        return v->cluster ? v->leader : NULL;
}

const struct page_node *page_address_at(const struct page_view *v, bool *ret_sure)
{
        const cJSON *o;

        *ret_sure = true;
        cJSON_ArrayForEach(o, page_get(page_get(v->snap->status, "ip"),
                                       "addresses")) if (page_true(o, "here")) return v->self;
        *ret_sure = false;
        return v->cluster && v->leader && strcmp(v->leader->state, "master") == 0 ? v->leader
                                                                                  : NULL;
}

/* ---- text that must fit ---- */

/* At most `max` bytes, whole characters, and a sign that there was more. */
static const char *cut(const char *text, size_t max, char *dst, size_t size)
{
        size_t len = max > 1 ? max - 1 : 1;

        if (strlen(text) <= max) {
                str_copy(dst, size, text);
                return dst;
        }
        while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
                len--;
        snprintf(dst, size, "%.*s\xe2\x80\xa6", (int)len, text); /* … */
        return dst;
}

static void text(struct buf *out, const char *class, int x, int y, const char *words, size_t max)
{
        char line[LINE + 8];

        html_addf(out, "<text class=\"%s\" x=\"%d\" y=\"%d\">%s</text>", class, x, y,
                  cut(words, MIN(max, (size_t)LINE), line, sizeof line));
}

/* In two lines, broken at a blank. */
static void two_lines(struct buf *out, const char *class, int x, int y, const char *words,
                      size_t max)
{
        char line[LINE + 8];
        size_t len = strlen(words), at = max;

        if (len > max) {
                while (at > 0 && words[at] != ' ')
                        at--;
                if (at > 0) {
                        str_copy(line, MIN(at + 1, sizeof line), words);
                        text(out, class, x, y, line, max);
                        text(out, class, x, y + 18, words + at + 1, max);
                        return;
                }
        }
        text(out, class, x, y, words, max);
}

static size_t chars(int width, int tenths)
{
        return (size_t)(width * 10 / tenths);
}

/* ---- pieces ---- */

const char *page_role(const struct page_node *n)
{
        static const struct {
                const char *state, *word;
        } ROWS[] = {
                { "init", "starting" },
                { "standby", "standby" },
                { "claiming", "takes the lead" },
                { "promoting", "becomes master" },
                { "master", "master" },
                { "demoting", "gives up the lead" },
                { "fencing", "stops writing" },
                { "halted", "held back" },
                { "maintenance", "in maintenance" },
        };

        if (!n->heard)
                return n->age < 0 ? "never heard" : "silent";
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++)
                if (strcmp(ROWS[i].state, n->state) == 0)
                        return ROWS[i].word;
        return *n->state ? n->state : n->role;
}

/* In a few words, what it is good for. */
static const char *words_of(const struct page_node *n, bool leads)
{
        if (strcmp(n->reason, "ok") != 0)
                return page_sentence(n->reason);
        if (leads && strcmp(n->role, "master") == 0)
                return "serves mail";
        return n->candidate && !leads ? "could take over" : n->verdict;
}

static void use(struct buf *out, const char *icon, int x, int y, int size)
{
        html_addf(out, "<use href=\"#%s\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"/>", icon, x,
                  y, size, size);
}

static void draw_node(const struct page_view *v, const struct page_node *n, const struct place *p,
                      struct buf *out)
{
        bool leads = n == v->leader;
        char age[32], heard[64];
        int x = p->x + 18;

        html_addf(out,
                  "<g class=\"node %s%s\"><rect class=\"box\" x=\"%d\" y=\"%d\" width=\"%d\" "
                  "height=\"%d\" rx=\"9\"/>"
                  "<rect class=\"edge\" x=\"%d\" y=\"%d\" width=\"6\" height=\"%d\" rx=\"3\"/>",
                  LEVELS[n->level].name, leads ? " leads" : "", p->x, p->y, p->w, p->h, p->x,
                  p->y + 8, p->h - 16);
        html_addf(out, "<g class=\"mark\">");
        use(out, LEVELS[n->level].mark, p->x + p->w - 38, p->y + 12, 24);
        html_addf(out, "</g>");
        text(out, "name", x, p->y + 29, n->name, chars(p->w - 66, 105));
        text(out, leads ? "role lead" : "role", x, p->y + 50, page_role(n), chars(p->w - 30, 80));
        if (n->self)
                str_copy(heard, sizeof heard, "shows you this page");
        else if (n->age < 0)
                heard[0] = '\0';
        else
                snprintf(heard, sizeof heard, "heard %s ago", page_span(n->age, age, sizeof age));
        if (!n->heard)
                text(out, "say", x, p->y + 72, heard, chars(p->w - 30, 66));
        else {
                two_lines(out, "say", x, p->y + 72, words_of(n, leads), chars(p->w - 30, 66));
                if (p->h > 100)
                        text(out, "dim", x, p->y + 110, heard, chars(p->w - 30, 66));
        }
        html_addf(out, "</g>");
}

static void draw_thing(struct buf *out, const struct place *p, const char *icon, const char *name,
                       const char *value)
{
        html_addf(out,
                  "<g class=\"thing\"><rect class=\"box\" x=\"%d\" y=\"%d\" width=\"%d\" "
                  "height=\"%d\" rx=\"%d\"/><g class=\"mark\">",
                  p->x, p->y, p->w, p->h, p->h / 2);
        use(out, icon, p->x + 16, p->y + p->h / 2 - 12, 24);
        html_addf(out, "</g>");
        text(out, "dim", p->x + 52, p->y + 19, name, chars(p->w - 66, 66));
        text(out, "say strong", p->x + 52, p->y + 37, value, chars(p->w - 66, 78));
        html_addf(out, "</g>");
}

/* A line from a thing to who has it. The two never cross: who is nearer turns first. */
static void draw_line(const struct layout *l, const struct place *from, const struct place *to,
                      bool sure, bool moving, struct buf *out)
{
        const char *class = moving ? "wire moving" : sure ? "wire" : "wire maybe";
        bool first = from == &l->address;

        if (l->tall) {
                html_addf(out, "<path class=\"%s\" d=\"M%d %dH%dV%dH%d\"/>", class, from->x,
                          mid_y(from), first ? 10 : 25, mid_y(to) + (first ? -12 : 12), to->x);
                return;
        }
        bool left = mid_x(to) < mid_x(from);
        int turn = left == first ? 74 : 92;
        html_addf(out, "<path class=\"%s\" d=\"M%d %dV%dH%dV%d\"/>", class, mid_x(from),
                  from->y + from->h, turn, mid_x(to) + (first ? -40 : 40), to->y);
}

static void draw_things(const struct page_view *v, const struct layout *l, struct buf *out)
{
        const cJSON *s = v->snap->status, *o = page_get(page_get(s, "ip"), "addresses");
        const char *address = page_text(cJSON_GetArrayItem(o, 0), "address");
        const char *mount = page_text(page_get(s, "volume"), "mount");
        const struct page_node *at;
        char label[128];
        bool sure, moving = v->level == LEVEL_MOVING;

        if (*address && (at = page_address_at(v, &sure)))
                draw_line(l, &l->address, &l->node[at - v->nodes], sure, moving, out);
        if (*mount && (at = page_volume_at(v, &sure)))
                draw_line(l, &l->volume, &l->node[at - v->nodes], sure, moving, out);
        snprintf(label, sizeof label, "%s%s", address,
                 cJSON_GetArraySize(o) > 1 ? " and more" : "");
        if (*address)
                draw_thing(out, &l->address, "i-mail", "service address", label);
        if (*mount)
                draw_thing(out, &l->volume, "i-disk", "shared volume", mount);
}

static enum page_level database(const struct page_view *v, char *dst, size_t size)
{
        const cJSON *g = page_get(v->snap->status, "galera"), *o;
        long long n = (long long)page_number(g, "size", 0);
        enum page_level level = LEVEL_UNKNOWN;

        cJSON_ArrayForEach(o, page_get(v->snap->status, "checks"))
        {
                if (strcmp(page_text(o, "name"), "galera") == 0)
                        level = page_level_of(page_text(o, "verdict"));
        }
        if (n > 0 && v->cluster)
                snprintf(dst, size, "Database: Galera, %lld of %zu, %s", n, v->n_nodes,
                         page_text(g, "state"));
        else if (n > 0)
                snprintf(dst, size, "Database: Galera of %lld, %s", n, page_text(g, "state"));
        else
                snprintf(dst, size, "Database: Galera, not known");
        return level == LEVEL_GOOD && v->cluster && (size_t)n < v->n_nodes ? LEVEL_WARN : level;
}

static void draw_database(const struct page_view *v, const struct layout *l, struct buf *out)
{
        const struct place *p = &l->database;
        char words[96];
        enum page_level level = database(v, words, sizeof words);

        for (size_t i = 0; i < v->n_nodes; i++) {
                const struct page_node *n = &v->nodes[i];
                const struct place *b = &l->node[i];
                bool in = n->heard && strncmp(n->reason, "galera", 6) != 0;
                const char *class = in ? "wire data" : "wire data maybe";
                if (l->tall)
                        html_addf(out, "<path class=\"%s\" d=\"M%d %dH%dV%d\"/>", class,
                                  b->x + b->w, mid_y(b), l->w - 8, p->y);
                else
                        html_addf(out, "<path class=\"%s\" d=\"M%d %dV%d\"/>", class, mid_x(b),
                                  b->y + b->h, p->y);
        }
        html_addf(out,
                  "<g class=\"node %s\"><rect class=\"box\" x=\"%d\" y=\"%d\" width=\"%d\" "
                  "height=\"%d\" rx=\"9\"/><g class=\"mark\">",
                  LEVELS[level].name, p->x, p->y, p->w, p->h);
        use(out, LEVELS[level].mark, p->x + 10, p->y + 7, 22);
        html_addf(out, "</g>");
        text(out, "say", p->x + 42, p->y + 24, words, chars(p->w - 50, 66));
        html_addf(out, "</g>");
}

/* What the drawing shows, for who does not see it. */
static void describe(const struct page_view *v, struct buf *out)
{
        bool sure;
        const struct page_node *volume = page_volume_at(v, &sure);
        const struct page_node *address = page_address_at(v, &sure);

        for (size_t i = 0; i < v->n_nodes; i++)
                html_addf(out, "%s %s, %s; ", v->nodes[i].name, page_role(&v->nodes[i]),
                          LEVELS[v->nodes[i].level].word);
        html_addf(out, "volume: %s; address: %s", volume ? volume->name : "not known",
                  address ? address->name : "not known");
}

static void draw(const struct page_view *v, const struct layout *l, struct buf *out)
{
        html_addf(out, "<svg class=\"cluster %s\" viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"",
                  l->class, l->w, l->h);
        describe(v, out);
        html_addf(out, "\">");
        draw_database(v, l, out);
        draw_things(v, l, out);
        for (size_t i = 0; i < v->n_nodes; i++)
                draw_node(v, &v->nodes[i], &l->node[i], out);
        html_addf(out, "</svg>\n");
}

void page_cluster(const struct page_view *v, struct buf *out)
{
        struct layout l;

        if (v->n_nodes == 0)
                return;
        if (v->n_nodes <= ROW_MAX) {
                lay_wide(&l, (int)v->n_nodes);
                draw(v, &l, out);
        }
        lay_tall(&l, (int)v->n_nodes);
        if (v->n_nodes > ROW_MAX)
                l.class = "tall always";
        draw(v, &l, out);
}
