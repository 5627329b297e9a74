/* How `hamon stack` shows containers, and `hamon stack status`, which takes no lock and needs no
 * lease. Inside cmd_stack*.c only. */
#pragma once

#include "hamon/stack_sets.h"
#include <cjson/cJSON.h>

typedef bool (*stack_show_fn)(const struct stack_member *m, void *arg);

/* Add "services" to the object: each member for which fn says true. */
void stack_show_json(cJSON *o, const struct stack_plan *p, stack_show_fn fn, void *arg);

/* The words behind `status`. */
int stack_status(const char *file, int argc, char **argv);
