/* What a view lacks decides what it may say. Without a majority this side cannot know if the others
 * are gone or if it is itself cut off: it says just that, once, and nothing about anybody else. */
#include "hamon/web/alert_view.h"

#include <inttypes.h>
#include <string.h>

enum { BLIND_EXTRA = 120000, PROVIDER_TIMES = 4, DAYS_ERROR = 3 };

/* ---- JSON ---- */

static const char *text_of(const cJSON *o, const char *key)
{
        const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, key);

        return cJSON_IsString(v) ? v->valuestring : "";
}

static msec_t number_of(const cJSON *o, const char *key)
{
        const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, key);

        return cJSON_IsNumber(v) && v->valuedouble > -9e15 && v->valuedouble < 9e15
                       ? (msec_t)v->valuedouble
                       : -1;
}

static bool is_true(const cJSON *o, const char *key)
{
        return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(o, key));
}

static bool is_false(const cJSON *o, const char *key)
{
        return cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(o, key));
}

/* ---- the view ---- */

static void read_node(const cJSON *o, msec_t stale, struct alert_view *v)
{
        struct alert_view_node *n = &v->nodes[v->n];
        const char *state = text_of(o, "state");

        alert_copy(n->name, sizeof n->name, text_of(o, "name"));
        n->age = number_of(o, "age_ms");
        if (is_true(o, "self")) {
                v->me = (int)v->n;
                n->age = 0; /* it answers just now */
        }
        n->heard = n->age >= 0 && n->age <= stale;
        n->serves = n->heard && str_eq(*state ? state : text_of(o, "role"), "master");
        n->holder = is_true(o, "holder");
        if (v->me == (int)v->n) {
                const cJSON *sync = cJSON_GetObjectItemCaseSensitive(o, "sync");
                v->late = is_true(sync, "late");
                alert_copy(v->sync, sizeof v->sync, text_of(sync, "message"));
        }
        if (n->heard && n->holder)
                v->leader = (int)v->n;
        v->heard += n->heard;
        v->n++;
}

static void read_self(const cJSON *status, struct alert_view *v)
{
        const cJSON *volume = cJSON_GetObjectItemCaseSensitive(status, "volume");
        const cJSON *ip = cJSON_GetObjectItemCaseSensitive(status, "ip");

        v->fit = str_eq(text_of(status, "verdict"), "fit");
        v->maintenance = str_eq(text_of(status, "state"), "maintenance");
        v->leads = v->n > 0 ? v->me >= 0 && v->me == v->leader
                            : str_eq(text_of(status, "role"), "master");
        v->outbound_missing = v->leads && is_true(ip, "outbound_missing");
        v->provider_down = is_false(volume, "answers") && number_of(volume, "age_ms") >= 0;
        alert_copy(v->reason, sizeof v->reason, text_of(status, "reason"));
        alert_copy(v->message, sizeof v->message, text_of(status, "message"));
}

void alert_view_read(const cJSON *status, msec_t stale, struct alert_view *ret)
{
        const cJSON *nodes = cJSON_GetObjectItemCaseSensitive(status, "nodes");
        const cJSON *o;

        *ret = (struct alert_view){ .me = -1, .leader = -1 };
        if (!cJSON_IsObject(status) || !*text_of(status, "verdict")) {
                ret->blind = true;
                return;
        }
        cJSON_ArrayForEach(o, nodes) if (ret->n < CLUSTER_MAX) read_node(o, stale, ret);
        ret->majority = ret->n == 0 || ret->heard * 2 > ret->n;
        read_self(status, ret);
}

int alert_view_speaker(const struct alert_view *v)
{
        if (v->majority && v->leader >= 0)
                return v->leader;
        for (size_t i = 0; i < v->n; i++)
                if (v->nodes[i].heard)
                        return (int)i;
        return -1;
}

size_t alert_view_missing_before(const struct alert_view *v, size_t node)
{
        size_t n = 0;

        for (size_t i = 0; i < node && i < v->n; i++)
                n += !v->nodes[i].heard;
        return n;
}

/* ---- conditions ---- */

struct list {
        const struct config *c;
        struct alert_conditions *to;
        const char *me;
};

