/* A fence under way in a child of its own, so that the guard itself never waits. */
#pragma once

#include "hamon/fence.h"

struct guard_deed {
        pid_t pid;   /* 0 = none */
        pid_t group; /* of the last one, until all of it has gone; 0 = it has */
        int fd;      /* its result comes here */
        msec_t end;
};

/* Something of the last one still hangs in the kernel: another one would only hang beside it. */
bool guard_deed_hangs(struct guard_deed *d);
/* `keep_out`: descriptors that the child must not keep open, ended by -1. */
int guard_deed_start(struct guard_deed *d, const struct fence_target *t, const int *keep_out,
                     msec_t now);
/* True once it is over: the result is there, or it died, or its time is up and it was killed. */
bool guard_deed_over(struct guard_deed *d, msec_t now, struct fence_result *ret);
