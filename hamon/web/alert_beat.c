/* The decision of alert_beat.h. */
#include "hamon/web/alert_beat.h"

static void say(struct alert_beat *b, bool up, const char *me, const char *what)
{
        char text[sizeof b->text];

        b->send = true;
        b->up = up;
        snprintf(text, sizeof text, "%s: %.150s", me, what);
        alert_copy(b->text, sizeof b->text, text);
}

static void of_node(const struct alert_view *v, const char *me, struct alert_beat *b)
{
        if (v->blind)
                say(b, false, me, "hamon does not answer");
        else
                say(b, v->fit, me, v->fit ? v->leads ? "master, fit" : "fit" : v->message);
}

static void of_cluster(const struct alert_view *v, const char *me, struct alert_beat *b)
{
        bool master = v->n == 0 ? v->leads : v->me >= 0 && v->nodes[v->me].serves && v->leads;

        if (v->blind || !v->majority)
                return;
        if (master)
                say(b, v->fit, me, v->fit ? "mail works" : v->message);
        else if (v->n == 0 || alert_view_speaker(v) == v->me)
                say(b, false, me, "nobody serves mail");
}

void alert_beat_now(const struct alert_view *v, const cJSON *extra, enum alert_scope scope,
                    const char *me, struct alert_beat *ret)
{
        const cJSON *canary = cJSON_GetObjectItemCaseSensitive(extra, "canary");
        const cJSON *ms = cJSON_GetObjectItemCaseSensitive(canary, "delivery_ms");

        *ret = (struct alert_beat){ .ping = -1 };
        if (scope == SCOPE_NODE)
                of_node(v, me, ret);
        else
                of_cluster(v, me, ret);
        if (cJSON_IsNumber(ms) && ms->valuedouble >= 0 && ms->valuedouble < 1e9)
                ret->ping = (msec_t)ms->valuedouble;
        if (ret->up && cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(canary, "ok")) &&
            cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(canary, "enabled")))
                say(ret, false, me, "the canary mail did not come through");
}
