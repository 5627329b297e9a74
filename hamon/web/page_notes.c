/* What is worth a look though mail works: nodes that could not take over, checks, the provider,
 * and what the parts of the web process have found. */
#include "hamon/web/page_view.h"

#include <string.h>

enum { CERTIFICATE_DAYS = 14, DELIVERY_MS = 5000, LOGIN_MS = 2000, CHECKS_TOLD = 4 };

/* ---- nodes ---- */

static void note_node(struct page_view *v, const struct page_node *n)
{
        const char *own = n->self ? page_text(v->snap->status, "why") : "";
        char age[32];

        if (n->mounted)
                page_note(v, LEVEL_BAD, "The volume is mounted on %s, which does not lead.",
                          n->name);
        if (!n->heard && n->age < 0)
                page_note(v, LEVEL_WARN, "%s was never heard.", n->name);
        else if (!n->heard)
                page_note(v, LEVEL_WARN, "%s has been silent for %s.", n->name,
                          page_span(n->age, age, sizeof age));
        else if (strcmp(n->state, "halted") == 0)
                page_note(
                        v, LEVEL_WARN,
                        "%s is kept from leading, as it failed before: hamon ack there ends that.",
                        n->name);
        else if (strcmp(n->state, "maintenance") == 0)
                page_note(v, LEVEL_WARN, "%s is in maintenance.", n->name);
        else if (strcmp(n->verdict, "fit") != 0)
                page_note(v, LEVEL_WARN, "%s could not take over: %s.", n->name,
                          page_sentence(n->reason));
        else if (strcmp(n->state, "standby") == 0 && !n->candidate)
                page_note(v, LEVEL_WARN, "%s would not take over%s%s.", n->name, *own ? ": " : "",
                          own);
}

static void note_nodes(struct page_view *v)
{
        if (!v->cluster || !v->leader) /* that nobody leads is told node by node */
                return;
        for (size_t i = 0; i < v->n_nodes; i++)
                if (&v->nodes[i] != v->leader)
                        note_node(v, &v->nodes[i]);
        for (size_t i = 0; i < v->n_nodes; i++)
                if (v->nodes[i].late && v->nodes[i].heard)
                        page_note(v, LEVEL_WARN,
                                  "%s is not in step with %s: %s; hamon sync status there.",
                                  v->nodes[i].name, v->leader->name, v->nodes[i].sync);
        if (v->leader->heard && strcmp(v->leader->state, "master") == 0 &&
            v->leader->level == LEVEL_WARN)
                page_note(v, LEVEL_WARN, "%s leads, and not all is well there: %s.",
                          v->leader->name, page_sentence(v->leader->reason));
}

/* ---- this node ---- */

static void note_checks(struct page_view *v)
{
        const cJSON *o;
        unsigned more = 0, told = 0;

        cJSON_ArrayForEach(o, page_get(v->snap->status, "checks"))
        {
                enum page_level level = page_level_of(page_text(o, "verdict"));
                if ((level != LEVEL_WARN && level != LEVEL_BAD) ||
                    page_is_told(v, page_text(o, "name")))
                        continue;
                if (told++ < CHECKS_TOLD)
                        page_note(v, page_true(o, "required") ? level : LEVEL_WARN, "%s on %s: %s.",
                                  page_text(o, "name"), v->self ? v->self->name : "this node",
                                  page_text(o, "message"));
                else
                        more++;
        }
        if (more > 0)
                page_note(v, LEVEL_WARN, "%u more checks are not good; see below.", more);
}

