/* One step of the path after the other. */
#include "lib/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const cJSON *json_at(const cJSON *o, const char *path)
{
        char key[64];

        while (o && *path) {
                size_t len = strcspn(path, ".");
                if (len >= sizeof key)
                        return NULL;
                memcpy(key, path, len);
                key[len] = '\0';
                o = cJSON_GetObjectItemCaseSensitive(o, key);
                path += len + (path[len] == '.');
        }
        return o;
}

const char *json_text(const cJSON *o, const char *path)
{
        const cJSON *v = json_at(o, path);

        return cJSON_IsString(v) ? v->valuestring : "";
}

double json_number(const cJSON *o, const char *path, double fallback)
{
        const cJSON *v = json_at(o, path);

        return cJSON_IsNumber(v) ? v->valuedouble : fallback;
}

bool json_true(const cJSON *o, const char *path)
{
        return cJSON_IsTrue(json_at(o, path));
}

const cJSON *json_field(const cJSON *o, const char *name)
{
        return cJSON_GetObjectItemCaseSensitive(o, name);
}

const char *json_word(const cJSON *o, const char *name)
{
        const char *s = cJSON_GetStringValue(json_field(o, name));

        return s ? s : "";
}

void json_add_int(cJSON *o, const char *name, int64_t value)
{
        char text[24];

        snprintf(text, sizeof text, "%" PRId64, value);
        cJSON_AddRawToObject(o, name, text);
}

void json_freep(cJSON **o)
{
        cJSON_Delete(*o);
}
