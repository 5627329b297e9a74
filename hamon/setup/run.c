/* fork(2), execvp(3), and a pidfd to wait by. */
#include "hamon/setup/run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NO_EXEC = 127, REAP_MS = 5000 };

static void say(const char *const *argv)
{
        fputs("  $", stdout);
        for (; *argv; argv++)
                printf(strpbrk(*argv, " {}|;&$*'\"\\") || !**argv ? " '%s'" : " %s", *argv);
        putchar('\n');
        fflush(stdout);
}

/* The child. `out`: for its standard output, -1 = ours. Its errors are always for people. */
static _Noreturn void become(const char *const *argv, const char *dir, int out)
{
        int null = open("/dev/null", O_RDONLY);

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (null < 0 || dup2(null, STDIN_FILENO) < 0 || (dir && chdir(dir) < 0) ||
            (out >= 0 && dup2(out, STDOUT_FILENO) < 0)) {
                fprintf(stderr, "hamon: %s: %s\n", dir ? dir : "/dev/null", strerror(errno));
                _exit(NO_EXEC);
        }
        signal(SIGPIPE, SIG_DFL);
        execvp(argv[0], (char *const *)(const void *)argv);
        fprintf(stderr, "hamon: %s: %s\n", argv[0], strerror(errno));
        _exit(NO_EXEC);
}

static int wait_for(int fd, msec_t until)
{
        struct pollfd p = { .fd = fd, .events = POLLIN };
        int r;

        do {
                msec_t left = until - clock_ms();
                r = poll(&p, 1, left > 0 ? (int)MIN(left, 60000) : 0);
        } while ((r == 0 && clock_ms() < until) || (r < 0 && errno == EINTR));
        return r > 0 ? 0 : -ETIMEDOUT;
}

static int reap(pid_t pid, int pidfd, msec_t until)
{
        int r = wait_for(pidfd, until), status;

        if (r < 0) {
                kill(pid, SIGKILL);
                if (wait_for(pidfd, clock_ms() + REAP_MS) < 0)
                        return -ETIMEDOUT; /* stuck in the kernel: left behind */
        }
        if (waitpid(pid, &status, 0) != pid)
                return -errno;
        if (r < 0)
                return r;
        return WIFEXITED(status) ? WEXITSTATUS(status) : -EIO;
}

/* Everything it prints, until it closes its end or the time is up. */
static void gather(int fd, msec_t until, struct buf *out)
{
        char some[4096];
        ssize_t n;

        while (wait_for(fd, until) == 0 && (n = read(fd, some, sizeof some)) > 0)
                buf_add(out, some,
                        MIN((size_t)n, out->cap - out->len - 1)); /* the rest is dropped */
        while (out->len > 0 && out->data[out->len - 1] == '\n')
                out->data[--out->len] = '\0';
}

static int run(const char *const *argv, const char *dir, msec_t deadline, struct buf *out)
{
        CLEANUP(closep) int pidfd = -1, from = -1, to = -1;
        const msec_t until = clock_ms() + deadline;
        int ends[2];

        fflush(NULL);
        if (out) {
                if (pipe2(ends, O_CLOEXEC) < 0)
                        return -errno;
                from = ends[0];
                to = ends[1];
        }
        pid_t pid = fork();
        if (pid < 0)
                return -errno;
        if (pid == 0)
                become(argv, dir, to);
        closep(&to);
        pidfd = pidfd_open(pid, 0);
        if (pidfd < 0) {
                int r = -errno;
                kill(pid, SIGKILL);
                waitpid(pid, NULL, 0);
                return r;
        }
        if (out)
                gather(from, until, out);
        return reap(pid, pidfd, until);
}

int run_shown(const char *const *argv, const char *dir, msec_t deadline)
{
        say(argv);
        return run(argv, dir, deadline, NULL);
}

int run_asked(const char *const *argv, const char *dir, msec_t deadline, struct buf *out)
{
        buf_reset(out);
        return run(argv, dir, deadline, out);
}