static void note_places(struct page_view *v)
{
        const cJSON *s = v->snap->status, *volume = page_get(s, "volume");
        char age[32];

        if (!v->cluster)
                return;
        if (page_number(volume, "age_ms", -1) >= 0 && cJSON_IsFalse(page_get(volume, "answers")))
                page_note(v, LEVEL_WARN,
                          "The volume's provider (%s) does not answer: it could not be moved.",
                          page_text(volume, "provider"));
        if (page_true(page_get(s, "ip"), "outbound_missing"))
                page_note(v, LEVEL_WARN,
                          "Outgoing mail does not leave by the service address: others may refuse "
                          "it.");
        if (page_true(page_get(s, "breaker"), "open") &&
            page_number(page_get(s, "breaker"), "until_ms", 0) > 0)
                page_note(v, LEVEL_WARN,
                          "This node does not lead again for %s, as it failed before.",
                          page_span(page_number(page_get(s, "breaker"), "until_ms", 0), age,
                                    sizeof age));
        if (*page_text(s, "repair"))
                page_note(v, LEVEL_WARN, "%s hangs, and is restarted once.",
                          page_text(s, "repair"));
}

/* ---- the parts ---- */

static void note_slow(struct page_view *v, const cJSON *canary, const char *key, const char *target,
                      msec_t fallback, const char *what)
{
        msec_t have = page_number(canary, key, -1);
        msec_t want = page_number(canary, target, fallback);
        char a[32], b[32];

        if (have > want)
                page_note(v, LEVEL_WARN, "%s is slow: %s at the 95th percentile, %s are wanted.",
                          what, page_span(have, a, sizeof a), page_span(want, b, sizeof b));
}

static void note_canary(struct page_view *v)
{
        const cJSON *c = page_get(v->snap->extra, "canary");

        if (!page_true(c, "enabled"))
                return;
        note_slow(v, c, "p95_ms", "target_ms", DELIVERY_MS, "Delivery");
        note_slow(v, c, "login_p95_ms", "login_target_ms", LOGIN_MS, "Logging in to IMAP");
}

static void note_certificates(struct page_view *v)
{
        const cJSON *o;

        cJSON_ArrayForEach(o, page_get(v->snap->extra, "certificates"))
        {
                const char *service = page_text(o, "service"), *reason = page_text(o, "reason");
                long long days = (long long)page_number(o, "days_left", -1);
                if (*reason && strcmp(reason, "ok") != 0)
                        page_note(v, LEVEL_WARN, "The certificate of %s: %s.", service, reason);
                else if (!cJSON_IsNumber(page_get(o, "days_left")))
                        continue;
                else if (days < 0)
                        page_note(v, LEVEL_BAD, "The certificate of %s has run out.", service);
                else if (days < CERTIFICATE_DAYS)
                        page_note(v, LEVEL_WARN,
                                  "The certificate of %s is good for %lld more days.", service,
                                  days);
        }
}

static void note_alerts(struct page_view *v)
{
        const cJSON *a = page_get(v->snap->extra, "alerts"), *o;

        cJSON_ArrayForEach(o, page_get(a, "targets"))
        {
                if (cJSON_IsFalse(page_get(o, "ok")))
                        page_note(v, LEVEL_WARN, "Alerts do not reach %s: %s.",
                                  page_text(o, "name"), page_text(o, "error"));
        }
}

bool page_finding_good(const cJSON *finding)
{
        const char *verdict = page_text(finding, "verdict");

        return strcmp(verdict, "ok") == 0 || strcmp(verdict, "skip") == 0;
}

static void note_rehearsal(struct page_view *v)
{
        const cJSON *r = page_get(v->snap->extra, "rehearsal"), *o;

        if (!cJSON_IsFalse(page_get(r, "ok")))
                return;
        cJSON_ArrayForEach(o, page_get(r, "findings"))
        {
                if (page_finding_good(o))
                        continue;
                page_note(v, LEVEL_WARN, "The rehearsal on this node failed: %s: %s.",
                          page_text(o, "check"), page_text(o, "message"));
                return;
        }
        page_note(v, LEVEL_WARN, "The rehearsal on this node failed.");
}

void page_view_notes(struct page_view *v)
{
        if (!v->known)
                return;
        note_nodes(v);
        note_checks(v);
        note_places(v);
        note_canary(v);
        note_certificates(v);
        note_alerts(v);
        note_rehearsal(v);
}