static PRINTF(6, 7) struct alert_condition *add(struct list *l, enum alert_whose whose,
                                                bool present, enum log_level level, const char *key,
                                                const char *fmt, ...)
{
        static struct alert_condition none;
        char title[ALERT_TITLE];
        va_list ap;

        if (l->to->n == ALERT_CONDITIONS)
                return &none;
        struct alert_condition *k = &l->to->v[l->to->n++];
        *k = (struct alert_condition){ .whose = whose,
                                       .present = present,
                                       .hold = l->c->alert.patience,
                                       .m = { .level = level, .phase = PHASE_OPEN } };
        va_start(ap, fmt);
        vsnprintf(title, sizeof title, fmt, ap);
        va_end(ap);
        alert_copy(k->m.title, sizeof k->m.title, title);
        alert_copy(k->m.key, sizeof k->m.key, key);
        alert_copy(k->m.cluster, sizeof k->m.cluster, l->c->cluster.name);
        alert_copy(k->m.node, sizeof k->m.node, l->me);
        return k;
}

static void key_of(const char *what, const char *whom, char *dst, size_t size)
{
        snprintf(dst, size, "%s:%s", what, whom);
}

static void add_blind(struct list *l, const struct alert_view *v)
{
        char key[ALERT_KEY];

        key_of("hamon_silent", l->me, key, sizeof key);
        struct alert_condition *k =
                add(l, WHOSE_OWN, v->blind, LOG_ERROR, key, "hamon on %s does not answer", l->me);
        if (l->c->cluster.nodes.n > 1)
                k->hold += BLIND_EXTRA; /* the others see it too, and sooner */
        alert_copy(k->m.text, sizeof k->m.text,
                   "systemctl status hamon; journalctl -u hamon. Without it this node cannot take "
                   "over, or keep the lead");
}

static void add_quorum(struct list *l, const struct alert_view *v)
{
        struct alert_condition *k =
                add(l, WHOSE_SIDE, !v->majority, LOG_ERROR, "no_quorum",
                    "no quorum: %s hears %zu of %zu nodes", l->me, v->heard, v->n);

        alert_copy(k->m.text, sizeof k->m.text,
                   "nobody on this side can lead. Are the others down, or is this side cut off?");
}

static void add_silent(struct list *l, const struct alert_view *v)
{
        char key[ALERT_KEY];

        for (size_t i = 0; i < v->n; i++) {
                key_of("node_silent", v->nodes[i].name, key, sizeof key);
                struct alert_condition *k = add(l, WHOSE_CLUSTER, !v->nodes[i].heard, LOG_WARN, key,
                                                "%s is not heard", v->nodes[i].name);
                str_copy(k->about, sizeof k->about, v->nodes[i].name);
        }
}

static void add_leader(struct list *l, const struct alert_view *v)
{
        bool served = false;

        for (size_t i = 0; i < v->n; i++)
                served = served || v->nodes[i].serves;
        struct alert_condition *k =
                add(l, WHOSE_CLUSTER, !served, LOG_ERROR, "nobody_serves", "nobody serves mail");
        alert_copy(
                k->m.text, sizeof k->m.text,
                "no node that is heard is master; hamon why, on each of them, says what it waits "
                "for");
}

static void add_provider(struct list *l, const struct alert_view *v)
{
        struct alert_condition *k =
                add(l, WHOSE_CLUSTER, v->provider_down, LOG_WARN, "provider",
                    "the provider does not answer: no fail-over is possible while that lasts");

        k->hold *= PROVIDER_TIMES;
}

static void add_self(struct list *l, const struct alert_view *v)
{
        char key[ALERT_KEY];
        bool unfit = !v->fit && !v->maintenance;

        key_of("unfit", l->me, key, sizeof key);
        struct alert_condition *k =
                add(l, WHOSE_OWN, unfit, v->leads ? LOG_ERROR : LOG_WARN, key, "%s %s (%s)", l->me,
                    v->leads ? "leads, and mail does not work" : "could not take over", v->reason);
        alert_copy(k->m.text, sizeof k->m.text, v->message);
        key_of("outbound", l->me, key, sizeof key);
        add(l, WHOSE_OWN, v->outbound_missing, LOG_WARN, key,
            "mail from %s does not leave by the service address", l->me);
        key_of("sync", l->me, key, sizeof key);
        k = add(l, WHOSE_OWN, v->late && !v->maintenance, LOG_WARN, key,
                "%s is not in step with who leads (%s)", l->me, v->sync);
        k->hold = 0; /* it waited for its patience */
        alert_copy(
                k->m.text, sizeof k->m.text,
                "after a fail-over it would serve with older configuration or certificates; hamon "
                "sync status there says why");
}

