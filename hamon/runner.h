/* A program run beside the loop: one at a time, with a deadline, its first words kept. For what the
 * daemon must not wait for. It dies with the daemon. */
#pragma once

#include "lib/loop.h"

struct runner;

enum { RUNNER_TEXT = 2048 };

struct runner_end {
        int code;         /* exit code; -1: killed, or by a signal */
        const char *text; /* what it said on stdout, as much as was kept; never NULL */
        msec_t began;     /* clock of the loop */
};

typedef void (*runner_fn)(void *arg, const struct runner_end *e);

int runner_new(struct loop *l, runner_fn fn, void *arg, struct runner **ret);
void runner_free(struct runner *r); /* what runs is killed; fn is not called */

/* `argv` ends with NULL, the first an absolute path. What it says on stderr goes where ours goes.
 * -EBUSY: one runs, maybe one that was killed and hangs in the kernel. */
int runner_start(struct runner *r, const char *const *argv, msec_t deadline);
bool runner_busy(const struct runner *r);

/* Is this program hamond, so that "/proc/self/exe" is one of its commands? A unit test is not. */
bool runner_is_engine(void);
