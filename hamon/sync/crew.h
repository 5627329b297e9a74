/* The children of `hamond sync`: each does one thing, within its time, and is killed after it. */
#pragma once

#include "lib/log.h"
#include "lib/loop.h"

enum crew_kind { CREW_SERVE, CREW_PULL }; /* of PULL there is one at most */
enum { CREW_MAX = 16 };

struct crew {
        struct loop *loop;
        unsigned servers;     /* of SERVE at most */
        enum log_level level; /* of the children */
        struct crew_hand {
                pid_t pid; /* 0 = free */
                enum crew_kind kind;
                struct timer end;
        } hands[CREW_MAX];
};

int crew_init(struct crew *c, struct loop *l, unsigned servers, enum log_level level);
void crew_done(struct crew *c); /* kills them */

/* Run fn(arg, fd) in a child, which has no other descriptor but the standard ones. The parent's fd
 * is left to the caller. -EBUSY: enough of that kind are at work. */
int crew_start(struct crew *c, enum crew_kind kind, int (*fn)(void *arg, int fd), void *arg, int fd,
               msec_t deadline);
void crew_reap(struct crew *c); /* after SIGCHLD */