/* ---- what the other parts of this process found ---- */

/* It came through, and 95 of 100 take longer than what the operator asked for. */
static void add_slow(struct list *l, const cJSON *canary, const char *what, const char *have,
                     const char *want)
{
        msec_t p95 = number_of(canary, have), target = number_of(canary, want);
        char key[ALERT_KEY];

        if (p95 < 0 || target <= 0)
                return;
        key_of(what, l->me, key, sizeof key);
        struct alert_condition *k = add(l, WHOSE_OWN, is_true(canary, "ok") && p95 > target,
                                        LOG_WARN, key, "mail on %s is slow: %s", l->me, what);
        snprintf(k->m.text, sizeof k->m.text,
                 "95 of 100 take no longer than %" PRId64 " ms; the target is %" PRId64 " ms", p95,
                 target);
}

static void add_canary(struct list *l, const cJSON *extra)
{
        const cJSON *o = cJSON_GetObjectItemCaseSensitive(extra, "canary");
        char key[ALERT_KEY];

        if (!is_true(o, "enabled"))
                return;
        key_of("canary", l->me, key, sizeof key);
        struct alert_condition *k =
                add(l, WHOSE_OWN, is_false(o, "ok"), LOG_ERROR, key,
                    "the canary mail did not come through on %s (%s)", l->me, text_of(o, "reason"));
        k->hold = 0; /* it waited for its own deadline */
        alert_copy(k->m.text, sizeof k->m.text, text_of(o, "message"));
        add_slow(l, o, "delivery", "p95_ms", "target_ms");
        add_slow(l, o, "login", "login_p95_ms", "login_target_ms");
}

static void add_certificate(struct list *l, const cJSON *o)
{
        const char *service = text_of(o, "service");
        msec_t days = number_of(o, "days_left");
        bool known = cJSON_IsNumber(cJSON_GetObjectItemCaseSensitive(o, "days_left"));
        char key[ALERT_KEY];

        if (!*service || !known)
                return;
        key_of("certificate", service, key, sizeof key);
        struct alert_condition *k =
                add(l, WHOSE_CLUSTER, days < (msec_t)l->c->canary.certificate_days,
                    days < DAYS_ERROR ? LOG_ERROR : LOG_WARN, key, "the certificate of %s %s",
                    service, days < 0 ? "has expired" : "expires soon");
        snprintf(k->m.text, sizeof k->m.text, "%" PRId64 " days are left", days);
}

static void add_rehearsal(struct list *l, const cJSON *extra)
{
        const cJSON *o = cJSON_GetObjectItemCaseSensitive(extra, "rehearsal");
        const cJSON *f;
        char key[ALERT_KEY];

        if (!cJSON_IsBool(cJSON_GetObjectItemCaseSensitive(o, "ok")))
                return;
        key_of("rehearsal", l->me, key, sizeof key);
        struct alert_condition *k = add(l, WHOSE_OWN, is_false(o, "ok"), LOG_WARN, key,
                                        "a fail-over to %s would fail, says the rehearsal", l->me);
        k->hold = 0;
        cJSON_ArrayForEach(f, cJSON_GetObjectItemCaseSensitive(
                                      o, "findings")) if (!*k->m.text &&
                                                          !str_eq(text_of(f, "verdict"), "ok"))
                alert_copy(k->m.text, sizeof k->m.text, text_of(f, "message"));
}

void alert_view_conditions(const struct alert_view *v, const cJSON *extra, const struct config *c,
                           struct alert_conditions *ret)
{
        struct list l = { .c = c, .to = ret, .me = c->node.name };
        bool of_cluster = v->n > 0, sees = !v->blind && v->majority;
        const cJSON *o;

        ret->n = 0;
        ret->own_frozen = !sees;
        ret->cluster_frozen = !sees;
        add_blind(&l, v);
        if (!v->blind && of_cluster)
                add_quorum(&l, v);
        if (!sees)
                return;
        if (of_cluster) {
                add_silent(&l, v);
                add_leader(&l, v);
                add_provider(&l, v);
        }
        add_self(&l, v);
        add_canary(&l, extra);
        const cJSON *list = cJSON_GetObjectItemCaseSensitive(extra, "certificates");
        for (o = list ? list->child : NULL; o; o = o->next)
                add_certificate(&l, o);
        add_rehearsal(&l, extra);
}
