/* For tests of steps: the real `hamon`, a configuration, and a double of the daemon's end of the
 * lease (hamon/step.h says the lines). The double is a process of its own with its knobs in shared
 * memory, so that it answers while the test waits for a program. */
#pragma once

#include "harness.h"

#include <inttypes.h>
#include <sys/mman.h>

enum lease_mood {
        LEASE_OURS,    /* each question makes it renew, at once */
        LEASE_NO,      /* "no" */
        LEASE_STUCK,   /* ours, but nothing commits any more */
        LEASE_ENDING,  /* ours and fresh, for 10 ms more */
        LEASE_SILENT,  /* takes the question and does not answer */
        LEASE_GARBAGE, /* answers, but what? */
};

struct lease_double {
        volatile enum lease_mood mood;
        volatile unsigned no_after;    /* this many more answers, then LEASE_NO; 0 = never */
        volatile uint64_t epoch, told; /* told: by `epoch N` */
        volatile unsigned asked, renewed;
        volatile uint64_t asked_for; /* the epoch in the last question */
        volatile msec_t lag;         /* a renewal starts so long before its commit is known */
        volatile int valid;          /* ms, 0 = 9 s */
        char holder[64];
        char incarnation[20]; /* "" = does not say */

        /* operators' orders */
        char look[2]
                 [512];   /* the answer to "takeover look", before and after something was fenced */
        char heard[512];  /* every other order, with ';' between them */
        char outcome[64]; /* what follows "ok " in the answer to "operation 1" */

        char status[2048]; /* the answer to "status-json", "" = the daemon does not answer that */
};

static struct step_fixture {
        struct tmp dir;
        struct lease_double *lease;
        pid_t pid;
        char hamon[512], conf[160];
        struct ran ran;
} sx;

/* ---- the double ---- */

/* False: it is no order. */
static inline bool lease_order(struct lease_double *d, const char *line, char *dst, size_t size)
{
        static const char *const ORDERS[] = { "takeover ", "take", "release" };
        size_t len = strlen(d->heard);

        if (strncmp(line, "takeover look", 13) == 0) {
                snprintf(dst, size, "%s", d->look[strstr(d->heard, "fenced") && *d->look[1]]);
                return true;
        }
        if (strncmp(line, "operation 1\n", 12) == 0) {
                snprintf(dst, size, "ok %s\n", d->outcome);
                return true;
        }
        for (size_t i = 0; i < ARRAY_SIZE(ORDERS); i++)
                if (strncmp(line, ORDERS[i], strlen(ORDERS[i])) == 0) {
                        snprintf(d->heard + len, sizeof d->heard - len, "%.*s;",
                                 (int)strcspn(line, "\n"), line);
                        snprintf(dst, size, strstr(line, "fenced") ? "ok\n" : "ok 1\n");
                        return true;
                }
        return false;
}

static inline void lease_answer(struct lease_double *d, const char *line, char *dst, size_t size,
                                msec_t *started)
{
        msec_t now = clock_ms();

        dst[0] = '\0';
        if (strncmp(line, "epoch ", 6) == 0) {
                d->told = strtoull(line + 6, NULL, 10);
                snprintf(dst, size, "ok\n");
                return;
        }
        if (strcmp(line, "status-json\n") == 0) {
                snprintf(dst, size, "%s%s", d->status, *d->status ? "\n" : "");
                return;
        }
        if (lease_order(d, line, dst, size))
                return;
        if (strncmp(line, "lease ", 6) != 0) {
                snprintf(dst, size, "error: what?\n");
                return;
        }
        d->asked_for = strtoull(line + 6, NULL, 10);
        d->asked++;
        if (d->no_after && --d->no_after == 0)
                d->mood = LEASE_NO;
        switch (d->mood) {
        case LEASE_SILENT:
                return;
        case LEASE_GARBAGE:
                snprintf(dst, size, "ok epoch=many\n");
                return;
        case LEASE_NO:
                snprintf(dst, size, "no reason=\"n9 has it\"\n");
                return;
        default:
                break;
        }
        snprintf(dst, size,
                 "ok epoch=%" PRIu64 " valid_ms=%d renewed_ms=%" PRId64 " holder=%s%s%s\n",
                 d->epoch,
                 d->mood == LEASE_ENDING ? 10
                 : d->valid              ? d->valid
                                         : 9000,
                 now - *started, d->holder, *d->incarnation ? " incarnation=" : "", d->incarnation);
        if (d->mood != LEASE_STUCK) {
                *started = now - d->lag;
                d->renewed++;
        }
}

