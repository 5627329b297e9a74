/* The kernel's watchdog: from the moment it is opened, this node is reset if nobody writes for so
 * many seconds. Only watchdog_close() ends that; the death of the process does not. */
#pragma once

#include "lib/util.h"

/* -ENOENT: there is none; -EBUSY: somebody else has it; -ENOTTY: that is no watchdog. `seconds` is
 * asked for, ret_seconds is what the device does. A fifo, whose reader does the resetting and knows
 * its own timeout, is one too; -ENXIO: it has no reader. Never blocks. */
int watchdog_open(const char *device, unsigned seconds, unsigned *ret_seconds, int *ret_fd);
int watchdog_pet(int fd);
void watchdog_close(int *fd); /* by the magic 'V': nobody is reset */
