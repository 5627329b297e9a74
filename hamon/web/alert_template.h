/* The operator's own body for format json: a file with {{name}} in it, each replaced by a value
 * that is escaped as the inside of a JSON string. Whatever a value is, it cannot leave its string.
 */
#pragma once

#include "hamon/web/alert_message.h"

/* Unknown names, a {{ without its }}, and what is no JSON once it is filled: lines in `errors`. */
int alert_template_check(const char *file, const char *template, struct buf *errors);
int alert_template_fill(const char *template, const struct alert_message *m, struct buf *out);

/* The inside of a JSON string. */
void alert_escape_json(const char *s, struct buf *out);
