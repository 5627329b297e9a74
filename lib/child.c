/* fork(2), a pidfd, and shared memory for what the child has to say. */
#include "lib/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SLICE_MS = 100, REAP_MS = 200, NO_EXEC = 127 };

struct shared {
        bool returned;
        int result;
        char arg[] __attribute__((aligned(16)));
};

/* Wait for its end, without reaping. 0, -ETIMEDOUT, or what poll(2) said. */
static int await(int pidfd, msec_t ms, const struct child_tick *tick)
{
        msec_t end = clock_ms() + ms;

        for (;;) {
                struct pollfd p = { .fd = pidfd, .events = POLLIN };
                msec_t left = end - clock_ms();
                int r = poll(&p, 1, (int)MAX(0, MIN(left, SLICE_MS)));
                if (r > 0)
                        return 0;
                if (r < 0 && errno != EINTR)
                        return -errno;
                if (tick && tick->fn)
                        tick->fn(tick->arg);
                if (left <= 0)
                        return -ETIMEDOUT;
        }
}

/* 0 and its wait status; -ETIMEDOUT: killed, and perhaps left behind. */
static int finish(pid_t pid, msec_t deadline, const struct child_tick *tick, int *ret_status)
{
        CLEANUP(closep) int pidfd = pidfd_open(pid, 0);
        int r = pidfd < 0 ? -errno : await(pidfd, deadline, tick);

        if (r == 0) {
                waitpid(pid, ret_status, 0);
                return 0;
        }
        kill(pid, SIGKILL);
        if (pidfd >= 0 && await(pidfd, REAP_MS, NULL) == 0)
                waitpid(pid, NULL, 0);
        return r;
}

/* In the child: end with the parent, and be killable as any other process. */
static void settle(pid_t parent)
{
        sigset_t none;

        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        signal(SIGTERM, SIG_DFL);
        signal(SIGINT, SIG_DFL);
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
                _exit(NO_EXEC);
}

int child_call(int (*fn)(void *arg), void *arg, size_t size, msec_t deadline,
               const struct child_tick *tick)
{
        struct shared *s = mmap(NULL, sizeof *s + size, PROT_READ | PROT_WRITE,
                                MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        pid_t parent = getpid();
        int status = 0;

        if (s == MAP_FAILED)
                return -errno;
        memcpy(s->arg, arg, size);
        fflush(NULL); /* nothing is to be written twice */
        pid_t pid = fork();
        if (pid == 0) {
                settle(parent);
                s->result = fn(s->arg);
                s->returned = true;
                _exit(0);
        }
        int r = pid < 0 ? -errno : finish(pid, deadline, tick, &status);
        if (r == 0) {
                r = s->returned ? s->result : -EIO;
                if (s->returned)
                        memcpy(arg, s->arg, size);
        }
        munmap(s, sizeof *s + size);
        return r;
}

/* ---- programs ---- */

static void become(const char *const *argv, pid_t parent, int in, int out)
{
        static char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin", locale[] = "LC_ALL=C";
        char *env[] = { path, locale, NULL };

        settle(parent);
        if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
                _exit(NO_EXEC);
        execve(argv[0], (char *const *)(uintptr_t)argv, env);
        _exit(NO_EXEC);
}

static int fill(int fd, const char *text)
{
        size_t len = strlen(text);

        if (write(fd, text, len) != (ssize_t)len || lseek(fd, 0, SEEK_SET) != 0)
                return -EIO;
        return 0;
}

static void collect(int fd, struct buf *out)
{
        char chunk[4096];
        ssize_t n;

        for (off_t at = 0; (n = pread(fd, chunk, sizeof chunk, at)) > 0; at += n)
                if (buf_add(out, chunk, (size_t)n) < 0)
                        return;
}

int child_program(const char *const *argv, const char *input, msec_t deadline,
                  const struct child_tick *tick, struct buf *out, int *ret_code)
{
        /* Memory files: unlike pipes they never fill up, so nobody has to read along. */
        CLEANUP(closep) int in_fd = memfd_create("in", MFD_CLOEXEC);
        CLEANUP(closep) int out_fd = memfd_create("out", MFD_CLOEXEC);
        pid_t parent = getpid();
        int status = 0;

        if (in_fd < 0 || out_fd < 0)
                return -errno;
        if (access(argv[0], X_OK) < 0)
                return -errno;
        int r = fill(in_fd, input ? input : "");
        if (r < 0)
                return r;
        pid_t pid = fork();
        if (pid < 0)
                return -errno;
        if (pid == 0)
                become(argv, parent, in_fd, out_fd);
        r = finish(pid, deadline, tick, &status);
        if (out)
                collect(out_fd, out);
        if (r < 0)
                return r;
        if (!WIFEXITED(status))
                return -EIO;
        *ret_code = WEXITSTATUS(status);
        return 0;
}
