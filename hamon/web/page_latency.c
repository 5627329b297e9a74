/* What the canary measured: a plot of the last test messages, and the numbers people ask for. The
 * plot's axes are HTML beside it, so that it may be as wide as there is room. */
#include "hamon/web/page_impl.h"

#include <string.h>

enum { W = 1000, H = 200, POINTS = 120, FLOOR_MS = 1000 };

struct scale {
        msec_t oldest, top; /* ms at the left edge, and at the upper one */
};

static int x_of(const struct scale *s, const cJSON *p)
{
        msec_t ago = MAX(0, MIN(page_number(p, "ago_ms", 0), s->oldest));

        return (int)((s->oldest - ago) * W / s->oldest);
}

static int y_of(const struct scale *s, msec_t ms)
{
        return H - (int)(MIN(ms, s->top) * (H - 8) / s->top);
}

/* The next of 1, 2, 5, 10, ... seconds. */
static msec_t round_up(msec_t ms)
{
        static const unsigned STEPS[] = { 2, 5, 10 };
        msec_t unit = FLOOR_MS;

        if (ms <= unit)
                return unit;
        for (;; unit *= 10)
                for (size_t i = 0; i < ARRAY_SIZE(STEPS); i++)
                        if (ms <= unit * STEPS[i])
                                return unit * STEPS[i];
}

static struct scale scale_of(const cJSON *history)
{
        struct scale s = { .oldest = 1, .top = FLOOR_MS };
        const cJSON *p;

        cJSON_ArrayForEach(p, history)
        {
                s.oldest = MAX(s.oldest, MIN(page_number(p, "ago_ms", 0), (msec_t)366 * 86400000));
                s.top = MAX(s.top, MIN(page_number(p, "delivery_ms", 0), (msec_t)3600000));
        }
        s.top = round_up(s.top);
        return s;
}

/* A failed one breaks the line, and stands as a bar of its own. */
static void plot(const cJSON *history, const struct scale *s, msec_t target, struct buf *out)
{
        const cJSON *p;
        bool pen = false;
        int n = 0;

        if (target < s->top)
                html_addf(out, "<path class=\"target\" d=\"M0 %dH%d\"/>", y_of(s, target), W);
        html_addf(out, "<path class=\"delivery\" d=\"");
        cJSON_ArrayForEach(p, history)
        {
                msec_t ms = page_number(p, "delivery_ms", -1);
                if (n++ >= POINTS)
                        break;
                if (ms >= 0) /* a zero-length line is a dot */
                        html_addf(out, "%s%d %d%s", pen ? "L" : "M", x_of(s, p), y_of(s, ms),
                                  pen ? "" : "h0");
                pen = ms >= 0;
        }
        html_addf(out, "\"/><path class=\"failed\" d=\"");
        n = 0;
        cJSON_ArrayForEach(p, history)
        {
                if (n++ >= POINTS)
                        break;
                if (page_number(p, "delivery_ms", -1) < 0)
                        html_addf(out, "M%d 0V%d", x_of(s, p), H);
        }
        html_addf(out, "\"/>");
}

static void number(const cJSON *c, const char *key, const char *label, struct buf *out)
{
        msec_t ms = page_number(c, key, -1);
        char span[32];

        if (ms >= 0)
                html_addf(out, "<div><dt>%s</dt><dd>%s</dd></div>", label,
                          page_span(ms, span, sizeof span));
}

static void drawn(const cJSON *c, struct buf *out)
{
        const cJSON *history = page_get(c, "history"), *p;
        struct scale s = scale_of(history);
        char top[32], oldest[32], p95[32];
        unsigned failed = 0;

        if (cJSON_GetArraySize(history) < 2)
                return;
        cJSON_ArrayForEach(p, history) failed += page_number(p, "delivery_ms", -1) < 0;
        html_addf(out,
                  "<div class=\"plot\"><span class=\"top\">%s</span><svg viewBox=\"0 0 %d %d\" "
                  "preserveAspectRatio=\"none\" role=\"img\" aria-label=\"Time to deliver a test "
                  "message over the last %s: %d messages, %u failed, 95th percentile %s\">",
                  page_span(s.top, top, sizeof top), W, H,
                  page_span(s.oldest, oldest, sizeof oldest), cJSON_GetArraySize(history), failed,
                  page_span(page_number(c, "p95_ms", 0), p95, sizeof p95));
        plot(history, &s, page_number(c, "target_ms", 5000), out);
        html_addf(out,
                  "</svg><span class=\"bottom\">0</span><span class=\"from\">%s ago</span><span "
                  "class=\"to\">now</span></div>",
                  oldest);
        if (failed > 0)
                html_addf(out,
                          "<p class=\"dim\"><span class=\"word bad\">%u of %d</span> did not "
                          "come through (upright lines).</p>",
                          failed, cJSON_GetArraySize(history));
}

void page_latency(const struct page_view *v, struct buf *out)
{
        const cJSON *c = page_get(v->snap->extra, "canary");
        enum page_level level = page_true(c, "ok") ? LEVEL_GOOD : LEVEL_BAD;
        char ago[32];

        if (!page_true(c, "enabled"))
                return;
        html_addf(out, "<section class=\"card\" data-part=\"canary\"><h2>Test mail</h2>"
                       "<p class=\"dim\">A message is sent and fetched every minute, as people do."
                       "</p>");
        if (cJSON_IsBool(page_get(c, "ok")) && page_number(c, "ago_ms", -1) >= 0) {
                html_addf(out, "<p class=\"line\"><span class=\"word %s\">", LEVELS[level].name);
                page_icon(out, LEVELS[level].mark);
                html_addf(out, "%s</span> %s%s <span class=\"dim\">%s ago</span></p>",
                          level == LEVEL_GOOD ? "delivered" : page_text(c, "reason"),
                          level == LEVEL_GOOD ? "" : page_text(c, "message"),
                          level == LEVEL_GOOD ? "" : ",",
                          page_span(page_number(c, "ago_ms", 0), ago, sizeof ago));
        }
        html_addf(out, "<dl class=\"numbers\">");
        number(c, "delivery_ms", "last delivery", out);
        number(c, "p50_ms", "median", out);
        number(c, "p95_ms", "95 % within", out);
        number(c, "login_p95_ms", "login, 95 % within", out);
        html_addf(out, "</dl>");
        drawn(c, out);
        html_addf(out, "</section>\n");
}
