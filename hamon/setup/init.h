/* `hamon init`: from a few answers to every file that makes this server a node. */
#pragma once

#include "lib/buf.h"

/* Returns 0 (done, or nothing to do), 1, EX_USAGE, EX_CONFIG, EX_NOPERM. `file`: hamon.conf. */
int init_command(const char *file, int argc, char **argv);

/* Take away what init wrote outside of /etc/mailcow-ha, and put back what was there before; what
 * was changed by hand since is kept in PLAN_EDITED_DIR. Only said, not done, with `dry`. What is
 * done is a line each in `said`. May be called again after any end. -errno: why is a line in
 * `errors`. */
int init_undo(bool dry, struct buf *said, struct buf *errors);

/* `hamon init --copy NODE... [--run]`. */
int init_copy(const char *file, const char *answers, int argc, char **argv);

/* mailcow.conf of the first node, as --copy brings it to the others. */
#define INIT_SHARED "/etc/mailcow-ha/mailcow.conf.shared"
