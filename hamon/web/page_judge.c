/* Does mail work, and why not: one title, one reason, and what a person may do about it. What is
 * not known is never told as good. */
#include "hamon/web/page_view.h"

#include <stdarg.h>
#include <string.h>

static void title(struct page_view *v, enum page_level level, const char *fmt, ...) PRINTF(3, 4);
static void why(struct page_view *v, const char *fmt, ...) PRINTF(2, 3);
static void next(struct page_view *v, const char *fmt, ...) PRINTF(2, 3);

static void title(struct page_view *v, enum page_level level, const char *fmt, ...)
{
        va_list ap;

        v->level = level;
        va_start(ap, fmt);
        vsnprintf(v->title, sizeof v->title, fmt, ap);
        va_end(ap);
}

static void why(struct page_view *v, const char *fmt, ...)
{
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(v->why, sizeof v->why, fmt, ap);
        va_end(ap);
}

static void next(struct page_view *v, const char *fmt, ...)
{
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(v->next, sizeof v->next, fmt, ap);
        va_end(ap);
}

static const char NOT_KNOWN[] = "It is not known whether mail works";
static const char SENDERS[] =
        "Meanwhile other servers keep what they cannot deliver, and try again.";

/* ---- who could take over ---- */

/* "n2 or n3", "n2, n3 or n4"; how many. */
static size_t spares(const struct page_view *v, char *dst, size_t size)
{
        size_t n = 0, told = 0;
        int len = 0;

        for (size_t i = 0; i < v->n_nodes; i++)
                n += v->nodes[i].candidate && &v->nodes[i] != v->leader;
        dst[0] = '\0';
        for (size_t i = 0; i < v->n_nodes && len >= 0 && (size_t)len < size; i++) {
                if (!v->nodes[i].candidate || &v->nodes[i] == v->leader)
                        continue;
                const char *sep = told == 0 ? "" : told + 1 == n ? " or " : ", ";
                len += snprintf(dst + len, size - (size_t)len, "%s%s", sep, v->nodes[i].name);
                told++;
        }
        return n;
}

/* Why each of them does not lead, one after the other. */
static void blame(struct page_view *v)
{
        CLEANUP(buf_done) struct buf b = BUF(PAGE_TEXT - 1);

        for (size_t i = 0; i < v->n_nodes; i++) {
                const struct page_node *n = &v->nodes[i];
                buf_addf(&b, "%s%s ", i > 0 ? "; " : "", n->name);
                if (!n->heard)
                        buf_adds(&b, "is silent");
                else if (strcmp(n->state, "halted") == 0)
                        buf_adds(&b, "is held back, as it failed before");
                else if (strcmp(n->state, "maintenance") == 0)
                        buf_adds(&b, "is in maintenance");
                else
                        buf_addf(&b, "is %s: %s", n->verdict, page_sentence(n->reason));
        }
        why(v, "%s.", buf_str(&b));
}

static const struct page_node *in_state(const struct page_view *v, const char *state)
{
        for (size_t i = 0; i < v->n_nodes; i++)
                if (v->nodes[i].heard && strcmp(v->nodes[i].state, state) == 0)
                        return &v->nodes[i];
        return NULL;
}

/* ---- nobody leads ---- */

static void advise_leaderless(struct page_view *v)
{
        const struct page_node *n;

        if ((n = in_state(v, "halted")))
                next(v,
                     "On %s, hamon why says what had failed; hamon ack there lets it lead again.",
                     n->name);
        else if ((n = in_state(v, "maintenance")))
                next(v, "hamon maintenance off, on %s, lets it lead again.", n->name);
        else
                next(v, "hamon why, on each node, says what it waits for. The last resort is hamon "
                        "takeover: see hamon(8).");
}

static void judge_leaderless(struct page_view *v)
{
        const struct page_node *n = in_state(v, "claiming");
        char names[128];

        if (!v->lease_known) {
                title(v, LEVEL_UNKNOWN, "%s", NOT_KNOWN);
                why(v,
                    "%s cannot see who leads: its database does not say so, and no other node "
                    "says that it leads.",
                    v->self ? v->self->name : "This node");
                next(v, "Look at the page of another node, or ask there: hamon status.");
        } else if (n) {
                title(v, LEVEL_MOVING, "Mail is moving to %s", n->name);
                why(v, "Nobody led, and %s is taking the lead. %s", n->name, SENDERS);
        } else if (spares(v, names, sizeof names) > 0) {
                title(v, LEVEL_MOVING, "Mail pauses: a node is about to take over");
                why(v, "No node leads at this moment; %s could. %s", names, SENDERS);
        } else {
                title(v, LEVEL_BAD, "Mail does not work: no node leads");
                blame(v);
                advise_leaderless(v);
        }
}

/* ---- somebody leads ---- */

static void judge_silent(struct page_view *v)
{
        const char *name = v->leader->name;
        char age[32], names[128];
        size_t n = spares(v, names, sizeof names);

        page_span(v->leader->age, age, sizeof age);
        title(v, LEVEL_UNKNOWN, "%s", NOT_KNOWN);
        if (v->leader->age < 0)
                why(v, "%s leads, and was never heard by %s.", name,
                    v->self ? v->self->name : "this node");
        else
                why(v, "%s leads, and was last heard %s ago.", name, age);
        if (n > 0)
                next(v, "If it stays silent its lease runs out, and %s takes over by itself.",
                     names);
        else
                next(v, "No other node could take over. Look whether %s still runs.", name);
}

