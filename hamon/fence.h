/* The deed: nothing on this node writes on the volume any more, and that is proven. Containers are
 * killed by their cgroups (dockerd may be dead while they run on), every mount of the volume is
 * taken away, and the device is opened with O_EXCL, since a clean umount proves nothing while
 * somebody holds a copy of the mount. Whatever may hang does so in a child. Doing it twice does no
 * harm. */
#pragma once

#include "hamon/core/target.h"
#include "lib/util.h"

struct fence_rule {
        const char *cgroup;         /* "/sys/fs/cgroup" */
        msec_t kill, umount, probe; /* how long each part tries */
        msec_t hang;                /* who is overdue by that much hangs */
};

extern const struct fence_rule FENCE_RULE;
enum { FENCE_BUDGET = 5000 }; /* ms: all of FENCE_RULE together */

struct fence_result {
        bool free;             /* proven */
        bool unmounted;        /* nothing of it is mounted in our mount namespace */
        bool gone;             /* the device is not there at all */
        unsigned killed, left; /* containers: that ran, and that still ran at the end */
        msec_t kill_ms, umount_ms, probe_ms, total_ms;
        int error; /* 0, or what was in the way */
        char text[160];
};

/* Blocks for kill + umount + probe + 3 * hang at most (and a fifth of a second for each child that
 * does not die). Needs root. */
void fence_run(const struct fence_target *t, const struct fence_rule *rule,
               struct fence_result *ret);

/* 64 lower-case hex digits. Nothing else is looked for: "" would be found everywhere. */
bool fence_id_ok(const char *id);

/* Which of these containers has processes in cgroups below `root`, one bit each. Kills nothing. */
int fence_find(const char *root, const struct fence_target *t, uint64_t *ret_found);

/* ---- parts of it, which may hang ---- */

/* SIGKILL for everything in the cgroups of these containers, in every hierarchy below `root`, until
 * they are empty or `ms` are over. 0, -EBUSY: `left` are still there, or what reading said. */
int fence_kill(const char *root, const struct fence_target *t, msec_t ms, unsigned *ret_killed,
               unsigned *ret_left);
