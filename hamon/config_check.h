/* What no single row of hamon.conf can check: keys that must fit each other, lists whose words have
 * a shape. Of config.c only. */
#pragma once

#include "hamon/config.h"

struct config_files {
        const char *file;
        const char *mailcow; /* mailcow.conf; NULL = not read */
};

/* Every mistake becomes a line in `errors` that says where its key stands: `file:line:`, the name
 * of the environment variable, or the file alone where the value is the default. `sources` has one
 * entry per row. -EINVAL: there was one. */
int config_check(const struct config *c, const struct config_files *files,
                 const struct conf_source *sources, struct buf *errors);
