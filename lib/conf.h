/* Configuration by rows: one `struct option` per key serves parsing, defaults, the environment,
 * `config` output and the man page. Values land in a caller's struct at `offset`.
 *
 * Order of precedence, last wins: default < mailcow.conf < the INI file < environment
 * <PREFIX>_<SECTION>_<KEY>. Every mistake (unknown section or key, bad value, key given twice, a
 * line too long, unreadable file) becomes one line `file:line: what, and what is allowed`.
 *
 * The file: `[section]`, `key = value`, comments with # or ; at the start of a line and with " ;"
 * behind a value. Only the value of a list may go on in indented lines. Valid UTF-8 without control
 * characters. An empty value in mailcow.conf counts as absent; y and n are its on and off. */
#pragma once

#include "buf.h"
#include "util.h"

enum option_type {
        OPT_STRING,   /* char *        never NULL */
        OPT_PATH,     /* char *        absolute path; may be empty if the default is */
        OPT_UINT,     /* uint64_t      min..max */
        OPT_DURATION, /* msec_t        min..max in ms */
        OPT_BOOL,     /* bool          on|off */
        OPT_CHOICE,   /* int           index into choices */
        OPT_LIST,     /* struct strlist  words separated by blanks or commas */
};

struct strlist {
        char **v;
        size_t n;
};

struct option {
        const char *section, *key;
        enum option_type type;
        bool secret; /* the value is shown neither by errors nor by conf_print */
        size_t offset;
        int64_t min, max; /* UINT, DURATION: the range, max 0 = no limit; STRING/PATH/LIST:
                             length in bytes as written, max 0 = 4096 */
        const char *const *choices; /* CHOICE: NULL-terminated */
        const char *def;            /* default as it would be written; "" = empty */
        const char *mailcow;        /* name in mailcow.conf, or NULL */
        const char *help;           /* one or more short sentences */
        unsigned mark;              /* the program's own */
};

struct conf_spec {
        const struct option *options;
        size_t n_options;
        const char *env_prefix; /* "HAMON" */
};

struct conf_input {
        const char *file;         /* INI file; NULL = none */
        bool file_optional;       /* an absent file is fine */
        const char *mailcow_file; /* mailcow.conf; NULL = none; absent is fine */
        char **env;               /* environ; NULL = ignore the environment */
};

enum conf_origin { ORIGIN_DEFAULT, ORIGIN_MAILCOW, ORIGIN_FILE, ORIGIN_ENV };

struct conf_source { /* where a value came from */
        enum conf_origin origin;
        unsigned line; /* FILE, MAILCOW */
};

/* Fill `values` (zeroed by the caller or freed by conf_free). On failure every mistake is a line
 * in `errors`, `values` is freed, and the result is -EINVAL (or -ENOMEM). `ret_sources` (may be
 * NULL) has n_options entries, one per row. */
int conf_load(const struct conf_spec *spec, const struct conf_input *in, void *values,
              struct buf *errors, struct conf_source *ret_sources);
void conf_free(const struct conf_spec *spec, void *values);

/* Value of one row as it would be written in the file. */
int conf_format(const struct option *o, const void *values, struct buf *out);

/* One row's value from text, as the file would have it; -EINVAL, -ERANGE, -EILSEQ: not allowed. */
int conf_put(const struct option *o, void *values, const char *text);

/* `key = value`, a long list in several lines. -EINVAL: no line of a file can hold it. */
int conf_print_value(const struct option *o, const char *value, struct buf *out);

/* The text of a file with this value in place of the key's own, or of the commented default, or
 * behind the section's head, or in a section of its own at the end. All else stays as it is. */
int conf_edit(const char *text, const struct option *o, const char *value, struct buf *out);

/* The whole file: with sources (may be NULL) each key tells where its value comes from; with
 * values == NULL the commented defaults file with help texts. */
int conf_print(const struct conf_spec *spec, const void *values, const struct conf_source *sources,
               struct buf *out);

/* The row whose value lies `offset` bytes into the struct; the last one if there is none. */
size_t conf_row_at(const struct conf_spec *spec, size_t offset);

/* Where the value of a row stands, as error lines begin: "file:12", "environment
 * HAMON_CHECK_GRACE", or the file alone for a default. `mailcow_file` may be NULL if no source is
 * of it. */
void conf_where(const struct conf_spec *spec, size_t row, struct conf_source source,
                const char *file, const char *mailcow_file, struct buf *out);

/* What a row allows: "a duration (ms, s, m, h) from 1s to 5m". */
int conf_describe(const struct option *o, struct buf *out);

const char *option_type_name(enum option_type t); /* "duration (ms, s, m, h)" … */

bool strlist_has(const struct strlist *l, const char *s);
