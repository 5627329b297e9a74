/* Whoever can write a hook, or rename a directory above it, is root. So each component of the path
 * is looked at, as it is written and again as it is once all links are followed. What is looked at
 * can be changed by nobody but root between here and the execve(). */
#include "hamon/hook_safe.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int refuse(struct buf *error, int r, const char *path, const char *why)
{
        buf_addf(error, "%s: %s", path, why);
        return r;
}

static int check_one(const char *path, struct buf *error)
{
        struct stat st;

        if (lstat(path, &st) < 0) {
                int r = -errno;
                return refuse(error, r, path, strerror(-r));
        }
        if (st.st_uid != 0 && st.st_uid != geteuid())
                return refuse(error, -EPERM, path, "belongs to somebody else; chown root it");
        if (S_ISLNK(st.st_mode) || (S_ISDIR(st.st_mode) && st.st_mode & S_ISVTX))
                return 0;
        if (st.st_mode & S_IWOTH || (st.st_mode & S_IWGRP && st.st_gid != 0))
                return refuse(error, -EPERM, path, "others can write it; chmod go-w it");
        return 0;
}

/* "/", "/a", "/a/b", "/a/b/file" */
static int check_components(const char *path, struct buf *error)
{
        char part[PATH_MAX];

        int r = check_one("/", error);
        for (const char *end = path; r == 0 && *end;) {
                end += 1 + strcspn(end + 1, "/");
                size_t len = (size_t)(end - path);
                memcpy(part, path, len);
                part[len] = '\0';
                r = check_one(part, error);
        }
        return r;
}

static int check_path(const char *path, struct buf *error)
{
        char real[PATH_MAX];

        if (*path != '/' || strlen(path) >= sizeof real)
                return refuse(error, -EINVAL, path, "is no absolute path");
        int r = check_components(path, error);
        if (r < 0)
                return r;
        if (!realpath(path, real)) {
                r = -errno;
                return refuse(error, r, path, strerror(-r));
        }
        return check_components(real, error);
}

int hook_safe(const char *path, struct buf *error)
{
        struct stat st;

        int r = check_path(path, error);
        if (r < 0)
                return r;
        if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
                return refuse(error, -EINVAL, path, "is no regular file");
        if (!(st.st_mode & S_IXUSR))
                return refuse(error, -EACCES, path, "is not executable; chmod +x it");
        return 0;
}

static int check_entry(const char *dir, const char *name, struct buf *error)
{
        char path[PATH_MAX];

        int n = snprintf(path, sizeof path, "%s/%s", dir, name);
        if (n < 0 || (size_t)n >= sizeof path)
                return refuse(error, -ENAMETOOLONG, dir, "has a name that is too long");
        return check_path(path, error);
}

int hook_safe_dir(const char *path, struct buf *error)
{
        struct dirent *e;

        DIR *dir = opendir(path);
        if (!dir && errno == ENOENT)
                return 0;
        if (!dir) {
                int r = -errno;
                return refuse(error, r, path, strerror(-r));
        }
        int r = check_path(path, error);
        while (r == 0 && (e = readdir(dir)))
                if (e->d_name[0] != '.')
                        r = check_entry(path, e->d_name, error);
        closedir(dir);
        return r;
}
