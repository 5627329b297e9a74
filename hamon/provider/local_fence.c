/* posix_spawn and a pidfd in the loop: no SIGCHLD handler that others would have to know of. */
#include "hamon/provider/local_fence.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

struct local_fence {
        pid_t pid;
        int pidfd;
        struct event *ev;
        local_fence_fn done; /* NULL: nobody waits for it any more */
        void *arg;
};

static void fence_free(struct local_fence *f)
{
        if (f->ev)
                event_free(f->ev);
        closep(&f->pidfd);
        free(f);
}

static void on_exit_seen(evutil_socket_t fd, short what, void *arg)
{
        struct local_fence *f = arg;
        local_fence_fn done = f->done;
        void *done_arg = f->arg;
        siginfo_t info = { .si_pid = 0 };
        int status = 0;

        (void)fd;
        (void)what;
        if (waitid(P_PID, (id_t)f->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || !info.si_pid)
                return;
        kill(-f->pid, SIGKILL); /* what it left in its group, while the number is still taken */
        waitpid(f->pid, &status, 0);
        fence_free(f);
        if (done)
                done(done_arg, status);
}

static int spawn(const char *command, const char *server, pid_t *ret)
{
        static char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
        char *env[] = { path, NULL };
        char *argv[] = { (char *)(uintptr_t)command, (char *)(uintptr_t)server, NULL };
        posix_spawn_file_actions_t files;
        posix_spawnattr_t attr;
        sigset_t none, all;

        sigemptyset(&none);
        sigfillset(&all);
        if (posix_spawn_file_actions_init(&files) != 0)
                return -ENOMEM;
        if (posix_spawnattr_init(&attr) != 0) {
                posix_spawn_file_actions_destroy(&files);
                return -ENOMEM;
        }
        posix_spawnattr_setsigmask(&attr, &none);
        posix_spawnattr_setsigdefault(&attr, &all);
        posix_spawnattr_setpgroup(&attr, 0);
        posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
                                                POSIX_SPAWN_SETSIGDEF);
        int r = posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
        if (r == 0)
                r = posix_spawn(ret, command, &files, &attr, argv, env);
        posix_spawnattr_destroy(&attr);
        posix_spawn_file_actions_destroy(&files);
        return -r;
}

int local_fence_start(struct loop *l, const char *command, const char *server, local_fence_fn done,
                      void *arg, struct local_fence **ret)
{
        struct local_fence *f = calloc(1, sizeof *f);

        if (!f)
                return -ENOMEM;
        f->pidfd = -1;
        f->done = done;
        f->arg = arg;
        int r = spawn(command, server, &f->pid);
        if (r < 0) {
                fence_free(f);
                return r;
        }
        f->pidfd = pidfd_open(f->pid, 0);
        r = f->pidfd < 0 ? -errno : 0;
        if (r == 0) {
                f->ev = event_new(l->base, f->pidfd, EV_READ | EV_PERSIST, on_exit_seen, f);
                r = f->ev && event_add(f->ev, NULL) == 0 ? 0 : -ENOMEM;
        }
        if (r < 0) {
                kill(-f->pid, SIGKILL);
                waitpid(f->pid, NULL, WNOHANG);
                fence_free(f);
                return r;
        }
        *ret = f;
        return 0;
}

void local_fence_end(struct local_fence *f)
{
        if (!f)
                return;
        f->done = NULL;
        kill(-f->pid, SIGKILL);
}
