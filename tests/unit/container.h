/* A child process that plays a container's first one: as a line in a /proc of the test's own, or in
 * a real cgroup that has the container's name, where we may make one. */
#pragma once

#include "harness.h"

#include <dirent.h>

/* Waits to be killed; dies with the test. */
static inline pid_t child_start(void)
{
        const char *argv[] = { "/bin/sleep", "1000", NULL };

        return start(argv, NULL, NULL, 0);
}

/* How many pidfds a process holds. */
static inline size_t pidfds_of(pid_t pid)
{
        char path[64], link[64];
        size_t count = 0;

        snprintf(path, sizeof path, "/proc/%d/fd", pid);
        DIR *dir = opendir(path);
        assert_non_null(dir);
        for (const struct dirent *e = readdir(dir); e; e = readdir(dir)) {
                ssize_t n = readlinkat(dirfd(dir), e->d_name, link, sizeof link - 1);
                link[n > 0 ? n : 0] = '\0';
                count += strstr(link, "pidfd") != NULL;
        }
        closedir(dir);
        return count;
}

struct cgroup {
        char path[160];
};

static inline void cgroup_leave(struct cgroup *g)
{
        for (int i = 0; *g->path && rmdir(g->path) < 0 && errno == EBUSY && i < 1000; i++)
                nap(); /* the killed need a moment to go */
        *g->path = '\0';
}

/* False: not root, or no cgroup that we may write to. */
static inline bool cgroup_join(struct cgroup *g, pid_t pid, const char *id)
{
        static const char *const roots[] = { "/sys/fs/cgroup/pids", "/sys/fs/cgroup" };

        for (size_t i = 0; i < ARRAY_SIZE(roots); i++) {
                char procs[192];
                snprintf(g->path, sizeof g->path, "%s/%s", roots[i], id);
                snprintf(procs, sizeof procs, "%s/cgroup.procs", g->path);
                if (mkdir(g->path, 0755) < 0)
                        continue;
                CLEANUP(closep) int fd = open(procs, O_WRONLY | O_CLOEXEC);
                if (fd >= 0 && dprintf(fd, "%d\n", pid) > 0)
                        return true;
                cgroup_leave(g);
        }
        *g->path = '\0';
        return false;
}
