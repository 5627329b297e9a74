/* Reading JSON of somebody else, with a fallback for what is not there or of another kind: by path
 * ("lease.holder"), or by one name, which may have dots. */
#pragma once

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

const cJSON *json_at(const cJSON *o, const char *path);  /* NULL: not there; "" = o itself */
const char *json_text(const cJSON *o, const char *path); /* "" = no string */
double json_number(const cJSON *o, const char *path, double fallback);
bool json_true(const cJSON *o, const char *path);

const cJSON *json_field(const cJSON *o, const char *name); /* NULL: not there */
const char *json_word(const cJSON *o, const char *name);   /* "" = no string */

/* Writing: cJSON's own numbers are doubles, printed with 15 digits. */
void json_add_int(cJSON *o, const char *name, int64_t value);

void json_freep(cJSON **o); /* CLEANUP(json_freep) */
