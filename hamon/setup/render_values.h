/* What the templates may name: each key of hamon.conf as {{section.key}}, and VALUES[] and LISTS[]
 * beside them. */
#pragma once

#include "hamon/config.h"
#include "hamon/setup/template.h"

/* `arg` of both is a struct config. */
int render_value(const void *arg, const struct template_scope *scope, const char *name,
                 struct buf *out, const char **ret_from);
int render_items(const void *arg, const char *name, size_t *ret_n);

/* The interface that has this address now; -ENOENT: none. */
int render_interface(const char *address, char *ret, size_t size);
