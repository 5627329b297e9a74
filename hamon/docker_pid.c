/* Watching processes by pidfd. A pid is only a number that the engine told us a moment ago, maybe
 * from another pid namespace: it may be anyone's by now. So the order is: open the pidfd, find the
 * container's id in the cgroup of that pid, and see that what we opened is still alive. Then the
 * number cannot have changed hands in between, and the descriptor is the container's. */
#include "hamon/docker_pid.h"

#include "lib/log.h"
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MAX_CGROUP = 64 * 1024 };

void docker_pids_init(struct docker_pids *set, struct loop *l, const char *proc,
                      docker_pid_fn ended, void *arg)
{
        *set = (struct docker_pids){ .loop = l, .proc = proc, .ended = ended, .arg = arg };
}

void docker_pids_done(struct docker_pids *set)
{
        for (unsigned i = 1; i <= DOCKER_PIDS; i++)
                docker_pid_drop(set, i);
}

static void switch_off(struct docker_pids *set, int error)
{
        set->off = true;
        log_event(LOG_INFO, "pidfd", LS("error", strerror(error)),
                  LS("msg", "deaths of containers are known from Docker's events only"));
}

static int open_pid(struct docker_pids *set, pid_t pid)
{
        int fd = (int)syscall(SYS_pidfd_open, pid, 0);

        if (fd < 0 && (errno == ENOSYS || errno == EPERM)) /* before Linux 5.3; a seccomp filter */
                switch_off(set, errno);
        return fd;
}

/* Both with cgroup v1 ("4:pids:/docker/<id>") and v2 ("0::/system.slice/docker-<id>.scope"). The id
 * is long enough to be nobody else's. */
static bool is_in_container(const char *proc, pid_t pid, const char *id)
{
        CLEANUP(freep) char *text = NULL;
        char path[256];

        if (strlen(id) != sizeof((struct docker_pid *)0)->id - 1)
                return false;
        snprintf(path, sizeof path, "%s/%lld/cgroup", proc, (long long)pid);
        return read_file(path, MAX_CGROUP, &text, NULL) == 0 && strstr(text, id);
}

static bool is_alive(int fd)
{
        return poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 0) == 0;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
        struct docker_pid *p = arg;

        (void)fd;
        (void)what;
        p->set->ended(p->set->arg, p->id);
}

static struct docker_pid *free_place(struct docker_pids *set)
{
        for (size_t i = 0; i < DOCKER_PIDS; i++)
                if (!set->v[i].readable)
                        return &set->v[i];
        return NULL;
}

unsigned docker_pid_watch(struct docker_pids *set, const char *id, pid_t pid)
{
        struct docker_pid *p = pid > 0 && !set->off ? free_place(set) : NULL;
        CLEANUP(closep) int fd = p ? open_pid(set, pid) : -1;

        if (fd < 0 || !is_in_container(set->proc, pid, id) || !is_alive(fd))
                return 0;
        p->readable = event_new(set->loop->base, fd, EV_READ, on_readable, p);
        if (!p->readable)
                return 0;
        p->set = set;
        p->fd = take_fd(&fd);
        str_copy(p->id, sizeof p->id, id);

        unsigned watch = (unsigned)(p - set->v) + 1;
        if (event_add(p->readable, NULL) == 0)
                return watch;
        docker_pid_drop(set, watch);
        return 0;
}

void docker_pid_drop(struct docker_pids *set, unsigned watch)
{
        struct docker_pid *p = watch ? &set->v[watch - 1] : NULL;

        if (!p || !p->readable)
                return;
        event_free(take_ptr(p->readable));
        closep(&p->fd);
}
