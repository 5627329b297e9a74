/* log_event() for many threads: lib/log is for one. Events of the portal never carry a password, a
 * ticket, a code or a whole network address; what is logged of a visitor is netaddr_short(). */
#pragma once

#include "lib/log.h"

#define note(level, event, ...) \
        note_fields(level, event, (const struct log_field[]){ __VA_ARGS__, { .key = NULL } })

void note_fields(enum log_level level, const char *event, const struct log_field *fields);
