/* HTML that is escaped by default. The format is markup, and a constant of the program's; whatever
 * is put in by %s is text, and becomes harmless in element content and in quoted attributes alike.
 * There is no way to put in anything raw. */
#pragma once

#include "lib/buf.h"

/* The one escaping function for HTML. The buffer's error. */
int html_escape(struct buf *out, const char *s);

/* As buf_addf(), with %s (escaped), %d, %u, %lld, %llu, %zu and %%; -EINVAL, sticky, with any
 * other.
 */
int html_addf(struct buf *out, const char *markup, ...) PRINTF(2, 3);
