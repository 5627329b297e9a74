/* The block device of the volume: is it there, is it free, is it the file system we expect. All of
 * it may hang as the device may: call it in a child. */
#pragma once

#include "lib/util.h"

/* 0 and its number, -ENOENT: not there (yet), -ENOTBLK: something else is. Does not touch it. */
int volume_dev_find(const char *path, dev_t *ret);

/* Nobody on this node has it: open(2) with O_EXCL. A clean umount proves less, since a container
 * may keep its own copy of the mount. 0 free, -EBUSY. */
int volume_dev_free(const char *path);

/* Free, its buffer cache dropped (what another node wrote meanwhile must be seen), and a file
 * system of this UUID and type in it. -EBUSY; -ENODATA: none at all; -EMEDIUMTYPE: another one.
 * What there is goes into `found`. */
int volume_dev_check(const char *path, const char *uuid, const char *fstype, char *found,
                     size_t size);

/* The same question without taking it for oneself, so that it is answered while others use it, and
 * nobody who needs it alone is in the way of this. What is told is only what was there once. */
int volume_dev_look(const char *path, const char *uuid, const char *fstype, char *found,
                    size_t size);

/* Free, and nothing but noughts where every file system, partition table and container keeps what
 * it is known by: in its first MiBs and its last. -ENOTEMPTY: somebody's data, of whatever kind. */
int volume_dev_blank(const char *path);
