/* Only what was said lately counts: a daemon that is silent makes nobody fit. */
#include "hamon/web/health.h"

#include "hamon/core/reason.h"
#include <string.h>

static const char *text_of(const cJSON *o, const char *key)
{
        const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, key);

        return cJSON_IsString(v) ? v->valuestring : "";
}

static bool say(cJSON *into, bool ok, const char *reason, const char *message)
{
        cJSON_AddBoolToObject(into, "ok", ok);
        cJSON_AddStringToObject(into, "reason", reason);
        cJSON_AddStringToObject(into, "message", message);
        return ok;
}

bool health_of(const struct view *v, const char *what, cJSON *into)
{
        const cJSON *s = v->snap->status;

        (void)what;
        if (view_silent(v))
                return say(into, false, "hamon_silent", reason_sentence(REASON_NO_DAEMON));
        bool fit = strcmp(text_of(s, "verdict"), "fit") == 0;
        cJSON_AddStringToObject(into, "node", text_of(s, "node"));
        cJSON_AddStringToObject(into, "role", text_of(s, "role"));
        return say(into, fit, text_of(s, "reason"), text_of(s, "message"));
}
