/* The frame: head, icons, the one sentence everybody comes for, and the order of all else. */
#include "hamon/web/page_impl.h"

#include <string.h>
#include <time.h>

enum { REFRESH_S = 10 }; /* without a script; page.js has its own */

void page_icon(struct buf *out, const char *id)
{
        html_addf(out, "<svg class=\"icon\" aria-hidden=\"true\"><use href=\"#%s\"/></svg>", id);
}

/* Drawn by us; a shape for each level, so that nobody needs to see its colour. */
static const char ICONS[] =
        "<svg class=\"icons\" aria-hidden=\"true\"><defs>"
        "<symbol id=\"i-good\" viewBox=\"0 0 24 24\"><circle class=\"disc\" cx=\"12\" cy=\"12\" "
        "r=\"11\"/><path class=\"sign\" d=\"M6.5 12.5l3.7 3.8 7.3-8\"/></symbol>"
        "<symbol id=\"i-warn\" viewBox=\"0 0 24 24\"><path class=\"disc\" d=\"M12 1.5L23.4 "
        "22H.6z\"/>"
        "<path class=\"sign\" d=\"M12 9v6M12 18.6v.1\"/></symbol>"
        "<symbol id=\"i-moving\" viewBox=\"0 0 24 24\"><circle class=\"disc\" cx=\"12\" cy=\"12\" "
        "r=\"11\"/><path class=\"sign\" d=\"M6 12h11.5M13 7l5 5-5 5\"/></symbol>"
        "<symbol id=\"i-bad\" viewBox=\"0 0 24 24\"><path class=\"disc\" d=\"M7.5 1h9L23 "
        "7.5v9L16.5 "
        "23h-9L1 16.5v-9z\"/><path class=\"sign\" d=\"M8 8l8 8M16 8l-8 8\"/></symbol>"
        "<symbol id=\"i-unknown\" viewBox=\"0 0 24 24\"><circle class=\"disc\" cx=\"12\" cy=\"12\" "
        "r=\"11\"/><path class=\"sign\" d=\"M8.6 9.2a3.5 3.5 0 1 1 5 3.2c-1 .5-1.6 1-1.6 2.2M12 "
        "18v.1\"/></symbol>"
        "<symbol id=\"i-mail\" viewBox=\"0 0 24 24\"><rect class=\"line\" x=\"2\" y=\"5\" "
        "width=\"20\" height=\"14\" rx=\"2\"/><path class=\"line\" d=\"M3 7l9 6.5L21 7\"/></symbol>"
        "<symbol id=\"i-disk\" viewBox=\"0 0 24 24\"><ellipse class=\"line\" cx=\"12\" cy=\"5.5\" "
        "rx=\"9\" ry=\"3.5\"/><path class=\"line\" d=\"M3 5.5v13c0 1.9 4 3.5 9 3.5s9-1.6 "
        "9-3.5v-13M3 "
        "12c0 1.9 4 3.5 9 3.5s9-1.6 9-3.5\"/></symbol>"
        "</defs></svg>\n";

/* ---- the head ---- */

/* What a tab shows: sign and colour of the level. */
static const struct {
        const char *sign, *colour;
} TABS[LEVEL_COUNT_] = {
        [LEVEL_UNKNOWN] = { "?", "6c757d" },        [LEVEL_GOOD] = { "\xe2\x9c\x93", "1a7d24" },
        [LEVEL_WARN] = { "!", "b26a00" },           [LEVEL_MOVING] = { "\xe2\x86\x92", "0f688d" },
        [LEVEL_BAD] = { "\xe2\x9c\x97", "b3190f" },
};

static void head(const struct page_view *v, struct buf *out)
{
        const char *node = page_text(v->snap->status, "node");

        html_addf(out,
                  "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                  "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                  "<meta name=\"color-scheme\" content=\"light dark\">\n"
                  "<meta name=\"robots\" content=\"noindex\">\n"
                  "<noscript><meta http-equiv=\"refresh\" content=\"%d\"></noscript>\n"
                  "<title>%s %s - %s - Mailcow HA</title>\n",
                  REFRESH_S, TABS[v->level].sign, v->title, *node ? node : "hamon");
        html_addf(out,
                  "<link rel=\"icon\" href=\"data:image/svg+xml,%%3Csvg "
                  "xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%%3E%%3Cpath "
                  "fill='%%23%s' d='M1 3h14v10H1z'/%%3E%%3Cpath fill='none' stroke='%%23fff' "
                  "stroke-width='1.6' d='M1.5 4L8 9l6.5-5'/%%3E%%3C/svg%%3E\">\n",
                  TABS[v->level].colour);
        html_addf(out,
                  "<link rel=\"stylesheet\" href=\"%s?%s\">\n<script src=\"%s?%s\" defer>"
                  "</script>\n</head>\n",
                  PAGE_FILES[PAGE_CSS].path, PAGE_FILES[PAGE_CSS].mark, PAGE_FILES[PAGE_JS].path,
                  PAGE_FILES[PAGE_JS].mark);
}

