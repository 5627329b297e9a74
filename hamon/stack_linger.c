/* /proc: ns/pid says who belongs together, fd and fdinfo what is open and how, maps what is mapped.
 * Deleted files are nobody's loss; pipes, sockets and devices keep nothing. */
#include "hamon/stack_linger.h"

#include "lib/util.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAPS_MAX = 4 * 1024 * 1024, NS_SIZE = 64 };

static void closedirp(DIR **d)
{
        if (*d)
                closedir(*d);
}

static int read_ns(const char *pid, char dst[NS_SIZE])
{
        char path[NAME_MAX + 32];

        snprintf(path, sizeof path, "/proc/%s/ns/pid", pid);
        ssize_t n = readlink(path, dst, NS_SIZE - 1);
        if (n < 0)
                return errno == ENOENT ? -ESRCH : -errno;
        dst[n] = '\0';
        return 0;
}

/* `flags:` of fdinfo is octal. */
static bool is_writable(const char *pid, const char *fd)
{
        CLEANUP(freep) char *text = NULL;
        char path[2 * NAME_MAX + 32];

        snprintf(path, sizeof path, "/proc/%s/fdinfo/%s", pid, fd);
        if (read_file(path, 64L * 1024, &text, NULL) < 0)
                return false; /* closed meanwhile */
        const char *flags = strstr(text, "flags:");
        return flags && (strtoul(flags + strlen("flags:"), NULL, 8) & O_ACCMODE) != O_RDONLY;
}

static bool writes_file(const char *pid)
{
        char path[NAME_MAX + 32];

        snprintf(path, sizeof path, "/proc/%s/fd", pid);
        CLEANUP(closedirp) DIR *d = opendir(path);
        for (struct dirent *e; d && (e = readdir(d));) {
                struct stat st;
                if (e->d_name[0] != '.' && fstatat(dirfd(d), e->d_name, &st, 0) == 0 &&
                    S_ISREG(st.st_mode) && st.st_nlink > 0 && is_writable(pid, e->d_name))
                        return true;
        }
        return false;
}

/* "from-to rw-s offset device inode /path": shared and writable, and a file with a name. */
static bool is_file_map(const char *line)
{
        char perms[8] = "", name[256] = "";

        return sscanf(line, "%*s %7s %*s %*s %*s %255[^\n]", perms, name) == 2 && perms[1] == 'w' &&
               perms[3] == 's' && name[0] == '/' && strncmp(name, "/dev/", 5) != 0 &&
               !strstr(name, " (deleted)");
}

static bool maps_file(const char *pid)
{
        CLEANUP(freep) char *text = NULL;
        char path[NAME_MAX + 32], *save = NULL;

        snprintf(path, sizeof path, "/proc/%s/maps", pid);
        if (read_file(path, MAPS_MAX, &text, NULL) < 0)
                return false;
        for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save))
                if (is_file_map(l))
                        return true;
        return false;
}

int stack_linger_look(pid_t pid)
{
        char first[16], theirs[NS_SIZE], own[NS_SIZE], ns[NS_SIZE];

        snprintf(first, sizeof first, "%d", (int)pid);
        int r = read_ns(first, theirs);
        if (r == 0)
                r = read_ns("self", own);
        if (r < 0)
                return r;
        if (str_eq(theirs, own))
                return -ENOTSUP;
        CLEANUP(closedirp) DIR *d = opendir("/proc");
        if (!d)
                return -errno;
        for (struct dirent *e; (e = readdir(d));) {
                uint64_t n;
                if (parse_uint(e->d_name, 1, INT_MAX, &n) < 0 || read_ns(e->d_name, ns) < 0 ||
                    !str_eq(ns, theirs))
                        continue;
                if (writes_file(e->d_name) || maps_file(e->d_name))
                        return 1;
        }
        return 0;
}
