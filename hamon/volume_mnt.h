/* The mount point of the volume. Looking reads /proc only and never touches the volume; everything
 * else may hang as the volume may: call it in a child. */
#pragma once

#include "lib/util.h"

struct volume_mnt {
        unsigned count; /* mounts on that very directory, one over the other */
        dev_t dev;      /* of the topmost; btrfs has numbers of its own here: see source */
        char type[32], source[256];
        bool read_only; /* the mount or the file system, also after an error */
};

/* What is mounted on `where`; count 0 = nothing. */
int volume_mnt_look(const char *where, struct volume_mnt *ret);
/* The same from the text of /proc/self/mountinfo. Pure. */
void volume_mnt_parse(const char *text, const char *where, struct volume_mnt *ret);

/* True if the topmost mount is of this block device. */
bool volume_mnt_is(const struct volume_mnt *m, dev_t device);

/* Words as in fstab, by commas: what is a flag of mount(2) into *ret_flags, the rest into `data`.
 */
int volume_mnt_options(const char *words, unsigned long *ret_flags, char *data, size_t size);

/* Could something be mounted on it? 0; -ENOENT: it is not there; -ENOTDIR; -ENOTEMPTY: something
 * was written into it while nothing was mounted, and would be hidden. */
int volume_mnt_empty(const char *where);

/* Does the kernel have this type of file system now? 1, 0. A module may bring it. */
int volume_mnt_known(const char *fstype);

/* Make the directory (0755) if it is not there; else as above. */
int volume_mnt_prepare(const char *where);

int volume_mnt_mount(const char *device, const char *where, const char *fstype,
                     const char *options);

/* Write back everything of the file system on `where`. */
int volume_mnt_sync(const char *where);

/* Take away the topmost mount. -EBUSY; -EINVAL: nothing is mounted there. */
int volume_mnt_umount(const char *where);
