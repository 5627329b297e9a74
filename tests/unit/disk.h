/* A file system on a loop device, for tests that mount: made in a directory of the test's own, seen
 * in the test's own mount namespace only. Needs root; disk_able() says whether it can be had. */
#pragma once

#include "harness.h"

#include <linux/fs.h>
#include <linux/loop.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>

#define DISK_UUID "11111111-2222-3333-4444-555555555555"

enum { DISK_SHUTDOWN_NOLOGFLUSH = 2 };
#define DISK_IOC_SHUTDOWN _IOR('X', 125, uint32_t)

struct disk {
        char image[160], device[32];
        int fd; /* the kernel frees the device when this is closed, also by our death */
};

/* A mount namespace of our own, in which nothing spreads. */
static inline bool disk_able(void)
{
        return geteuid() == 0 && unshare(CLONE_NEWNS) == 0 &&
               mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
               access("/dev/loop-control", R_OK | W_OK) == 0;
}

static inline bool disk_attach(struct disk *d)
{
        CLEANUP(closep) int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
        CLEANUP(closep) int image = open(d->image, O_RDWR | O_CLOEXEC);

        for (int tries = 0; tries < 50 && control >= 0 && image >= 0; tries++) {
                int n = ioctl(control, LOOP_CTL_GET_FREE);
                if (n < 0)
                        return false;
                snprintf(d->device, sizeof d->device, "/dev/loop%d", n);
                d->fd = open(d->device, O_RDWR | O_CLOEXEC);
                struct loop_config c = { .fd = (uint32_t)image,
                                         .info = { .lo_flags = LO_FLAGS_AUTOCLEAR } };
                if (d->fd >= 0 && ioctl(d->fd, LOOP_CONFIGURE, &c) == 0)
                        return true;
                closep(&d->fd);
                nap(); /* somebody else took that one */
        }
        return false;
}

static inline void disk_detach(struct disk *d)
{
        if (*d->device)
                closep(&d->fd);
        *d->device = '\0';
}

static inline void disk_fill(const struct tmp *t, struct disk *d, const char *name, unsigned mib)
{
        str_copy(d->image, sizeof d->image, at(t, name));
        CLEANUP(closep) int fd = open(d->image, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        assert_int_equal(ftruncate(fd, (off_t)mib * 1024 * 1024), 0);
}

/* A device with an ext4 of this UUID; NULL = an empty one. */
static inline void disk_make(const struct tmp *t, struct disk *d, const char *name,
                             const char *uuid, unsigned mib)
{
        static struct ran ran;

        disk_fill(t, d, name, mib);
        if (uuid) {
                RUN(t, &ran, "/sbin/mkfs.ext4", "-q", "-F", "-U", uuid, d->image);
                assert_int_equal(ran.code, 0);
        }
        assert_true(disk_attach(d));
}

/* The power goes: what is not on the disk is gone. `where` stays mounted, dead. */
static inline void disk_power_cut(const char *where)
{
        CLEANUP(closep) int fd = open(where, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        uint32_t how = DISK_SHUTDOWN_NOLOGFLUSH;

        assert_true(fd >= 0);
        assert_int_equal(ioctl(fd, DISK_IOC_SHUTDOWN, &how), 0);
}

/* Nothing written to files below `where` gets anywhere until it thaws: a disk in such a file hangs.
 */
static inline void disk_freeze(const char *where, bool freeze)
{
        CLEANUP(closep) int fd = open(where, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        assert_true(fd >= 0);
        assert_int_equal(ioctl(fd, freeze ? FIFREEZE : FITHAW, 0), 0);
}
