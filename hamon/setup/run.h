/* Programs of others (docker, compose, rsync), run beside a person who looks on. They die with us.
 */
#pragma once

#include "lib/buf.h"

/* Say what is run, then run it, its words going where ours go. `dir` may be NULL; argv[0] is looked
 * for in PATH. Returns its exit code, or -ETIMEDOUT (killed), -EIO (by a signal), -errno. */
int run_shown(const char *const *argv, const char *dir, msec_t deadline);

/* The same without a word; what it prints goes into `out` (as much as fits), without the last
 * newline. */
int run_asked(const char *const *argv, const char *dir, msec_t deadline, struct buf *out);
