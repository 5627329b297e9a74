/* open(2) with O_EXCL, BLKFLSBUF and libblkid. */
#include "hamon/volume_dev.h"

#include <blkid/blkid.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

int volume_dev_find(const char *path, dev_t *ret)
{
        struct stat st;

        if (stat(path, &st) < 0)
                return errno == ENOTDIR || errno == ENXIO ? -ENOENT : -errno;
        if (!S_ISBLK(st.st_mode))
                return -ENOTBLK;
        *ret = st.st_rdev;
        return 0;
}

static int open_alone(const char *path, int *ret)
{
        int fd = open(path, O_RDONLY | O_EXCL | O_CLOEXEC);

        if (fd < 0)
                return errno == ENXIO || errno == ENODEV ? -ENOENT : -errno;
        *ret = fd;
        return 0;
}

int volume_dev_free(const char *path)
{
        CLEANUP(closep) int fd = -1;

        return open_alone(path, &fd);
}

static void probe_free(blkid_probe *p)
{
        blkid_free_probe(*p); /* NULL is fine */
}

/* "" = libblkid does not say. */
static const char *value_of(blkid_probe p, const char *name)
{
        const char *value = NULL;

        return blkid_probe_lookup_value(p, name, &value, NULL) == 0 && value ? value : "";
}

static int identify(int fd, const char *uuid, const char *fstype, char *found, size_t size)
{
        CLEANUP(probe_free) blkid_probe p = blkid_new_probe();

        if (!p || blkid_probe_set_device(p, fd, 0, 0) < 0)
                return errno ? -errno : -ENOMEM;
        blkid_probe_enable_superblocks(p, 1);
        blkid_probe_set_superblocks_flags(p, BLKID_SUBLKS_UUID | BLKID_SUBLKS_TYPE);
        errno = 0;
        int r = blkid_do_safeprobe(p); /* 1 nothing found, -2 several at once */
        if (r == 1)
                return -ENODATA;
        if (r == -2) {
                snprintf(found, size, "signatures of several file systems");
                return -EMEDIUMTYPE;
        }
        if (r < 0)
                return errno ? -errno : -EIO;
        const char *type = value_of(p, "TYPE"), *id = value_of(p, "UUID");
        snprintf(found, size, "%s %s", *type ? type : "no file system", *id ? id : "without UUID");
        return strcasecmp(id, uuid) == 0 && strcmp(type, fstype) == 0 ? 0 : -EMEDIUMTYPE;
}

int volume_dev_check(const char *path, const char *uuid, const char *fstype, char *found,
                     size_t size)
{
        CLEANUP(closep) int fd = -1;
        int r = open_alone(path, &fd);

        if (r < 0)
                return r;
        if (ioctl(fd, BLKFLSBUF, 0) < 0)
                return -errno;
        return identify(fd, uuid, fstype, found, size);
}

int volume_dev_look(const char *path, const char *uuid, const char *fstype, char *found,
                    size_t size)
{
        CLEANUP(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);

        if (fd < 0)
                return errno == ENXIO || errno == ENODEV ? -ENOENT : -errno;
        return identify(fd, uuid, fstype, found, size);
}

/* ---- is there anything at all ---- */

enum { CHUNK = 64 * 1024, HEAD = 4 * 1024 * 1024, TAIL = 1024 * 1024 };

static int are_noughts(int fd, off_t from, off_t to)
{
        char chunk[CHUNK];

        while (from < to) {
                ssize_t n = pread(fd, chunk, (size_t)MIN((off_t)sizeof chunk, to - from), from);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return n < 0 ? -errno : -EIO;
                if (*chunk != 0 || memcmp(chunk, chunk + 1, (size_t)n - 1) != 0)
                        return -ENOTEMPTY;
                from += n;
        }
        return 0;
}

int volume_dev_blank(const char *path)
{
        CLEANUP(closep) int fd = -1;
        uint64_t size;
        int r = open_alone(path, &fd);

        if (r < 0)
                return r;
        if (ioctl(fd, BLKFLSBUF, 0) < 0 || ioctl(fd, BLKGETSIZE64, &size) < 0)
                return -errno;
        r = are_noughts(fd, 0, MIN((off_t)size, HEAD));
        return r < 0 ? r : are_noughts(fd, MAX((off_t)size - TAIL, 0), (off_t)size);
}
