/* A process that is the first of its own pid namespace, as a container's is, with one file of a
 * kind. Skips where namespaces are not to be had. */
#pragma once

#include "harness.h"

#include <sched.h>
#include <sys/mman.h>

enum linger_kind {
        LINGER_NONE,
        LINGER_READS,
        LINGER_WRITES,
        LINGER_DELETED,  /* it writes to a file that has no name any more */
        LINGER_MAPS,     /* and has closed it */
        LINGER_CHILD,    /* a child of its writes */
        LINGER_NO_SPACE, /* in our own namespace */
};

struct linger_process {
        pid_t outer, first;
};

static inline void linger_deed(enum linger_kind kind, const char *file)
{
        bool reads = kind == LINGER_READS;
        int fd = kind == LINGER_NONE || kind == LINGER_NO_SPACE
                         ? -1
                         : open(file, (reads ? O_RDONLY : O_RDWR) | O_CREAT, 0600);

        if (kind == LINGER_CHILD && fork() > 0)
                close(fd);
        if (kind == LINGER_DELETED)
                unlink(file);
        if (kind == LINGER_MAPS) {
                if (ftruncate(fd, 4096) < 0 ||
                    mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED)
                        _exit(1);
                close(fd);
        }
}

enum { LINGER_READY = 3 };

/* It has nothing of the test's, whose output may go to a file. */
static inline void linger_bare(int ready)
{
        int null = open("/dev/null", O_RDWR);

        for (int fd = 0; fd < LINGER_READY; fd++)
                dup2(null, fd);
        dup2(ready, LINGER_READY);
        close_range(LINGER_READY + 1, ~0U, 0);
}

static inline struct linger_process linger_start(enum linger_kind kind, const char *file)
{
        struct linger_process p = { .first = -1 };
        int pipes[2];

        assert_int_equal(pipe(pipes), 0);
        p.outer = fork();
        assert_true(p.outer >= 0);
        if (p.outer > 0) { /* it tells the first one's number when all is as wanted */
                close(pipes[1]);
                if (read(pipes[0], &p.first, sizeof p.first) != sizeof p.first)
                        p.first = -1;
                close(pipes[0]);
                return p;
        }
        close(pipes[0]);
        setpgid(0, 0);
        if (kind != LINGER_NO_SPACE && unshare(CLONE_NEWPID) < 0)
                _exit(1);
        int ready[2];
        if (pipe(ready) < 0)
                _exit(1);
        pid_t first = fork();
        if (first == 0) {
                linger_bare(ready[1]);
                linger_deed(kind, file);
                if (write(LINGER_READY, "", 1) != 1)
                        _exit(1);
                for (;;)
                        pause();
        }
        char word;
        if (read(ready[0], &word, 1) != 1 ||
            (kind == LINGER_CHILD && read(ready[0], &word, 1) != 1) ||
            write(pipes[1], &first, sizeof first) != sizeof first)
                _exit(1);
        close(pipes[1]);
        for (;;)
                pause();
}

static inline void linger_stop(struct linger_process *p)
{
        if (p->first > 0)
                kill(p->first, SIGKILL); /* and with it all of its namespace */
        if (p->outer > 0) {
                kill(-p->outer, SIGKILL);
                waitpid(p->outer, NULL, 0);
        }
        *p = (struct linger_process){ .first = -1 };
}
