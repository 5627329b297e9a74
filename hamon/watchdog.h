/* The kernel's watchdog: from the first write on, this node is reset if nobody writes for so many
 * seconds. Only watchdog_close() ends that; the death of the process does not. */
#pragma once

#include "lib/util.h"

/* -ENOENT: there is none; -EBUSY: somebody else has it. `seconds` is asked for; a device that knows
 * no timeouts keeps its own. Never blocks: a fifo (tests) needs its reader. */
int watchdog_open(const char *device, unsigned seconds, int *ret_fd);
int watchdog_pet(int fd);
void watchdog_close(int *fd); /* by the magic 'V': nobody is reset */
