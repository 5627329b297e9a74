/* Reading what the daemon and the parts say: by path ("lease.holder"), with a fallback for what is
 * not there or of another kind. */
#pragma once

#include <cjson/cJSON.h>
#include <stdbool.h>

const cJSON *json_at(const cJSON *o, const char *path);  /* NULL: not there; "" = o itself */
const char *json_text(const cJSON *o, const char *path); /* "" = no string */
double json_number(const cJSON *o, const char *path, double fallback);
bool json_true(const cJSON *o, const char *path);
