/* The kernel's word on containers: a pidfd on the first process of each, readable the moment it is
 * dead. The engine needs tens of milliseconds to say so, and says nothing while it hangs or is
 * gone. Inside the Docker adapter and its tests only.
 *
 * Whoever cannot be watched is not an error: the engine's events tell, only later. */
#pragma once

#include "lib/loop.h"

enum { DOCKER_PIDS = 256 };

/* Called once, from the loop. The watch is spent, and its owner drops it. */
typedef void (*docker_pid_fn)(void *arg, const char *id);

struct docker_pid {
        struct docker_pids *set;
        struct event *readable; /* NULL: a free place */
        int fd;
        char id[65];
};

struct docker_pids {
        struct loop *loop;
        const char *proc; /* borrowed */
        docker_pid_fn ended;
        void *arg;
        bool off; /* this kernel has no pidfd, or we may not use it */
        struct docker_pid v[DOCKER_PIDS];
};

void docker_pids_init(struct docker_pids *set, struct loop *l, const char *proc,
                      docker_pid_fn ended, void *arg);
void docker_pids_done(struct docker_pids *set); /* drops all; a zeroed set is fine */

/* Watch process `pid` if it lives and belongs to container `id` beyond doubt. Returns a handle, or
 * 0: not watched. */
unsigned docker_pid_watch(struct docker_pids *set, const char *id, pid_t pid);
void docker_pid_drop(struct docker_pids *set, unsigned watch); /* 0 is fine */
