/* logfmt logger: one event, one line, `level=info event=name key=value …`. It never blocks: what
 * the reader of stderr does not take at once is dropped and counted, and the count is reported with
 * the next line that gets through. Not thread-safe (the programs' loops are single-threaded).
 *
 *     log_event(LOG_WARN, "check_down", LS("check", name), LI("ms", took));
 */
#pragma once

#include "util.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR }; /* error = a human must act */

struct log_field {
        const char *key; /* NULL ends the list */
        const char *str; /* NULL: the number counts */
        int64_t num;
};

static inline struct log_field LS(const char *key, const char *value) {
        return (struct log_field){ .key = key, .str = value ? value : "" };
}

#define LI(k, v) ((struct log_field){ .key = (k), .num = (int64_t)(v) })

#define log_event(level, event, ...) \
        log_fields(level, event, (const struct log_field[]){ __VA_ARGS__, { .key = NULL } })

void log_init(int fd, enum log_level min); /* fd is borrowed; reopened non-blocking if it can be */
void log_done(void);
void log_set_level(enum log_level min);
void log_set_node(const char *name); /* adds node=…; borrowed, NULL = none */
void log_fields(enum log_level level, const char *event, const struct log_field *fields);
uint64_t log_dropped(void); /* lines lost since log_init */

extern const char *const LOG_LEVELS[]; /* "debug", "info", "warn", "error", NULL */
