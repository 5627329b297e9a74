/* A pidfd tells its end, a pipe brings what it says. */
#include "hamon/runner.h"

#include "lib/buf.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

struct runner {
        struct loop *loop;
        runner_fn fn;
        void *arg;
        pid_t pid; /* 0: nothing runs */
        int pidfd, out;
        struct event *ended;
        struct timer deadline;
        msec_t began;
        char text[RUNNER_TEXT];
        size_t len;
};

static void drop(struct runner *r)
{
        if (r->ended)
                event_free(r->ended);
        r->ended = NULL;
        timer_clear(&r->deadline);
        closep(&r->pidfd);
        closep(&r->out);
        r->pid = 0;
}

/* The pipe holds more than is kept: the program never waits for us. */
static void read_text(struct runner *r)
{
        ssize_t n;

        while (r->len < sizeof r->text - 1 &&
               (n = read(r->out, r->text + r->len, sizeof r->text - 1 - r->len)) > 0)
                r->len += (size_t)n;
        r->text[r->len] = '\0';
}

static void on_ended(int fd, short what, void *arg)
{
        struct runner *r = arg;
        struct runner_end e = { .code = -1, .text = r->text, .began = r->began };
        int status;

        (void)fd;
        (void)what;
        if (waitpid(r->pid, &status, WNOHANG) != r->pid)
                return;
        if (WIFEXITED(status))
                e.code = WEXITSTATUS(status);
        read_text(r);
        drop(r);
        r->fn(r->arg, &e);
}

static void on_deadline(void *arg)
{
        struct runner *r = arg;

        pidfd_send_signal(r->pidfd, SIGKILL, NULL, 0);
}

int runner_new(struct loop *l, runner_fn fn, void *arg, struct runner **ret)
{
        struct runner *r = calloc(1, sizeof *r);

        if (!r)
                return -ENOMEM;
        r->loop = l;
        r->fn = fn;
        r->arg = arg;
        r->pidfd = r->out = -1;
        int e = timer_init(&r->deadline, l, on_deadline, r);
        if (e < 0) {
                free(r);
                return e;
        }
        *ret = r;
        return 0;
}

void runner_free(struct runner *r)
{
        if (!r)
                return;
        if (r->pid > 0) {
                pidfd_send_signal(r->pidfd, SIGKILL, NULL, 0);
                waitpid(r->pid, NULL, WNOHANG);
        }
        drop(r);
        timer_done(&r->deadline);
        free(r);
}

bool runner_busy(const struct runner *r)
{
        return r->pid > 0;
}

/* In the child: nothing of the daemon's goes with it but its stderr. */
static void become(const char *const *argv, int out, pid_t parent)
{
        static char *const env[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", NULL };
        int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
        sigset_t none;

        prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != parent || null < 0 || dup2(null, STDIN_FILENO) < 0 ||
            dup2(out, STDOUT_FILENO) < 0)
                _exit(127);
        close_range(STDERR_FILENO + 1, ~0U, 0);
        signal(SIGPIPE, SIG_DFL);
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        execve(argv[0], (char *const *)(uintptr_t)argv, env);
        _exit(127);
}

int runner_start(struct runner *r, const char *const *argv, msec_t deadline)
{
        pid_t parent = getpid();
        int ends[2];

        if (r->pid > 0)
                return -EBUSY;
        if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
                return -errno;
        r->pid = fork();
        if (r->pid == 0)
                become(argv, ends[1], parent);
        close(ends[1]);
        r->out = ends[0];
        r->len = 0;
        r->began = loop_now(r->loop);
        if (r->pid > 0)
                r->pidfd = pidfd_open(r->pid, 0);
        if (r->pidfd >= 0)
                r->ended = event_new(r->loop->base, r->pidfd, EV_READ | EV_PERSIST, on_ended, r);
        if (!r->ended || event_add(r->ended, NULL) < 0) {
                if (r->pid > 0)
                        kill(r->pid, SIGKILL); /* our own child, not reaped: it is still that one */
                drop(r);
                return -ENOMEM;
        }
        timer_set(&r->deadline, deadline);
        return 0;
}

bool runner_is_engine(void)
{
        char path[PATH_MAX] = "";
        ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
        const char *slash = strrchr(path, '/');

        return n > 0 && slash && strncmp(slash, "/hamond", 7) == 0; /* "(deleted)" may follow */
}
