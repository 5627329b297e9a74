/* What a hook may leave behind when its keeper or the daemon is killed: a record on tmpfs of the
 * keeper (process, start time, cgroup) lets the next one find it. */
#pragma once

#include "lib/util.h"

struct hook_mark {
        pid_t keeper;     /* leads a session of its own */
        uint64_t started; /* in clock ticks since boot, as /proc has it; 0 = not known */
        char cgroup[512];
};

int hook_mark_of(pid_t keeper, struct hook_mark *ret);
int hook_mark_write(const char *path, const struct hook_mark *m);
/* -ENOENT: there is none. -EBADMSG: not of ours, or damaged. */
int hook_mark_read(const char *path, struct hook_mark *ret);

/* Kill what is left of the keeper's session, but not the keeper itself unless `force`: it kills by
 * itself what it keeps. Returns how many of that session still exist. */
unsigned hook_left_kill(const struct hook_mark *m, bool force);
