/* The operator's fence command as a child: a process group of its own, killed when its time is up,
 * reaped whenever it ends. */
#pragma once

#include "lib/loop.h"

struct local_fence;

/* `status` as of waitpid(2). Once, unless ended before. */
typedef void (*local_fence_fn)(void *arg, int status);

int local_fence_start(struct loop *l, const char *command, const char *server, local_fence_fn done,
                      void *arg, struct local_fence **ret);
/* Kill all of it; `done` does not run any more, and it frees itself once reaped (at the latest with
 * the process). NULL is fine. */
void local_fence_end(struct local_fence *f);
