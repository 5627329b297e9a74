/* "hamon-epoch 1 epoch=12 holder=n1 incarnation=00000000deadbeef sum=…": read strictly. A file that
 * is not to the letter what we would write is damaged, and a damaged file proves nothing. */
#include "hamon/epoch_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEMPORARY EPOCH_FILE ".new"

static uint64_t fnv(const char *s, size_t len)
{
        uint64_t h = 14695981039346656037U;

        for (size_t i = 0; i < len; i++)
                h = (h ^ (unsigned char)s[i]) * 1099511628211U;
        return h;
}

static bool is_name(const char *s)
{
        return *s &&
               s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")] ==
                       '\0';
}

enum epoch_order epoch_file_compare(const struct epoch_mark *file, const struct epoch_mark *ours)
{
        if (file->epoch < ours->epoch)
                return EPOCH_OLDER;
        if (file->epoch == ours->epoch && file->incarnation == ours->incarnation &&
            strcmp(file->holder, ours->holder) == 0)
                return EPOCH_SAME;
        return EPOCH_AHEAD;
}

int epoch_file_format(const struct epoch_mark *m, char dst[EPOCH_LINE])
{
        if (!is_name(m->holder))
                return -EINVAL;
        int n = snprintf(dst, EPOCH_LINE,
                         "hamon-epoch 1 epoch=%" PRIu64 " holder=%s incarnation=%016" PRIx64,
                         m->epoch, m->holder, m->incarnation);
        snprintf(dst + n, (size_t)(EPOCH_LINE - n), " sum=%016" PRIx64 "\n", fnv(dst, (size_t)n));
        return 0;
}

/* What it says is read loosely and believed only if we would have written the very same bytes. */
int epoch_file_parse(const char *text, size_t len, struct epoch_mark *ret)
{
        struct epoch_mark m = { .epoch = 0 };
        char line[EPOCH_LINE], again[EPOCH_LINE];

        if (len >= sizeof line)
                return -EBADMSG;
        memcpy(line, text, len);
        line[len] = '\0';
        const char *epoch = strstr(line, " epoch="), *holder = strstr(line, " holder=");
        const char *incarnation = strstr(line, " incarnation=");
        if (!epoch || !holder || !incarnation)
                return -EBADMSG;
        size_t name = strcspn(holder + 8, " \n");
        if (name >= sizeof m.holder)
                return -EBADMSG;
        memcpy(m.holder, holder + 8, name);
        m.epoch = strtoull(epoch + 7, NULL, 10);
        m.incarnation = strtoull(incarnation + 13, NULL, 16);
        if (epoch_file_format(&m, again) < 0 || strlen(again) != len ||
            memcmp(again, line, len) != 0)
                return -EBADMSG;
        *ret = m;
        return 0;
}

static int open_dir(const char *dir, int *ret)
{
        int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (fd < 0)
                return -errno;
        *ret = fd;
        return 0;
}

int epoch_file_read(const char *dir, struct epoch_mark *ret)
{
        CLEANUP(closep) int dfd = -1, fd = -1;
        char text[EPOCH_LINE + 1];
        size_t len = 0;
        int r = open_dir(dir, &dfd);

        if (r < 0)
                return r == -ENOENT ? -ENOTDIR : r; /* only the file's own absence means "fresh" */
        fd = openat(dfd, EPOCH_FILE, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0)
                return errno == ELOOP ? -EBADMSG : -errno;
        while (len < sizeof text) {
                ssize_t n = read(fd, text + len, sizeof text - len);
                if (n < 0)
                        return errno == EISDIR ? -EBADMSG : -errno;
                if (n == 0)
                        break;
                len += (size_t)n;
        }
        return epoch_file_parse(text, len, ret);
}

static int write_durably(int dfd, const char *line, size_t len)
{
        CLEANUP(closep) int fd = -1;

        if (unlinkat(dfd, TEMPORARY, 0) < 0 && errno != ENOENT)
                return -errno;
        fd = openat(dfd, TEMPORARY, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
        if (fd < 0)
                return -errno;
        ssize_t n = write(fd, line, len);
        if (n != (ssize_t)len)
                return n < 0 ? -errno : -ENOSPC;
        if (fsync(fd) < 0)
                return -errno;
        return close(take_fd(&fd)) < 0 ? -errno : 0;
}

int epoch_file_write(const char *dir, const struct epoch_mark *m)
{
        CLEANUP(closep) int dfd = -1;
        char line[EPOCH_LINE];
        int r = epoch_file_format(m, line);

        if (r == 0)
                r = open_dir(dir, &dfd);
        if (r == 0)
                r = write_durably(dfd, line, strlen(line));
        if (r == 0 && renameat(dfd, TEMPORARY, dfd, EPOCH_FILE) < 0)
                r = -errno;
        if (r == 0 && fsync(dfd) < 0)
                r = -errno;
        return r;
}

int epoch_file_set_aside(const char *dir)
{
        CLEANUP(closep) int dfd = -1;
        int r = open_dir(dir, &dfd);

        if (r == 0 && renameat(dfd, EPOCH_FILE, dfd, EPOCH_FILE ".bad") < 0)
                r = -errno;
        if (r == 0 && fsync(dfd) < 0)
                r = -errno;
        return r;
}
