/* Where a hook lies and where its local additions do: what the daemon runs, and a rehearsal looks
 * at.
 */
#pragma once

#include "lib/util.h"

/* The PATH of every hook. */
#define HOOK_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

struct hook_paths {
        char hook[4096]; /* DIR/NAME.sh */
        char also[4096]; /* NAME.d beside the configuration: what the hook itself runs at its end */
};

/* -ENAMETOOLONG. */
int hook_paths(const char *dir, const char *config_file, const char *name, struct hook_paths *ret);
