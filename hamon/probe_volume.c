/* fork, and a pidfd in the loop: the exit status is the errno. The child closes everything first:
 * one that hangs must not keep our sockets and locks. */
#include "hamon/probe_volume.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { REAP_MS = 50 };

struct probe_volume {
        struct loop *loop;
        char *mount;
        msec_t timeout;
        probe_volume_fn fn;
        void *arg;
        pid_t pid; /* 0 = none */
        int pidfd;
        struct event *ended;
        struct timer answer; /* for an answer that is known at once */
        struct timer deadline;
        int error;  /* of `answer` */
        bool hangs; /* the deadline has come, and been told */
};

/* ---- in the child ---- */

static int is_mounted(int dir)
{
        struct stat here, above;

        if (fstat(dir, &here) < 0 || fstatat(dir, "..", &above, AT_SYMLINK_NOFOLLOW) < 0)
                return errno;
        return here.st_dev != above.st_dev || here.st_ino == above.st_ino ? 0 : ENODEV;
}

static int write_file(int dir)
{
        static const char TEXT[] = "hamon writes this to see whether it can\n";
        int fd = openat(dir, PROBE_VOLUME_FILE,
                        O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

        if (fd < 0)
                return errno;
        errno = 0;
        if (write(fd, TEXT, sizeof TEXT - 1) != (ssize_t)sizeof TEXT - 1)
                return errno ? errno : ENOSPC;
        if (fsync(fd) < 0 || close(fd) < 0 || unlinkat(dir, PROBE_VOLUME_FILE, 0) < 0)
                return errno;
        return 0;
}

static int look(const char *mount)
{
        int dir = open(mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (dir < 0)
                return errno == ENOENT || errno == ENOTDIR ? ENODEV : errno;
        int error = is_mounted(dir);
        return error ? error : write_file(dir);
}

static _Noreturn void be_child(const char *mount, pid_t parent)
{
        sigset_t none;

        close_range(0, ~0U, 0);
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        signal(SIGTERM, SIG_DFL);
        if (setpgid(0, 0) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
                _exit(EIO);
        _exit(look(mount) & 0xff); /* errnos fit */
}

/* ---- in the parent ---- */

static void forget_child(struct probe_volume *v)
{
        if (v->ended)
                event_free(take_ptr(v->ended));
        closep(&v->pidfd);
        v->pid = 0;
}

static void on_ended(evutil_socket_t fd, short what, void *arg)
{
        struct probe_volume *v = arg;
        int status = 0;

        (void)fd;
        (void)what;
        if (waitpid(v->pid, &status, WNOHANG) != v->pid)
                return;
        forget_child(v);
        timer_clear(&v->deadline);
        if (v->hangs) {
                v->hangs = false; /* this look's answer was that it hangs */
                return;
        }
        v->fn(v->arg, WIFEXITED(status) ? WEXITSTATUS(status) : EIO);
}

static void on_deadline(void *arg)
{
        struct probe_volume *v = arg;

        v->hangs = true;
        kill(v->pid, SIGKILL);
        v->fn(v->arg, ETIMEDOUT);
}

static void on_answer(void *arg)
{
        struct probe_volume *v = arg;

        v->fn(v->arg, v->error);
}

static void answer_soon(struct probe_volume *v, int error)
{
        v->error = error;
        timer_set(&v->answer, 0);
}

void probe_volume_run(struct probe_volume *v)
{
        pid_t self = getpid();

        if (v->pid > 0) {
                if (v->hangs)
                        answer_soon(v, ETIMEDOUT); /* still */
                return;
        }
        v->pid = fork();
        if (v->pid == 0)
                be_child(v->mount, self);
        if (v->pid < 0) {
                v->pid = 0;
                answer_soon(v, EAGAIN);
                return;
        }
        v->pidfd = pidfd_open(v->pid, 0);
        if (v->pidfd >= 0)
                v->ended = event_new(v->loop->base, v->pidfd, EV_READ | EV_PERSIST, on_ended, v);
        if (!v->ended || event_add(v->ended, NULL) < 0) {
                kill(v->pid, SIGKILL);
                waitpid(v->pid, NULL, WNOHANG);
                forget_child(v);
                answer_soon(v, ENOMEM);
                return;
        }
        timer_set(&v->deadline, v->timeout);
}

int probe_volume_new(struct loop *l, const char *mount, msec_t timeout, probe_volume_fn fn,
                     void *arg, struct probe_volume **ret)
{
        struct probe_volume *v = calloc(1, sizeof *v);
        if (!v)
                return -ENOMEM;

        *v = (struct probe_volume){
                .loop = l, .timeout = timeout, .fn = fn, .arg = arg, .pidfd = -1
        };
        v->mount = strdup(mount);
        if (!v->mount || timer_init(&v->answer, l, on_answer, v) < 0 ||
            timer_init(&v->deadline, l, on_deadline, v) < 0) {
                probe_volume_free(v);
                return -ENOMEM;
        }
        *ret = v;
        return 0;
}

void probe_volume_free(struct probe_volume *v)
{
        if (!v)
                return;
        if (v->pid > 0) {
                kill(v->pid, SIGKILL);
                poll(&(struct pollfd){ .fd = v->pidfd, .events = POLLIN }, 1, REAP_MS);
                waitpid(v->pid, NULL, WNOHANG); /* who hangs is left behind */
                forget_child(v);
        }
        timer_done(&v->answer);
        timer_done(&v->deadline);
        free(v->mount);
        free(v);
}
