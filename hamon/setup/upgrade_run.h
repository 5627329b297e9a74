/* A long program of somebody else (update.sh, compose): it has a session of its own and goes on
 * should we, or the terminal, be gone: a half update is worse than a whole one. Its output goes to
 * a log, and from there to our standard output as it grows. */
#pragma once

#include "lib/util.h"

#define UPGRADE_LOG "/var/lib/mailcow-ha/upgrade.log"

/* One upgrade at a time on this node, with all it has started: waits for what an earlier one left
 * running. -ETIMEDOUT. Close `ret_fd` at the end. */
int upgrade_lock(msec_t patience, int *ret_fd);

/* In `dir`; argv[0] is looked for in PATH. 0 and its exit code; -ETIMEDOUT: it was killed with all
 * of its session, -EIO: by a signal. `last`: its last line, for an error message. */
int upgrade_run(const char *const *argv, const char *dir, int lock_fd, msec_t deadline,
                int *ret_code, char *last, size_t last_size);
