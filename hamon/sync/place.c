/* Each step leaves the old content or the new one, at any kill. */
#include "hamon/sync/place.h"

#include "hamon/mailcow_merge.h"
#include "hamon/sync/tree.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KEEP_MAX = 1024 * 1024, NUMBER = 24 };

/* ---- the stage ---- */

static void clear(int stage)
{
        int fd = dup(stage);
        DIR *d = fd < 0 ? NULL : fdopendir(fd);
        struct dirent *e;

        if (!d) {
                closep(&fd);
                return;
        }
        rewinddir(d);
        while ((e = readdir(d)) != NULL)
                unlinkat(stage, e->d_name, 0); /* "." and ".." refuse */
        closedir(d);
}

int place_begin(int root, struct place *ret)
{
        struct stat st;

        if (mkdirat(root, ITEM_STAGE, 0700) < 0 && errno != EEXIST)
                return -errno;
        CLEANUP(closep) int stage = tree_open(root, ITEM_STAGE, O_RDONLY | O_DIRECTORY);
        if (stage < 0)
                return stage;
        if (fstat(stage, &st) < 0)
                return -errno;
        if (st.st_uid != geteuid() || fchmod(stage, 0700) < 0)
                return -EPERM;
        clear(stage);
        *ret = (struct place){ .root = root, .stage = take_fd(&stage) };
        return 0;
}

void place_end(struct place *p)
{
        if (p->stage < 0)
                return;
        clear(p->stage);
        unlinkat(p->root, ITEM_STAGE, AT_REMOVEDIR);
        closep(&p->stage);
}

static const char *name_of(size_t number, char dst[NUMBER])
{
        snprintf(dst, NUMBER, "%zu", number);
        return dst;
}

int place_stage(struct place *p, size_t number, int *ret_fd)
{
        char name[NUMBER];
        int fd = openat(p->stage, name_of(number, name),
                        O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

        if (fd < 0)
                return -errno;
        *ret_fd = fd;
        return 0;
}

/* From the stage over what is there. */
static int move_in(struct place *p, size_t number, const char *path)
{
        char name[NUMBER];
        const char *last;
        CLEANUP(closep) int dir = tree_open_parent(p->root, path, &last);

        if (dir < 0)
                return dir;
        if (renameat(p->stage, name_of(number, name), dir, last) < 0)
                return -errno;
        return 0;
}

/* ---- kinds ---- */

int place_file(struct place *p, size_t number, const struct item *it)
{
        char name[NUMBER];
        CLEANUP(closep) int fd = tree_open(p->stage, name_of(number, name), O_RDWR);

        if (fd < 0)
                return fd;
        if (fchown(fd, it->uid, it->gid) < 0 || fchmod(fd, it->mode) < 0 || fsync(fd) < 0)
                return -errno;
        return move_in(p, number, it->path);
}

int place_dir(struct place *p, const struct item *it)
{
        const char *last;
        CLEANUP(closep) int parent = tree_open_parent(p->root, it->path, &last);

        if (parent < 0)
                return parent;
        if (mkdirat(parent, last, 0700) < 0 && errno != EEXIST)
                return -errno;
        CLEANUP(closep) int fd = tree_open(parent, last, O_RDONLY | O_DIRECTORY);
        if (fd < 0)
                return fd;
        if (fchown(fd, it->uid, it->gid) < 0 || fchmod(fd, it->mode) < 0)
                return -errno;
        return 0;
}

int place_link(struct place *p, size_t number, const struct item *it)
{
        char name[NUMBER];

        if (symlinkat(it->target, p->stage, name_of(number, name)) < 0 ||
            fchownat(p->stage, name, it->uid, it->gid, AT_SYMLINK_NOFOLLOW) < 0)
                return -errno;
        return move_in(p, number, it->path);
}

static int write_conf(struct place *p, size_t number, const struct buf *text)
{
        struct stat st;
        char name[NUMBER];
        CLEANUP(closep) int fd = -1;

        if (fstatat(p->root, ITEM_CONF_PATH, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return -errno;
        int r = place_stage(p, number, &fd);
        if (r == 0)
                r = write_all(fd, buf_str(text), text->len);
        if (r == 0 && (fchown(fd, st.st_uid, st.st_gid) < 0 || fchmod(fd, st.st_mode & 0777) < 0 ||
                       fsync(fd) < 0))
                r = -errno;
        if (r < 0)
                return r;
        return renameat(p->stage, name_of(number, name), p->root, ITEM_CONF_PATH) < 0 ? -errno : 0;
}

int place_conf(struct place *p, size_t number, const char *shared, struct buf *keys)
{
        CLEANUP(buf_wipe) struct buf old = BUF(MAILCOW_CONF_MAX), text = BUF(2 * MAILCOW_CONF_MAX);

        int r = tree_text(p->root, ITEM_CONF_PATH, MAILCOW_CONF_MAX, &old);
        if (r == 0)
                r = mailcow_merge(buf_str(&old), shared, &text, keys);
        if (r == 0 && keys->len > 0)
                r = write_conf(p, number, &text);
        return r;
}

/* ---- what goes ---- */

int place_remove(struct place *p, const char *path, const unsigned char sha[ITEM_SHA])
{
        struct item now;
        const char *last;

        int r = tree_look(p->root, path, &now);
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        bool ours = now.kind == ITEM_FILE && memcmp(now.sha, sha, ITEM_SHA) == 0;
        item_done(&now);
        if (!ours)
                return 0;
        CLEANUP(closep) int dir = tree_open_parent(p->root, path, &last);
        if (dir < 0)
                return dir;
        return unlinkat(dir, last, 0) < 0 ? -errno : 1;
}

static bool kept_name(const char *path, char *dst, size_t size)
{
        size_t n = 0;

        for (; *path && n + 4 < size; path++) {
                if (*path != '/' && *path != '%') {
                        dst[n++] = *path;
                        continue;
                }
                memcpy(dst + n, *path == '/' ? "%2F" : "%25", 3);
                n += 3;
        }
        dst[n] = '\0';
        return !*path;
}

static int copy(int from, int to)
{
        char chunk[16 * 1024];
        ssize_t n = 0;
        int r = 0;

        while (r == 0 && (n = read(from, chunk, sizeof chunk)) > 0)
                r = write_all(to, chunk, (size_t)n);
        explicit_bzero(chunk, sizeof chunk);
        return r == 0 && n < 0 ? -errno : r;
}

int place_keep(struct place *p, const char *path, const char *kept)
{
        char name[250], file[4096];
        struct stat st;
        CLEANUP(closep) int from = tree_open(p->root, path, O_RDONLY | O_NONBLOCK);

        if (from < 0 || fstat(from, &st) < 0)
                return from < 0 ? from : -errno;
        if (!S_ISREG(st.st_mode) || st.st_size > KEEP_MAX || !kept_name(path, name, sizeof name))
                return -EFBIG;
        if (mkdir(kept, 0700) < 0 && errno != EEXIST)
                return -errno;
        int n = snprintf(file, sizeof file, "%s/%s", kept, name);
        if (n < 0 || (size_t)n >= sizeof file)
                return -ENAMETOOLONG;
        if (unlink(file) < 0 && errno != ENOENT)
                return -errno;
        CLEANUP(closep)
        int to = open(file, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        return to < 0 ? -errno : copy(from, to);
}
