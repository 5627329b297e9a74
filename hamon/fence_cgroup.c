/* Containers by their cgroups, without Docker: cgroup v1 has them as <hierarchy>/docker/ID or
 * docker-ID.scope, in a dozen hierarchies; v2 once. The whole tree is searched, so that it does not
 * matter who is the parent. */
#include "hamon/fence.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DEPTH_MAX = 16, DIRS_MAX = 50000, PROCS_MAX = 1024 * 1024, PASS_MS = 10 };
enum { ID_LEN = TARGET_ID_SIZE - 1 };

struct kill_pass {
        const struct fence_target *t;
        bool look; /* nothing is killed */
        unsigned dirs;
        uint64_t left; /* one bit for each container with a process in one of its cgroups */
        int error;
        char path[PATH_MAX];
};

bool fence_id_ok(const char *id)
{
        return strlen(id) == ID_LEN && strspn(id, "0123456789abcdef") == ID_LEN;
}

/* Whose cgroup has this name? -1 = of none of ours. */
static int find_id(const struct fence_target *t, const char *name)
{
        for (unsigned i = 0; i < t->n; i++)
                if (fence_id_ok(t->id[i]) && strstr(name, t->id[i]))
                        return (int)i;
        return -1;
}

static void put(const char *dir, const char *file, const char *word)
{
        char path[PATH_MAX + 32];

        snprintf(path, sizeof path, "%s/%s", dir, file);
        CLEANUP(closep) int fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd >= 0 && write(fd, word, strlen(word)) < 0)
                return; /* the processes are killed one by one as well */
}

static bool is_of(pid_t pid, const char *id)
{
        CLEANUP(freep) char *text = NULL;
        char path[64];

        snprintf(path, sizeof path, "/proc/%d/cgroup", (int)pid);
        return read_file(path, 64L * 1024, &text, NULL) == 0 && strstr(text, id);
}

/* A number may have changed hands since it was read: open first, then look whose it is. */
static void kill_one(pid_t pid, const char *id)
{
        CLEANUP(closep) int fd = pidfd_open(pid, 0);
        bool too_old = fd < 0 && errno == ENOSYS; /* before Linux 5.3 the number has to do */

        if (!is_of(pid, id))
                return;
        if (fd >= 0)
                pidfd_send_signal(fd, SIGKILL, NULL, 0);
        else if (too_old)
                kill(pid, SIGKILL);
}

static void kill_procs(struct kill_pass *p, unsigned who)
{
        CLEANUP(freep) char *text = NULL;
        char path[PATH_MAX + 32];
        char *save = NULL;

        snprintf(path, sizeof path, "%s/cgroup.procs", p->path);
        int r = read_file(path, PROCS_MAX, &text, NULL);
        if (r < 0) {
                if (r != -ENOENT && r != -ENODEV && r != -EOPNOTSUPP)
                        p->error = r;
                return;
        }
        for (char *w = strtok_r(text, "\n", &save); w; w = strtok_r(NULL, "\n", &save)) {
                uint64_t pid;
                p->left |= UINT64_C(1) << who;
                /* 0: of a pid namespace we do not see, where kill(2) would mean ourselves */
                if (!p->look && parse_uint(w, 2, INT_MAX, &pid) == 0 && (pid_t)pid != getpid())
                        kill_one((pid_t)pid, p->t->id[who]);
        }
}

static bool is_dir(const char *path, const struct dirent *e)
{
        struct stat st;

        if (e->d_name[0] == '.')
                return false;
        if (e->d_type != DT_UNKNOWN)
                return e->d_type == DT_DIR;
        return lstat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* p->path and all below it. `who`: whose cgroup we are in already, -1 = nobody's. */
/* NOLINTNEXTLINE(misc-no-recursion) */
static void walk(struct kill_pass *p, int who, unsigned depth)
{
        size_t len = strlen(p->path);
        DIR *d;

        if (p->dirs++ > DIRS_MAX || depth > DEPTH_MAX) {
                p->error = -E2BIG;
                return;
        }
        if (who >= 0) {
                kill_procs(p, (unsigned)who); /* first: afterwards nobody could tell who ran */
        }
        if (who >= 0 && !p->look) {
                put(p->path, "cgroup.kill", "1");
                put(p->path, "freezer.state", "THAWED"); /* paused: it could not die */
        }
        if (!(d = opendir(p->path))) {
                if (errno != ENOENT)
                        p->error = -errno;
                return;
        }
        for (struct dirent *e; (e = readdir(d));) {
                int n = snprintf(p->path + len, sizeof p->path - len, "/%s", e->d_name);
                if (n > 0 && (size_t)n < sizeof p->path - len && is_dir(p->path, e))
                        walk(p, who >= 0 ? who : find_id(p->t, e->d_name), depth + 1);
                p->path[len] = '\0';
        }
        closedir(d);
}

int fence_find(const char *root, const struct fence_target *t, uint64_t *ret_found)
{
        struct kill_pass p = { .t = t, .look = true };

        str_copy(p.path, sizeof p.path, root);
        walk(&p, -1, 0);
        *ret_found = p.left;
        return p.error;
}

int fence_kill(const char *root, const struct fence_target *t, msec_t ms, unsigned *ret_killed,
               unsigned *ret_left)
{
        msec_t end = clock_ms() + ms;

        uint64_t seen = 0;

        *ret_killed = *ret_left = 0;
        if (t->n == 0)
                return 0;
        for (;;) {
                struct kill_pass p = { .t = t };
                str_copy(p.path, sizeof p.path, root);
                walk(&p, -1, 0);
                seen |= p.left;
                *ret_killed = (unsigned)__builtin_popcountll(seen);
                *ret_left = (unsigned)__builtin_popcountll(p.left);
                if (p.left == 0)
                        return p.error;
                if (clock_ms() >= end)
                        return -EBUSY;
                poll(NULL, 0, PASS_MS);
        }
}
