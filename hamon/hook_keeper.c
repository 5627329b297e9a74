/* Runs on a copy of the daemon's memory, so it only does what is safe after a fork(): system calls.
 * Only direct children are ever killed (and the hook's group, while the hook is not reaped): their
 * numbers are ours until we reap them, so no stranger can be hit. What is deeper comes up as its
 * parents die. */
#include "hamon/hook_keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FD_ORDERS = 3, FD_REPORT, FD_OUT, FD_ERR, FD_SIGNALS, FD_ABOVE = 16 };
enum { KILL_AGAIN_MS = 50, LONGEST_POLL_MS = 60000 };

struct keeper {
        pid_t script; /* 0 = reaped */
        msec_t deadline_at, kill_at;
        bool terminating, killing, orders_open;
        struct hook_report report;
};

/* Exactly our descriptors, at known numbers: the daemon's sockets and locks must not live on. */
static int arrange(const struct hook_keeper *k)
{
        int fds[] = { k->orders, k->report, k->out, k->err };
        sigset_t chld;

        for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
                fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, FD_ABOVE);
                if (fds[i] < 0)
                        return -errno;
        }
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
                if (null < 0 || dup2(null, fd) < 0)
                        return -errno;
        for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
                if (dup3(fds[i], FD_ORDERS + (int)i, O_CLOEXEC) < 0)
                        return -errno;
        close_range(FD_SIGNALS, ~0U, 0);
        sigemptyset(&chld);
        sigaddset(&chld, SIGCHLD);
        return signalfd(-1, &chld, SFD_NONBLOCK | SFD_CLOEXEC) == FD_SIGNALS ? 0 : -EBADF;
}

/* Not by signal(): glibc keeps 32 and 33 for itself, and its posix_spawn() leaves them ignored in
 * every child (make's, for one). Those that cannot be set refuse. */
static void default_signals(void)
{
        static const unsigned long dfl[8]; /* the kernel's struct sigaction; all zero is SIG_DFL */

        for (int sig = 1; sig < NSIG; sig++)
                syscall(SYS_rt_sigaction, sig, dfl, NULL, (size_t)(NSIG - 1) / 8);
}

_Noreturn static void become_script(const struct hook_keeper *k)
{
        char *const argv[] = { (char *)(uintptr_t)k->path, NULL };
        sigset_t none;

        setpgid(0, 0);
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        umask(022);
        if (chdir("/") == 0 && dup2(FD_OUT, STDOUT_FILENO) >= 0 && dup2(FD_ERR, STDERR_FILENO) >= 0)
                execve(k->path, argv, (char *const *)(uintptr_t)k->env);
        dprintf(FD_ERR, "%s cannot be started: %s\n", k->path, strerror(errno));
        _exit(127);
}

static int start_script(struct keeper *s, const struct hook_keeper *k)
{
        pid_t pid = fork();

        if (pid < 0)
                return -errno;
        if (pid == 0)
                become_script(k);
        setpgid(pid, pid); /* whoever of us two comes first */
        s->script = pid;
        close(FD_OUT);
        close(FD_ERR);
        return 0;
}

/* false: there is no child any more. */
static bool reap(struct keeper *s)
{
        for (;;) {
                int status;
                pid_t pid = waitpid(-1, &status, WNOHANG);
                if (pid == 0)
                        return true;
                if (pid < 0 && errno == EINTR)
                        continue;
                if (pid < 0)
                        return false;
                if (pid == s->script) {
                        s->report.status = status;
                        s->script = 0;
                }
        }
}

static void kill_children(void)
{
        char list[4096];
        int fd = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? 0 : read(fd, list, sizeof list - 1);
        pid_t pid = 0;

        closep(&fd);
        for (ssize_t i = 0; i < n;
             i++) { /* a number that is cut at the end has no blank: ignored */
                if (list[i] >= '0' && list[i] <= '9') {
                        pid = pid * 10 + (list[i] - '0');
                        continue;
                }
                if (pid > 1)
                        kill(pid, SIGKILL);
                pid = 0;
        }
}

static void kill_all(const struct keeper *s)
{
        if (s->script)
                kill(-s->script, SIGKILL);
        kill_children();
}

static void terminate(struct keeper *s, msec_t now)
{
        if (s->terminating)
                return;
        s->terminating = true;
        s->kill_at = now + HOOK_GRACE_MS;
        if (s->script)
                kill(-s->script, SIGTERM);
}

static void take_order(struct keeper *s, msec_t now)
{
        char order = HOOK_ORDER_KILL;

        ssize_t n = read(FD_ORDERS, &order, 1);
        if (n < 0)
                return;
        if (n == 0)
                s->orders_open = false;
        s->report.killed = s->report.killed || s->script;
        if (n == 0 || order == HOOK_ORDER_KILL)
                s->killing = true;
        else
                terminate(s, now);
}

static void look_at_clock(struct keeper *s, msec_t now)
{
        if (s->script && !s->terminating && now >= s->deadline_at) {
                s->report.overdue = true;
                terminate(s, now);
        }
        if (s->terminating && now >= s->kill_at)
                s->killing = true;
}

static msec_t patience(const struct keeper *s, msec_t now)
{
        if (s->killing || !s->script)
                return KILL_AGAIN_MS;
        return MIN(LONGEST_POLL_MS, MAX(0, (s->terminating ? s->kill_at : s->deadline_at) - now));
}

static void keep(struct keeper *s)
{
        struct pollfd fds[] = { { .fd = FD_SIGNALS, .events = POLLIN },
                                { .fd = FD_ORDERS, .events = POLLIN } };
        struct signalfd_siginfo info;

        while (reap(s)) {
                msec_t now = clock_ms();
                look_at_clock(s, now);
                if (s->killing || !s->script) /* a hook that ends leaves nothing behind */
                        kill_all(s);
                fds[1].fd = s->orders_open ? FD_ORDERS : -1;
                if (poll(fds, ARRAY_SIZE(fds), (int)patience(s, now)) <= 0)
                        continue;
                while (read(FD_SIGNALS, &info, sizeof info) > 0)
                        ;
                if (fds[1].revents)
                        take_order(s, clock_ms());
        }
}

/* The daemon has written down whom to look for after a crash. */
static bool may_go(void)
{
        char order;

        return read(FD_ORDERS, &order, 1) == 1 && order == HOOK_ORDER_GO;
}

_Noreturn void hook_keeper_run(const struct hook_keeper *k)
{
        struct keeper s = { .deadline_at = clock_ms() + k->deadline, .orders_open = true };
        sigset_t all;

        sigfillset(&all);
        sigprocmask(SIG_SETMASK, &all, NULL);
        default_signals();
        setsid();
        prctl(PR_SET_NAME, "hamon-hook");
        if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 || arrange(k) < 0 || !may_go() ||
            start_script(&s, k) < 0)
                _exit(EXIT_FAILURE);
        keep(&s);
        if (write(FD_REPORT, &s.report, sizeof s.report) != sizeof s.report)
                _exit(EXIT_FAILURE);
        _exit(EXIT_SUCCESS);
}
