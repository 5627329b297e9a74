/* `hamon fence-test`: would fencing work on this node? Looks only. */
#pragma once

#include "hamon/config.h"

/* The words after the verb. Returns an exit status: 0 every line is ok, 1 some are not. */
int fence_test_command(const char *file, int argc, char **argv);

/* The same for others to tell: `fn` once or more per part. -ENOMEM. */
typedef void (*fence_test_fn)(void *arg, const char *part, bool ok, const char *text);
int fence_test(const struct config *c, fence_test_fn fn, void *arg);
