/* Certificates, alerts, the rehearsal, and what happened last. */
#include "hamon/web/page_impl.h"

#include <string.h>

enum { EVENTS_SHOWN = 25, EVENT_TEXT = 1400, CERTIFICATE_DAYS = 14 };

static void fact(struct buf *out, enum page_level level, const char *name, const char *value)
{
        html_addf(out, "<li><span class=\"word %s\">", LEVELS[level].name);
        page_icon(out, LEVELS[level].mark);
        html_addf(out, "%s</span> %s</li>\n", name, value);
}

static void certificates(const cJSON *list, struct buf *out)
{
        const cJSON *o;

        if (cJSON_GetArraySize(list) == 0)
                return;
        html_addf(out, "<div><h3>Certificates</h3><ul class=\"facts\">");
        cJSON_ArrayForEach(o, list)
        {
                CLEANUP(buf_done) struct buf b = BUF(PAGE_TEXT);
                const char *reason = page_text(o, "reason");
                msec_t days = page_number(o, "days_left", -1);
                bool known = cJSON_IsNumber(page_get(o, "days_left"));
                bool bad = *reason && strcmp(reason, "ok") != 0;
                if (bad)
                        buf_addf(&b, "%s", reason);
                else if (known)
                        buf_addf(&b, "%lld days left", (long long)days);
                else
                        buf_adds(&b, "not known");
                fact(out,
                     !known && !bad                   ? LEVEL_UNKNOWN
                     : days < 0                       ? LEVEL_BAD
                     : bad || days < CERTIFICATE_DAYS ? LEVEL_WARN
                                                      : LEVEL_GOOD,
                     page_text(o, "service"), buf_str(&b));
        }
        html_addf(out, "</ul></div>\n");
}

static void alerts(const cJSON *a, struct buf *out)
{
        const cJSON *o;

        if (!cJSON_IsObject(a))
                return;
        html_addf(out, "<div><h3>Alerts</h3><p>%lld sent, %lld waiting%s.</p><ul class=\"facts\">",
                  (long long)page_number(a, "sent", 0), (long long)page_number(a, "queued", 0),
                  page_number(a, "dropped", 0) > 0 ? ", some were dropped" : "");
        if (cJSON_GetArraySize(page_get(a, "targets")) == 0)
                fact(out, LEVEL_WARN, "nobody", "is told: there is no target");
        cJSON_ArrayForEach(o, page_get(a, "targets"))
        {
                bool good = !cJSON_IsFalse(page_get(o, "ok"));
                fact(out, good ? LEVEL_GOOD : LEVEL_WARN, page_text(o, "name"),
                     good ? page_text(o, "format") : page_text(o, "error"));
        }
        html_addf(out, "</ul></div>\n");
}

static void rehearsal(const cJSON *r, struct buf *out)
{
        const cJSON *o;
        unsigned bad = 0;
        char ago[32];

        if (!cJSON_IsObject(r))
                return;
        html_addf(out,
                  "<div><h3>Rehearsal</h3><p>A fail-over to this node, step by step, changing "
                  "nothing: %s ago.</p><ul class=\"facts\">",
                  page_span(page_number(r, "ago_ms", 0), ago, sizeof ago));
        cJSON_ArrayForEach(o, page_get(r, "findings"))
        {
                if (page_finding_good(o))
                        continue;
                fact(out, LEVEL_WARN, page_text(o, "check"), page_text(o, "message"));
                bad++;
        }
        if (bad == 0)
                fact(out, page_true(r, "ok") ? LEVEL_GOOD : LEVEL_WARN,
                     page_true(r, "ok") ? "ready" : "failed",
                     page_true(r, "ok") ? "nothing stands against it" : "");
        html_addf(out, "</ul></div>\n");
}

void page_parts(const struct page_view *v, struct buf *out)
{
        const cJSON *x = v->snap->extra;
        size_t before;

        html_addf(out,
                  "<section class=\"card parts\" data-part=\"parts\" aria-label=\"Certificates, "
                  "alerts, rehearsal\">");
        before = out->len;
        certificates(page_get(x, "certificates"), out);
        alerts(page_get(x, "alerts"), out);
        rehearsal(page_get(x, "rehearsal"), out);
        if (out->len == before)
                html_addf(out, "<p class=\"dim\">No certificates, alerts or rehearsal are known "
                               "here.</p>");
        html_addf(out, "</section>\n");
}

/* ---- events ---- */

static enum page_level event_level(const struct event_line *e)
{
        return strcmp(e->level, "error") == 0  ? LEVEL_BAD
               : strcmp(e->level, "warn") == 0 ? LEVEL_WARN
                                               : LEVEL_GOOD;
}

static void event(const struct event_line *e, struct buf *out)
{
        enum page_level level = event_level(e);
        char text[EVENT_TEXT], day[11], time[9] = "";

        str_copy(day, sizeof day, e->at);
        if (strlen(e->at) >= 19)
                str_copy(time, sizeof time, e->at + 11);
        html_addf(out,
                  "<li><time datetime=\"%s\"><span class=\"day\">%s</span> %s</time><span "
                  "class=\"told\">",
                  e->at, day, time);
        if (level != LEVEL_GOOD)
                html_addf(out, "<b class=\"word %s\">%s</b> ", LEVELS[level].name, e->level);
        html_addf(out, "%s</span></li>\n", events_line_text(e, text, sizeof text));
}

void page_events(const struct page_view *v, struct buf *out)
{
        size_t n = v->snap->n_events, shown = 0;

        if (n == 0)
                return;
        html_addf(out,
                  "<section class=\"card\" data-part=\"events\"><h2>What happened on %s</h2><ol "
                  "class=\"events\" reversed>",
                  v->self ? v->self->name : "this node");
        for (size_t i = n; i > 0 && shown < EVENTS_SHOWN; i--) {
                if (strcmp(v->snap->events[i - 1].kind, "step") == 0)
                        continue; /* too many, and in the phases above */
                event(&v->snap->events[i - 1], out);
                shown++;
        }
        html_addf(out, "</ol></section>\n");
}
