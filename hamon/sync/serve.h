/* The answering end, one connection: names what is the same on all nodes, and hands out its
 * content, as long as this node leads. For a process of its own. */
#pragma once

#include "hamon/config.h"

/* `fd`: connected; it is closed. 0, or -errno with the reason logged. */
int serve(const struct config *c, int fd, msec_t deadline);