static void clock_text(int64_t wall, char *dst, size_t size)
{
        time_t t = (time_t)(wall / 1000);
        struct tm tm = { .tm_year = 0 };

        gmtime_r(&t, &tm);
        strftime(dst, size, "%Y-%m-%d %H:%M:%S UTC", &tm);
}

static void header(const struct page_view *v, struct buf *out)
{
        const char *node = page_text(v->snap->status, "node");
        char at[40];

        clock_text(v->time.wall, at, sizeof at);
        html_addf(out, "<header><p class=\"brand\">");
        page_icon(out, "i-mail");
        html_addf(out,
                  "Mailcow HA</p><p class=\"seen\" data-part=\"seen\">%s%s%s<span "
                  "class=\"at\">%s</span></p></header>\n",
                  *node ? "as seen by " : "", node, *node ? ", " : "", at);
}

/* ---- does mail work? ---- */

static void notes(const struct page_view *v, struct buf *out)
{
        if (v->n_notes == 0)
                return;
        html_addf(out, "<h2>%zu %s</h2><ul class=\"notes\">", v->n_notes,
                  v->n_notes == 1 ? "thing needs a look" : "things need a look");
        for (size_t i = 0; i < v->n_notes; i++) {
                html_addf(out, "<li class=\"%s\">", LEVELS[v->notes[i].level].name);
                page_icon(out, LEVELS[v->notes[i].level].mark);
                html_addf(out, "<span>%s</span></li>", v->notes[i].text);
        }
        html_addf(out, "</ul>");
}

static void banner(const struct page_view *v, struct buf *out)
{
        html_addf(out,
                  "<section class=\"banner %s\" data-part=\"banner\" id=\"banner\"><div "
                  "class=\"big\">",
                  LEVELS[v->level].name);
        page_icon(out, LEVELS[v->level].mark);
        html_addf(out, "<div><h1>%s</h1><p>%s</p>", v->title, v->why);
        if (*v->next)
                html_addf(out, "<p class=\"next\">%s</p>", v->next);
        html_addf(out, "</div></div>");
        notes(v, out);
        html_addf(out, "</section>\n");
}

static void functions(const struct page_view *v, struct buf *out)
{
        if (v->n_functions == 0)
                return;
        html_addf(out, "<section data-part=\"functions\" aria-label=\"What mail is used "
                       "for\"><ul class=\"functions\">");
        for (size_t i = 0; i < v->n_functions; i++) {
                const struct page_function *f = &v->functions[i];
                html_addf(out, "<li class=\"%s\">", LEVELS[f->level].name);
                page_icon(out, LEVELS[f->level].mark);
                html_addf(
                        out,
                        "<span><b>%s</b> <span class=\"word %s\">%s</span><small>%s</small></span>",
                        f->name, LEVELS[f->level].name, f->word,
                        f->level == LEVEL_GOOD ? f->what : f->text);
                html_addf(out, "</li>");
        }
        html_addf(out, "</ul></section>\n");
}

/* ---- the rest ---- */

static void cluster(const struct page_view *v, struct buf *out)
{
        if (v->n_nodes == 0)
                return;
        html_addf(out, "<section class=\"card\" data-part=\"cluster\"><h2>%s</h2>",
                  v->cluster ? "The cluster" : "This node");
        page_cluster(v, out);
        page_nodes(v, out);
        if (v->snap->now && *v->snap->now->detail)
                html_addf(out, "<p>What %s does now: %s.</p>", v->snap->now->node,
                          v->snap->now->detail);
        html_addf(out, "</section>\n");
}

static void footer(const struct page_view *v, struct buf *out)
{
        html_addf(
                out,
                "<footer><p data-part=\"version\">hamon %s. For programs: <a "
                "href=\"/status.json\">status.json</a>, <a href=\"/metrics\">metrics</a>, <a "
                "href=\"/health\">health</a>.</p><p>On a terminal: <code>hamon status "
                "--watch</code>, <code>hamon why</code>, <code>hamon events</code>.</p></footer>\n",
                v->known ? page_text(v->snap->status, "version") : MHA_VERSION);
}

int page_render(const struct snap *s, const struct page_time *t, struct buf *out)
{
        struct page_view v;

        page_view(s, t, &v);
        head(&v, out);
        html_addf(out, "<body class=\"%s\">\n", v.old ? "old" : "fresh");
        buf_adds(out, ICONS);
        header(&v, out);
        html_addf(out,
                  "<p id=\"lost\" class=\"lost\" role=\"status\" hidden></p>\n"
                  "<p id=\"spoken\" class=\"spoken\" role=\"status\"></p>\n<main id=\"live\">\n");
        banner(&v, out);
        functions(&v, out);
        cluster(&v, out);
        html_addf(out, "<div class=\"pair\" data-part=\"pair\">");
        page_latency(&v, out);
        page_failovers(&v, out);
        html_addf(out, "</div>\n");
        page_checks(&v, out);
        page_parts(&v, out);
        page_events(&v, out);
        html_addf(out, "</main>\n");
        footer(&v, out);
        return html_addf(out, "</body>\n</html>\n");
}
