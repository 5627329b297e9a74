/* A strict template engine, small enough to be read. Pure: text in, text out.
 *
 *   {{name}}              the value; an empty one is a mistake
 *   {{#name}}...{{/name}} once for each item of a list, or once if the value is not empty
 *   {{^name}}...{{/name}} once if the list or the value is empty
 *   {{!words}}            nothing
 *
 * `first` and `last` are values inside of a list: not empty for that item. A section's tag alone on
 * a line takes the line with it. No value is ever put in raw: what is not a plain word (letters,
 * digits and . _ : / @ % [ ] + -) could change the meaning of the file around it, and is a mistake.
 * So is a name nobody knows. */
#pragma once

#include "lib/buf.h"

/* The list one is in, innermost first; NULL: none. */
struct template_scope {
        const struct template_scope *up;
        const char *list;
        size_t i, n;
};

struct template_words {
        /* Add the value. -ENOENT: no such name. `ret_from` (for messages): where a person sets it.
         */
        int (*value)(const void *arg, const struct template_scope *scope, const char *name,
                     struct buf *out, const char **ret_from);
        /* How many items. -ENOENT: no such list. */
        int (*items)(const void *arg, const char *name, size_t *ret_n);
        const void *arg;
};

enum { TEMPLATE_NAME = 64, TEMPLATE_VALUE = 4096, TEMPLATE_DEPTH = 4 };

/* `what` names the template in messages. -EINVAL: the mistake is a line in `errors`. */
int template_fill(const char *what, const char *text, const struct template_words *w,
                  struct buf *out, struct buf *errors);

/* The same for a compose file, which has a language of its own: ${PREFIX_NAME} and
 * ${PREFIX_NAME:-default} become the value of that name; all else stays. */
int template_fill_env(const char *what, const char *text, const char *prefix,
                      const struct template_words *w, struct buf *out, struct buf *errors);