static inline void lease_serve(struct lease_double *d, int listener)
{
        msec_t started = clock_ms() - 500;

        signal(SIGPIPE, SIG_IGN); /* who asked may be dead */
        for (;;) {
                char line[256], answer[4096];
                size_t len = 0;
                int fd = accept(listener, NULL, NULL);
                if (fd < 0)
                        continue;
                while (len < sizeof line - 1) {
                        ssize_t n = read(fd, line + len, sizeof line - 1 - len);
                        if (n <= 0)
                                break;
                        len += (size_t)n;
                        if (line[len - 1] == '\n')
                                break;
                }
                line[len] = '\0';
                lease_answer(d, line, answer, sizeof answer, &started);
                if (!*answer)
                        poll(&(struct pollfd){ .fd = fd, .events = 0 }, 1, PATIENCE_MS);
                else if (write(fd, answer, strlen(answer)) < 0)
                        started = 0;
                close(fd);
        }
}

static inline void lease_reset(void)
{
        *sx.lease = (struct lease_double){ .epoch = 12,
                                           .holder = "n1",
                                           .incarnation = "00000000deadbeef" };
}

/* ---- life ---- */

static inline void step_down(void)
{
        end_child(&sx.pid);
        tmp_remove(&sx.dir);
}

static inline int step_up(void)
{
        pid_t parent = getpid();

        if (tmp_make(&sx.dir) < 0)
                return -1;
        str_copy(sx.hamon, sizeof sx.hamon, program("hamon"));
        str_copy(sx.conf, sizeof sx.conf, at(&sx.dir, "conf"));
        sx.lease = mmap(NULL, sizeof *sx.lease, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                        -1, 0);
        int listener = unix_listen(at(&sx.dir, "sock"), 64);
        if (sx.lease == MAP_FAILED || listener < 0)
                return -1;
        lease_reset();
        sx.pid = fork();
        if (sx.pid == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                if (getppid() == parent)
                        lease_serve(sx.lease, listener);
                _exit(1);
        }
        close(listener);
        return sx.pid < 0 ? -1 : 0;
}

static inline void PRINTF(1, 2) step_configure(const char *fmt, ...)
{
        char more[4096];
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(more, sizeof more, fmt, ap);
        va_end(ap);
        put_file(sx.conf, "[node]\nname = n1\n[mailcow]\ndir = %s\n[control]\nsocket = %s/sock\n%s",
                 sx.dir.path, sx.dir.path, more);
        chmod(sx.conf, 0644);
}

/* ---- running ---- */

static inline void step_words(const char *const *words, const char **argv)
{
        size_t n = 0;

        argv[n++] = sx.hamon;
        argv[n++] = "-c";
        argv[n++] = sx.conf;
        for (; *words && n < MAX_ARGS - 1; words++)
                argv[n++] = *words;
        argv[n] = NULL;
}

static inline void step_run(const char *const *words)
{
        const char *argv[MAX_ARGS];

        step_words(words, argv);
        run_as(&sx.dir, 0, &sx.ran, argv);
        last_heard = sx.ran.err;
        assert_null(strstr(sx.ran.out, "-token")); /* the secret of the provider's double */
        assert_null(strstr(sx.ran.err, "-token"));
}

/* In the background: end it with wait_end() or end_child(). */
static inline pid_t step_start(const char *const *words, const char *err)
{
        const char *argv[MAX_ARGS];

        step_words(words, argv);
        return start(argv, NULL, err, 0);
}

static inline void step_expect(int code, const char *says)
{
        if (sx.ran.code != code || !(strstr(sx.ran.out, says) || strstr(sx.ran.err, says)))
                fail_msg("exit %d, not %d with \"%s\"\nstdout: %s\nstderr: %s", sx.ran.code, code,
                         says, sx.ran.out, sx.ran.err);
}

/* STEP(75, "still in use", "volume", "umount") */
#define STEP(code, says, ...)                                         \
        do {                                                          \
                step_run((const char *const[]){ __VA_ARGS__, NULL }); \
                step_expect(code, says);                              \
        } while (0)
