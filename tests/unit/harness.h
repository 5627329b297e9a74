/* What several tests share: a directory of their own that goes away also after a failure, waiting
 * for a condition with a deadline, starting programs and reading what they print. Children die with
 * the test; each is ended by its own pid. */
#pragma once

#include "lib/buf.h"
#include "lib/util.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { PATIENCE_MS = 10000, MAX_ARGS = 24 };

/* What a failed wait may tell besides its condition; tests point it at what they heard last. */
static const char *last_heard __attribute__((unused)) = "";

/* Wait until the condition holds; the test fails if it never does. */
#define EVENTUALLY(condition)                                                                \
        do {                                                                                 \
                for (msec_t end_ = clock_ms() + PATIENCE_MS; !(condition); nap())            \
                        if (clock_ms() > end_)                                               \
                                fail_msg("never came true: %s; %s", #condition, last_heard); \
        } while (0)

static inline void nap(void)
{
        poll(NULL, 0, 3);
}

/* ---- files ---- */

struct tmp {
        char path[48];
};

static inline int tmp_remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
        (void)st;
        (void)type;
        (void)ftw;
        return remove(path);
}

static inline void tmp_remove(struct tmp *t)
{
        if (*t->path)
                nftw(t->path, tmp_remove_one, 16, FTW_DEPTH | FTW_PHYS);
        *t->path = '\0';
}

static inline int tmp_make(struct tmp *t)
{
        *t = (struct tmp){ "/tmp/mha-test.XXXXXX" };
        if (!mkdtemp(t->path))
                *t->path = '\0';
        return *t->path ? 0 : -1;
}

/* dir/name; good until the eighth call after this one. */
static inline const char *at(const struct tmp *t, const char *name)
{
        static char paths[8][160];
        static unsigned turn;
        char *p = paths[turn++ % ARRAY_SIZE(paths)];

        snprintf(p, sizeof paths[0], "%s/%s", t->path, name);
        return p;
}

static inline void PRINTF(2, 3) put_file(const char *path, const char *fmt, ...)
{
        CLEANUP(closep) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
        va_list ap;

        assert_true(fd >= 0);
        va_start(ap, fmt);
        vdprintf(fd, fmt, ap);
        va_end(ap);
}

static inline bool file_holds(const char *path, const char *text)
{
        CLEANUP(freep) char *have = NULL;

        return read_file(path, 1024 * 1024, &have, NULL) == 0 && strcmp(have, text) == 0;
}

static inline bool file_has(const char *path, const char *part)
{
        CLEANUP(freep) char *have = NULL;

        return read_file(path, 1024 * 1024, &have, NULL) == 0 && strstr(have, part);
}

/* ---- sockets ---- */

static inline int unix_connect(const char *path)
{
        struct sockaddr_un sa = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

        str_copy(sa.sun_path, sizeof sa.sun_path, path);
        if (fd >= 0 && connect(fd, (struct sockaddr *)&sa, sizeof sa) == 0)
                return fd;
        closep(&fd);
        return -1;
}

static inline int unix_listen(const char *path, int backlog)
{
        struct sockaddr_un sa = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        str_copy(sa.sun_path, sizeof sa.sun_path, path);
        if (fd >= 0 && bind(fd, (struct sockaddr *)&sa, sizeof sa) == 0 && listen(fd, backlog) == 0)
                return fd;
        closep(&fd);
        return -1;
}

/* ---- programs ---- */

/* A program of this build: $MHA_BIN/name; good until the next call. */
static inline const char *program(const char *name)
{
        static char path[512];
        const char *bin = getenv("MHA_BIN");

        assert_non_null(bin);
        snprintf(path, sizeof path, "%s/%s", bin, name);
        return path;
}

/* Start argv[0] with stdout and stderr going to the given files (NULL = /dev/null), as `uid` if it
 * is not 0. */
static inline pid_t start(const char *const *argv, const char *out, const char *err, uid_t uid)
{
        pid_t parent = getpid(), pid = fork();

        assert_true(pid >= 0);
        if (pid > 0)
                return pid;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        const char *counters = getenv("MHA_GCOV_OTHER"); /* tests/coverage */
        if (uid && counters)
                setenv("GCOV_PREFIX", counters, 1);
        int in = open("/dev/null", O_RDONLY);
        int o = open(out ? out : "/dev/null", O_WRONLY | O_CREAT | O_APPEND, 0666);
        int e = open(err ? err : "/dev/null", O_WRONLY | O_CREAT | O_APPEND, 0666);
        if (dup2(in, 0) < 0 || dup2(o, 1) < 0 || dup2(e, 2) < 0 || getppid() != parent ||
            (uid && (setgid(uid) < 0 || setuid(uid) < 0)))
                _exit(126);
        execv(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
}

/* The exit code once it has ended, -1 while it runs, 1000 + signal if it was killed. */
static inline int ended(pid_t *pid)
{
        int status;

        if (*pid <= 0)
                return -1;
        pid_t r = waitpid(*pid, &status, WNOHANG);
        if (r != *pid)
                return -1;
        *pid = 0;
        return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static inline void end_child(pid_t *pid)
{
        if (*pid > 0) {
                kill(*pid, SIGKILL);
                waitpid(*pid, NULL, 0);
        }
        *pid = 0;
}

static inline int wait_end(pid_t *pid)
{
        int code = -1;

        for (msec_t end = clock_ms() + PATIENCE_MS; code < 0; nap()) {
                code = ended(pid);
                if (code < 0 && clock_ms() > end) {
                        end_child(pid);
                        fail_msg("a program did not end");
                }
        }
        return code;
}

struct ran {
        int code;
        char out[64 * 1024], err[8 * 1024];
};

static inline void slurp(const char *path, char *dst, size_t size)
{
        CLEANUP(freep) char *text = NULL;

        assert_int_equal(read_file(path, size - 1, &text, NULL), 0);
        str_copy(dst, size, text);
}

/* Run to the end and keep what it printed. The words end with NULL. */
static inline void run_as(const struct tmp *t, uid_t uid, struct ran *ret, const char *const *argv)
{
        const char *out = at(t, "stdout"), *err = at(t, "stderr");

        unlink(out);
        unlink(err);
        pid_t pid = start(argv, out, err, uid);
        ret->code = wait_end(&pid);
        slurp(out, ret->out, sizeof ret->out);
        slurp(err, ret->err, sizeof ret->err);
}

/* "hamon" where another user may reach it too: the checkout may lie in /root. */
static inline const char *program_for_all(const struct tmp *t)
{
        struct ran ran;
        const char *bin = at(t, "bin");
        char engine[512];

        str_copy(engine, sizeof engine, program("hamond"));
        assert_true(chmod(t->path, 0755) == 0 && mkdir(bin, 0755) == 0);
        run_as(t, 0, &ran,
               (const char *const[]){ "/bin/cp", "--", program("hamon"), engine, bin, NULL });
        assert_int_equal(ran.code, 0);
        return at(t, "bin/hamon");
}

#define RUN(tmp, ret, ...) run_as(tmp, 0, ret, (const char *const[]){ __VA_ARGS__, NULL })
