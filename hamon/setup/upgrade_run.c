/* fork(2), a pidfd, and a file that both ends know. */
#include "hamon/setup/upgrade_run.h"

#include "hamon/hook_paths.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SLICE_MS = 200, KILLED_MS = 5000, NO_EXEC = 127 };

#define LOCK_FILE "/var/lib/mailcow-ha/upgrade.lock"

int upgrade_lock(msec_t patience, int *ret_fd)
{
        CLEANUP(closep) int fd = -1;
        msec_t end = clock_ms() + patience;
        bool told = false;
        int r = make_parents(LOCK_FILE);

        if (r < 0)
                return r;
        fd = open(LOCK_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
                return -errno;
        while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
                if (errno != EWOULDBLOCK && errno != EINTR)
                        return -errno;
                if (clock_ms() >= end)
                        return -ETIMEDOUT;
                if (!told)
                        fprintf(stderr, "upgrade: another one, or what it started, is still at "
                                        "work; waiting (its output: " UPGRADE_LOG ")\n");
                told = true;
                poll(NULL, 0, SLICE_MS);
        }
        *ret_fd = take_fd(&fd);
        return 0;
}

/* ---- the program ---- */

static void become(const char *const *argv, const char *dir, int lock_fd, int log_fd)
{
        static char path[] = "PATH=" HOOK_PATH ":/opt/bin", locale[] = "LC_ALL=C",
                    home[] = "HOME=/root", term[] = "TERM=dumb";
        char *env[] = { path, locale, home, term, NULL };
        int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
        sigset_t none;

        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        signal(SIGPIPE, SIG_DFL);
        setsid();
        if (fcntl(lock_fd, F_SETFD, 0) < 0 || null < 0 || dup2(null, 0) < 0 ||
            dup2(log_fd, 1) < 0 || dup2(log_fd, 2) < 0 || chdir(dir) < 0)
                _exit(NO_EXEC);
        execvpe(argv[0], (char *const *)(uintptr_t)argv, env);
        dprintf(2, "%s: %s\n", argv[0], strerror(errno));
        _exit(NO_EXEC);
}

/* What is new in the log goes to standard output; its last line is kept. */
struct tail {
        int fd;
        off_t at;
        char line[256];
        size_t len;
        char *last;
        size_t last_size;
};

static void keep_line(struct tail *t)
{
        t->line[t->len] = '\0';
        if (t->len > 0)
                str_copy(t->last, t->last_size, t->line);
        t->len = 0;
}

static void follow(struct tail *t)
{
        char chunk[4096];
        ssize_t n;

        while ((n = pread(t->fd, chunk, sizeof chunk, t->at)) > 0) {
                t->at += n;
                fwrite(chunk, 1, (size_t)n, stdout);
                for (ssize_t i = 0; i < n; i++) {
                        if (chunk[i] == '\n')
                                keep_line(t);
                        else if (t->len < sizeof t->line - 1 && (unsigned char)chunk[i] >= ' ')
                                t->line[t->len++] = chunk[i];
                }
        }
        fflush(stdout);
}

static int await(pid_t pid, struct tail *t, msec_t deadline)
{
        CLEANUP(closep) int pidfd = pidfd_open(pid, 0);
        msec_t end = clock_ms() + deadline;

        if (pidfd < 0)
                return -errno;
        for (;;) {
                struct pollfd p = { .fd = pidfd, .events = POLLIN };
                int r = poll(&p, 1, SLICE_MS);
                follow(t);
                if (r > 0)
                        return 0;
                if (r < 0 && errno != EINTR)
                        return -errno;
                if (clock_ms() >= end)
                        return -ETIMEDOUT;
        }
}

/* What does not die of SIGKILL hangs in the kernel: it is left behind, and holds the lock. */
static void end_it(pid_t pid)
{
        kill(-pid, SIGKILL); /* its session has one process group, unless it made more */
        kill(pid, SIGKILL);
        for (msec_t end = clock_ms() + KILLED_MS; clock_ms() < end; poll(NULL, 0, SLICE_MS))
                if (waitpid(pid, NULL, WNOHANG) != 0)
                        return;
}

int upgrade_run(const char *const *argv, const char *dir, int lock_fd, msec_t deadline,
                int *ret_code, char *last, size_t last_size)
{
        CLEANUP(closep)
        int log_fd = open(UPGRADE_LOG, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
        int status = 0;

        *last = '\0';
        if (log_fd < 0)
                return -errno;
        struct tail t = {
                .fd = log_fd, .at = lseek(log_fd, 0, SEEK_END), .last = last, .last_size = last_size
        };
        fflush(NULL);
        pid_t pid = fork();
        if (pid < 0)
                return -errno;
        if (pid == 0)
                become(argv, dir, lock_fd, log_fd);
        int r = await(pid, &t, deadline);
        if (r < 0)
                end_it(pid);
        else if (waitpid(pid, &status, 0) < 0)
                r = -errno;
        follow(&t);
        keep_line(&t);
        if (r < 0)
                return r;
        if (!WIFEXITED(status))
                return -EIO;
        *ret_code = WEXITSTATUS(status);
        return 0;
}