static void judge_moving(struct page_view *v, const char *what)
{
        const struct page_node *n = v->leader;

        why(v, "%s %s. %s", n->name, what, SENDERS);
        if (strcmp(n->state, "promoting") == 0)
                title(v, LEVEL_MOVING, "Mail is moving to %s", n->name);
        else
                title(v, LEVEL_MOVING, "Mail is moving away from %s", n->name);
}

static bool is_canary_bad(const struct page_view *v)
{
        const cJSON *c = page_get(v->snap->extra, "canary");

        return page_true(c, "enabled") && cJSON_IsFalse(page_get(c, "ok"));
}

static void judge_unfit(struct page_view *v)
{
        const struct page_node *n = v->leader;
        char names[128];
        size_t broken = 0;

        for (size_t i = 0; i < v->n_functions; i++)
                broken += v->functions[i].level == LEVEL_BAD;
        if (n->self && broken > 0 && broken < v->n_functions)
                title(v, LEVEL_BAD, "Mail works only in part");
        else
                title(v, LEVEL_BAD, "Mail does not work");
        if (n->self)
                why(v, "%s leads and is unfit. %s.", n->name,
                    page_text(v->snap->status, "message"));
        else
                why(v, "%s leads and is unfit: %s.", n->name, page_sentence(n->reason));
        if (spares(v, names, sizeof names) > 0)
                next(v, "hamon repairs what it can; if that does not help, %s takes over.", names);
        else
                next(v, "No other node could do better now. hamon why, on %s, says more.", n->name);
}

static void judge_fit(struct page_view *v)
{
        const char *name = v->leader->name;
        char names[128];
        size_t n = spares(v, names, sizeof names), doubts = v->n_notes;

        if (v->leader->self && is_canary_bad(v)) {
                const cJSON *c = page_get(v->snap->extra, "canary");
                title(v, LEVEL_BAD, "Mail is not delivered");
                why(v, "All services of %s run, but a test message did not come through: %s.", name,
                    *page_text(c, "message") ? page_text(c, "message") : page_text(c, "reason"));
                next(v, "hamon canary, on %s, tries once more and tells each step.", name);
                return;
        }
        for (size_t i = 0; i < v->n_functions; i++)
                doubts += v->functions[i].level != LEVEL_GOOD;
        if (v->cluster && n == 0)
                title(v, LEVEL_WARN, "Mail works, but nobody could take over");
        else
                title(v, doubts > 0 ? LEVEL_WARN : LEVEL_GOOD, "Mail works");
        if (n > 0)
                why(v, "%s serves it. If %s fails, %s takes over by itself.", name, name, names);
        else if (v->cluster)
                why(v, "%s serves it. If %s failed now, no other node would.", name, name);
        else
                why(v, "%s serves it, watched by hamon, which is of no cluster here.", name);
}

static void judge_led(struct page_view *v)
{
        static const struct {
                const char *state, *what;
        } MOVES[] = {
                { "promoting", "has the lead and starts the service" },
                { "claiming", "is taking the lead" },
                { "demoting", "gives the service up, for another node to have it" },
                { "fencing", "lost the lead, and stops what still runs there" },
        };
        const struct page_node *n = v->leader;

        if (!n->heard) {
                judge_silent(v);
                return;
        }
        for (size_t i = 0; i < ARRAY_SIZE(MOVES); i++)
                if (strcmp(MOVES[i].state, n->state) == 0) {
                        judge_moving(v, MOVES[i].what);
                        return;
                }
        if (v->cluster && strcmp(n->state, "master") != 0 && *n->state) {
                title(v, LEVEL_MOVING, "Mail pauses: a node is about to take over");
                why(v, "The lease still names %s, which does not serve any more. %s", n->name,
                    SENDERS);
        } else if (strcmp(n->verdict, "fit") == 0) {
                judge_fit(v);
        } else if (strcmp(n->verdict, "unfit") == 0) {
                judge_unfit(v);
        } else {
                title(v, LEVEL_UNKNOWN, "%s", NOT_KNOWN);
                why(v, "%s leads, and does not know yet: %s.", n->name, page_sentence(n->reason));
        }
}

/* ---- all cases ---- */

void page_view_judge(struct page_view *v)
{
        char age[32];

        if (!v->known) {
                title(v, LEVEL_UNKNOWN, "%s", NOT_KNOWN);
                why(v, "hamon on this node has not answered yet.");
                next(v, "systemctl status hamon, on this node, says whether it runs.");
        } else if (v->old) {
                title(v, LEVEL_UNKNOWN, "%s", NOT_KNOWN);
                why(v, "hamon on %s last answered %s ago; all below is as it was then.",
                    page_text(v->snap->status, "node"),
                    page_span(v->time.now - v->snap->at, age, sizeof age));
                next(v, "systemctl status hamon, on this node, says whether it runs.");
        } else if (v->leader) {
                judge_led(v);
        } else if (v->cluster) {
                judge_leaderless(v);
        } else {
                title(v, LEVEL_UNKNOWN, "%s", NOT_KNOWN);
                why(v, "%s is a standby, and of no cluster whose master it could ask.",
                    v->self->name);
        }
}
