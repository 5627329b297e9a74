/* What the drawing has no room for: each node's words, each check with its since-when. */
#include "hamon/web/page_impl.h"

#include <string.h>

enum { OPEN_MAX = 40 };

static void word(struct buf *out, enum page_level level, const char *text)
{
        html_addf(out, "<span class=\"word %s\">", LEVELS[level].name);
        page_icon(out, LEVELS[level].mark);
        html_addf(out, "%s</span>", text);
}

/* ---- nodes ---- */

static void node_line(const struct page_view *v, const struct page_node *n, struct buf *out)
{
        bool leads = n == v->leader;
        char age[32];

        html_addf(out, "<li><b>%s</b><span class=\"as\">", n->name);
        word(out, n->level, page_role(n));
        html_addf(out, "</span><span class=\"told\">%s%s</span><span class=\"since\">",
                  n->heard ? page_sentence(n->reason) : "nothing is known of it now",
                  n->candidate && !leads ? "; could take over" : "");
        if (n->self)
                html_addf(out, "this node");
        else if (n->age < 0)
                html_addf(out, "never heard");
        else
                html_addf(out, "heard %s ago", page_span(n->age, age, sizeof age));
        html_addf(out, "</span></li>\n");
}

/* "n1 holds the lease (epoch 7), renewed 800 ms ago, good for another 9.1 s" */
static void lease_line(const struct page_view *v, struct buf *out)
{
        const cJSON *s = v->snap->status, *l = page_get(s, "lease");
        msec_t age = page_number(l, "age_ms", -1), valid = page_number(l, "valid_ms", 0);
        const char *holder = page_text(l, "holder"), *why = page_text(s, "why");
        char a[32], b[32];

        if (!v->lease_known)
                html_addf(out, "<p>This node cannot see who holds the lease.");
        else if (!*holder)
                html_addf(out, "<p>Nobody holds the lease (epoch %lld).",
                          (long long)page_number(l, "epoch", 0));
        else
                html_addf(out,
                          "<p><b>%s</b> holds the lease (epoch %lld), seen renewed %s ago%s%s.",
                          holder, (long long)page_number(l, "epoch", 0),
                          page_span(age, a, sizeof a), valid > 0 ? ", good for another " : "",
                          valid > 0 ? page_span(valid, b, sizeof b) : "");
        if (*why && !v->snap->now) /* which says more */
                html_addf(out, " Here, on %s: %s.", v->self ? v->self->name : "this node", why);
        html_addf(out, "</p>\n");
}

void page_nodes(const struct page_view *v, struct buf *out)
{
        if (v->n_nodes == 0)
                return;
        html_addf(out, "<ul class=\"nodes\">");
        for (size_t i = 0; i < v->n_nodes; i++)
                node_line(v, &v->nodes[i], out);
        html_addf(out, "</ul>\n");
        if (v->cluster)
                lease_line(v, out);
}

/* ---- checks ---- */

static void check_line(const cJSON *o, struct buf *out)
{
        const char *verdict = page_text(o, "verdict");
        enum page_level level = page_level_of(verdict);
        char since[32];

        if (level == LEVEL_BAD && !page_true(o, "required"))
                level = LEVEL_WARN;
        html_addf(out, "<li class=\"check %s\">", LEVELS[level].name);
        page_icon(out, LEVELS[level].mark);
        html_addf(out,
                  "<b>%s</b><span class=\"since\">%s %s</span><span "
                  "class=\"told\">%s%s</span></li>\n",
                  page_text(o, "name"), verdict,
                  page_span(page_number(o, "since_ms", 0), since, sizeof since),
                  page_text(o, "message"), page_true(o, "required") ? "" : " (optional)");
}

static unsigned of_level(const cJSON *list, bool good, struct buf *out)
{
        const cJSON *o;
        unsigned n = 0;

        cJSON_ArrayForEach(o, list)
        {
                if ((page_level_of(page_text(o, "verdict")) == LEVEL_GOOD) != good)
                        continue;
                if (out)
                        check_line(o, out);
                n++;
        }
        return n;
}

/* What is not good stands open; all the rest is one line until somebody wants to see it. */
void page_checks(const struct page_view *v, struct buf *out)
{
        const cJSON *list = page_get(v->snap->status, "checks");
        unsigned good = of_level(list, true, NULL), bad = of_level(list, false, NULL);

        if (good + bad == 0)
                return;
        html_addf(out, "<section class=\"card\" data-part=\"checks\"><h2>Checks of %s</h2>",
                  v->self ? v->self->name : "this node");
        if (bad > 0) {
                html_addf(out, "<ul class=\"checks\">");
                of_level(list, false, out);
                html_addf(out, "</ul>");
        }
        if (good > 0) {
                html_addf(out,
                          "<details id=\"good-checks\"%s><summary>%u checks are good</summary><ul "
                          "class=\"checks\">",
                          good <= OPEN_MAX && bad == 0 ? " open" : "", good);
                of_level(list, true, out);
                html_addf(out, "</ul></details>");
        }
        html_addf(out, "</section>\n");
}
