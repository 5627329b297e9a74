/* One line of text. */
#include "hamon/schema_mark.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define TEMPORARY SCHEMA_MARK ".new"

static int open_dir(const char *dir, int *ret)
{
        int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (fd < 0)
                return -errno;
        *ret = fd;
        return 0;
}

int schema_mark_read(const char *dir, char ret[24])
{
        CLEANUP(closep) int dfd = -1, fd = -1;
        char line[32] = "";
        int r = open_dir(dir, &dfd);

        if (r < 0)
                return r == -ENOENT ? -ENOTDIR : r;
        fd = openat(dfd, SCHEMA_MARK, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0)
                return errno == ELOOP ? -EBADMSG : -errno;
        ssize_t n = read(fd, line, sizeof line - 1);
        if (n < 0)
                return errno == EISDIR ? -EBADMSG : -errno;
        line[strcspn(line, "\n")] = '\0';
        return release_schema_time(line) > 0 && str_copy(ret, 24, line) ? 0 : -EBADMSG;
}

int schema_mark_write(const char *dir, const char *schema)
{
        CLEANUP(closep) int dfd = -1, fd = -1;
        char line[32];
        int r = open_dir(dir, &dfd);

        if (r < 0)
                return r;
        if (unlinkat(dfd, TEMPORARY, 0) < 0 && errno != ENOENT)
                return -errno;
        fd = openat(dfd, TEMPORARY, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
        if (fd < 0)
                return -errno;
        snprintf(line, sizeof line, "%s\n", schema);
        r = write_all(fd, line, strlen(line));
        if (r == 0 &&
            (fsync(fd) < 0 || renameat(dfd, TEMPORARY, dfd, SCHEMA_MARK) < 0 || fsync(dfd) < 0))
                r = -errno;
        return r;
}
