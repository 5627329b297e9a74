/* The child works on its copy of the data; its end is seen by a pidfd. */
#include "hamon/web/alert_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATH_SIZE = 1100, PATIENCE_MS = 2000, LAST_MS = 1000 };

struct alert_disk {
        struct loop *loop;
        char path[PATH_SIZE];
        void (*fn)(void *arg, int error);
        void *arg;
        pid_t pid; /* 0 = no child */
        int pidfd;
        struct event *ended;
        struct timer patience;
        bool waits;
};

/* ---- in the child ---- */

static int sync_dir(const char *path)
{
        char dir[PATH_SIZE];
        char *slash;

        str_copy(dir, sizeof dir, path);
        slash = strrchr(dir, '/');
        if (!slash)
                return 0;
        slash[slash == dir] = '\0';
        CLEANUP(closep) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

static int replace(const char *path, const char *data, size_t len)
{
        char fresh[PATH_SIZE + 8];
        int r = make_parents(path);

        snprintf(fresh, sizeof fresh, "%s.new", path);
        CLEANUP(closep)
        int fd = r < 0 ? -1
                       : open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
                return r < 0 ? r : -errno;
        r = write_all(fd, data, len);
        if (r == 0 && fsync(fd) < 0)
                r = -errno;
        if (r == 0 && rename(fresh, path) < 0)
                r = -errno;
        if (r == 0)
                return sync_dir(path);
        unlink(fresh);
        return r;
}

_Noreturn static void be_child(const char *path, const char *data, size_t len)
{
        sigset_t none;

        signal(SIGTERM, SIG_IGN); /* a stop of the service ends us after our work */
        signal(SIGINT, SIG_IGN);
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        prctl(PR_SET_NAME, "hamon-alerts");
        close_range(STDERR_FILENO + 1, ~0U, 0); /* hanging, it must not hold a port */
        int r = replace(path, data, len);
        _exit(r < 0 ? MIN(-r, 255) : 0);
}

/* ---- here ---- */

static void over(struct alert_disk *d, int error)
{
        if (!d->waits)
                return;
        d->waits = false;
        timer_clear(&d->patience);
        d->fn(d->arg, error);
}

static void let_go(struct alert_disk *d)
{
        if (d->ended)
                event_free(take_ptr(d->ended));
        closep(&d->pidfd);
        d->pid = 0;
}

static int result_of(int status)
{
        return WIFEXITED(status) ? -WEXITSTATUS(status) : -EIO;
}

static void on_ended(evutil_socket_t fd, short what, void *arg)
{
        struct alert_disk *d = arg;
        int status = 0;

        (void)fd;
        (void)what;
        if (waitpid(d->pid, &status, WNOHANG) != d->pid)
                return;
        let_go(d);
        over(d, result_of(status));
}

static void on_patience(void *arg)
{
        over(arg, -ETIMEDOUT);
}

int alert_disk_new(struct loop *l, const char *path, void (*fn)(void *arg, int error), void *arg,
                   struct alert_disk **ret)
{
        struct alert_disk *d = calloc(1, sizeof *d);

        if (!d)
                return -ENOMEM;
        *d = (struct alert_disk){ .loop = l, .fn = fn, .arg = arg, .pidfd = -1 };
        int r = str_copy(d->path, sizeof d->path, path) ? 0 : -ENAMETOOLONG;
        if (r == 0)
                r = timer_init(&d->patience, l, on_patience, d);
        if (r < 0) {
                free(d);
                return r;
        }
        *ret = d;
        return 0;
}

void alert_disk_free(struct alert_disk *d)
{
        if (!d)
                return;
        if (d->pid > 0) {
                struct pollfd p = { .fd = d->pidfd, .events = POLLIN };
                if (poll(&p, 1, LAST_MS) > 0)
                        waitpid(d->pid, NULL, WNOHANG);
        }
        let_go(d);
        timer_done(&d->patience);
        free(d);
}

static int watch(struct alert_disk *d)
{
        d->pidfd = pidfd_open(d->pid, 0);
        if (d->pidfd < 0)
                return -errno;
        d->ended = event_new(d->loop->base, d->pidfd, EV_READ | EV_PERSIST, on_ended, d);
        return d->ended && event_add(d->ended, NULL) == 0 ? 0 : -ENOMEM;
}

int alert_disk_write(struct alert_disk *d, const char *data, size_t len)
{
        sigset_t all, before;

        if (d->pid > 0)
                return -EBUSY;
        sigfillset(&all);
        sigprocmask(SIG_SETMASK, &all, &before); /* until the child is deaf to them */
        d->pid = fork();
        if (d->pid == 0)
                be_child(d->path, data, len);
        int r = d->pid < 0 ? -errno : 0;
        sigprocmask(SIG_SETMASK, &before, NULL);
        if (r == 0 && (r = watch(d)) < 0)
                kill(d->pid, SIGKILL); /* its end is nobody's news: init reaps it after us */
        if (r < 0) {
                let_go(d);
                return r;
        }
        d->waits = true;
        timer_set(&d->patience, PATIENCE_MS);
        return 0;
}

bool alert_disk_waits(const struct alert_disk *d)
{
        return d->waits;
}
