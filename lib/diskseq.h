/* Which disk has a device number? Numbers are given again: to another volume, after ours was
 * detached. */
#pragma once

#include "lib/util.h"

/* The kernel's count of this very disk, which no other one gets until the next boot (sysfs-block,
 * "diskseq", since Linux 5.15). 0: not known, or there is no such disk. Does not touch the disk. */
uint64_t diskseq(dev_t dev);
