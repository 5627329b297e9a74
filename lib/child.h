/* Work that may never come back (a system call on a dead disk, a program), done in a child with a
 * deadline, so that it hangs there and not here. The child dies with its parent and stays in the
 * parent's process group: whoever kills the group of a hook kills it too.
 *
 * A child that is stuck in the kernel survives SIGKILL until the kernel lets it go; it is then left
 * behind. It still holds what it inherited: a flock(2) of the parent stays taken until it is gone,
 * and nobody starts the same work a second time beside it. */
#pragma once

#include "buf.h"

/* Called about ten times a second while waiting. NULL = not. */
struct child_tick {
        void (*fn)(void *arg);
        void *arg;
};

/* Run fn in a child on a copy of `arg` (`size` bytes, plain data); what fn changed there is copied
 * back once it has returned. Returns what fn returned, -ETIMEDOUT if it had to be killed, -EIO if
 * it died otherwise, or why there was no child. */
int child_call(int (*fn)(void *arg), void *arg, size_t size, msec_t deadline,
               const struct child_tick *tick);

/* Run a program (absolute path, `argv` ends with NULL, a small fixed environment) with `input` as
 * its standard input. What it says on stdout and stderr goes into `out` (as much as fits; NULL =
 * not kept). 0 and its exit code in ret_code; -ETIMEDOUT, -EIO (killed by a signal), -ENOENT … */
int child_program(const char *const *argv, const char *input, msec_t deadline,
                  const struct child_tick *tick, struct buf *out, int *ret_code);
