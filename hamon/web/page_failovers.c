/* The last fail-overs: one bar each, all on the scale of the longest, cut into their phases. */
#include "hamon/web/page_impl.h"

#include <string.h>

enum { SHOWN = 6, PHASES = 12, BAR = 1000, COLOURS = 6 };

static const char *kind_word(const char *kind)
{
        static const struct {
                const char *kind, *word;
        } ROWS[] = { { "switchover", "planned" },
                     { "failover", "for cause" },
                     { "start", "first start" } };

        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++)
                if (strcmp(ROWS[i].kind, kind) == 0)
                        return ROWS[i].word;
        return kind;
}

static void bar(const cJSON *f, msec_t longest, struct buf *out)
{
        const cJSON *p;
        msec_t at = 0;
        unsigned i = 0;

        html_addf(out,
                  "<svg class=\"bar\" viewBox=\"0 0 %d 16\" preserveAspectRatio=\"none\" "
                  "aria-hidden=\"true\"><rect class=\"rail\" width=\"%d\" height=\"16\"/>",
                  BAR, BAR);
        cJSON_ArrayForEach(p, page_get(f, "phases"))
        {
                msec_t ms = MAX(0, page_number(p, "ms", 0));
                int x = (int)(at * BAR / longest),
                    end = (int)(MIN(at + ms, longest) * BAR / longest);
                if (i >= PHASES)
                        break;
                html_addf(out, "<rect class=\"p%u\" x=\"%d\" width=\"%d\" height=\"16\"/>",
                          i % COLOURS, x, MAX(1, end - x - 1));
                at = MIN(at + ms, longest);
                i++;
        }
        html_addf(out, "</svg>");
}

static void phases(const cJSON *f, struct buf *out)
{
        const cJSON *p;
        unsigned i = 0;
        char ms[32];

        html_addf(out, "<ul class=\"phases\">");
        cJSON_ArrayForEach(p, page_get(f, "phases"))
        {
                if (i >= PHASES)
                        break;
                html_addf(out,
                          "<li><svg class=\"key\" viewBox=\"0 0 10 10\" aria-hidden=\"true\"><rect "
                          "class=\"p%u\" width=\"10\" height=\"10\" rx=\"2\"/></svg>%s "
                          "<b>%s</b></li>",
                          i % COLOURS, page_text(p, "name"),
                          page_span(page_number(p, "ms", 0), ms, sizeof ms));
                i++;
        }
        html_addf(out, "</ul>");
}

/* "2026-11-28T03:22:16.123Z" -> "2026-11-28 03:22:16 UTC" */
static void when(const char *iso, struct buf *out)
{
        char day[11], time[9];

        if (strlen(iso) < 19) {
                html_addf(out, "%s", iso);
                return;
        }
        str_copy(day, sizeof day, iso);
        str_copy(time, sizeof time, iso + 11);
        html_addf(out, "<time datetime=\"%s\">%s %s UTC</time>", iso, day, time);
}

static void one(const cJSON *f, msec_t longest, struct buf *out)
{
        const char *result = page_text(f, "result");
        bool good = strcmp(result, "done") == 0 || strcmp(result, "ok") == 0;
        char total[32];

        html_addf(out, "<li class=\"failover %s\"><p><b>to %s</b> <span class=\"tag\">%s</span> ",
                  good ? "good" : "bad", page_text(f, "node"), kind_word(page_text(f, "kind")));
        when(page_text(f, "began"), out);
        html_addf(out, ", epoch %lld: <b>%s</b>", (long long)page_number(f, "epoch", 0),
                  page_span(page_number(f, "total_ms", 0), total, sizeof total));
        if (!good)
                html_addf(out, ", <b class=\"word bad\">%s</b>",
                          *result ? result : "end not known");
        html_addf(out, "</p>");
        bar(f, longest, out);
        phases(f, out);
        html_addf(out, "</li>\n");
}

void page_failovers(const struct page_view *v, struct buf *out)
{
        const cJSON *list = page_get(v->snap->extra, "failovers"), *f;
        int n = cJSON_GetArraySize(list);
        msec_t longest = 1;

        if (n == 0)
                return;
        cJSON_ArrayForEach(f, list) longest = MAX(longest, page_number(f, "total_ms", 0));
        html_addf(out, "<section class=\"card\" data-part=\"failovers\"><h2>Last fail-overs</h2>"
                       "<ol class=\"failovers\">");
        for (int i = n - 1; i >= 0 && i >= n - SHOWN; i--)
                one(cJSON_GetArrayItem(list, i), longest, out);
        html_addf(out, "</ol></section>\n");
}
