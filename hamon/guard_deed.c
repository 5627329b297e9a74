/* One fork, one pipe, one deadline. What hangs in the kernel is left behind. */
#include "hamon/guard_deed.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SLACK_MS = 800 }; /* for children of it that do not die at once */

static void act(const struct fence_target *t, int out, pid_t parent)
{
        struct fence_result result;
        sigset_t none;

        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        if (setpgid(0, 0) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
                _exit(1);
        fence_run(t, &FENCE_RULE, &result);
        _exit(write(out, &result, sizeof result) == sizeof result ? 0 : 1);
}

bool guard_deed_hangs(struct guard_deed *d)
{
        while (waitpid(-1, NULL, WNOHANG) > 0)
                ; /* a dead one still counts as a member */
        if (d->group != 0 && kill(-d->group, 0) < 0 && errno == ESRCH)
                d->group = 0;
        return d->group != 0;
}

int guard_deed_start(struct guard_deed *d, const struct fence_target *t, const int *keep_out,
                     msec_t now)
{
        pid_t parent = getpid();
        int fds[2];

        if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
                return -errno;
        pid_t pid = fork();
        if (pid == 0) {
                for (; *keep_out >= 0; keep_out++)
                        close(*keep_out);
                act(t, fds[1], parent);
        }
        int r = pid < 0 ? -errno : 0;
        close(fds[1]);
        if (r < 0) {
                close(fds[0]);
                return r;
        }
        *d = (struct guard_deed){
                .pid = pid, .group = pid, .fd = fds[0], .end = now + FENCE_BUDGET + SLACK_MS
        };
        return 0;
}

bool guard_deed_over(struct guard_deed *d, msec_t now, struct fence_result *ret)
{
        struct fence_result f = { .error = -EIO, .text = "the fence itself died" };

        ssize_t n = read(d->fd, &f, sizeof f);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
                if (now < d->end)
                        return false;
                f.error = -ETIMEDOUT;
                str_copy(f.text, sizeof f.text, "the fence itself hangs");
        }
        if (n != sizeof f) {
                f.free = false;
                kill(d->pid, SIGKILL);
                kill(-d->pid, SIGKILL);
        }
        waitpid(d->pid, NULL, WNOHANG); /* else it is reaped later, with those left behind */
        closep(&d->fd);
        d->pid = 0;
        *ret = f;
        return true;
}
