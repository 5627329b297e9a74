/* What conf.c, conf_ini.c and conf_print.c share; not for anyone else. */
#pragma once

#include "lib/conf.h"

enum { CONF_FILE_CAP = 256 * 1024, CONF_VALUE_CAP = 4096 };

/* One conf_load() under way. */
struct conf_job {
        const struct conf_spec *spec;
        void *values;
        struct conf_source *sources; /* n_options */
        struct buf *errors;
        unsigned n_errors;
        bool no_memory;
};

/* Lines of a text, without their end (LF or CR LF). */
struct conf_lines {
        const char *next, *end;
        unsigned line; /* of the one returned last */
};

bool conf_next_line(struct conf_lines *l, const char **ret, size_t *ret_len);
bool conf_text_ok(const char *s, size_t len); /* UTF-8 without control characters, tab aside */
bool conf_is_blank(char c);

/* One error line: "where: …". `line` 0 = where names no line. */
void conf_error(struct conf_job *job, const char *where, unsigned line, const char *fmt, ...)
        PRINTF(4, 5);

/* Parse and store one value; a bad one becomes an error line. */
void conf_set(struct conf_job *job, const struct option *o, const char *text, const char *where,
              struct conf_source source);

/* Read a whole file; failure becomes an error line (unless it is absent and may be). */
bool conf_slurp(struct conf_job *job, const char *path, bool optional, char **ret, size_t *ret_len);

void conf_read_ini(struct conf_job *job, const char *path, const char *text, size_t len);
void conf_read_mailcow(struct conf_job *job, const char *path, const char *text, size_t len);
void conf_env_name(const struct conf_spec *spec, const struct option *o, char *dst, size_t size);
