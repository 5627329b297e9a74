/* Does this node serve? Pure. */
#pragma once

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <string.h>

/* Of `hamon status --json`, or NULL: it leads, and is through with its promotion. */
static inline bool is_master(const cJSON *status)
{
        const cJSON *role = cJSON_GetObjectItemCaseSensitive(status, "role");
        const cJSON *state = cJSON_GetObjectItemCaseSensitive(status, "state");

        return cJSON_IsString(role) && strcmp(role->valuestring, "master") == 0 &&
               (!cJSON_IsString(state) || strcmp(state->valuestring, "master") == 0);
}
