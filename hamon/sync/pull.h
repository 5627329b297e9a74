/* The asking end: takes from who leads what differs here. For a process of its own. */
#pragma once

#include "hamon/config.h"
#include "hamon/sync_state.h"

struct pull_wish {
        bool dry_run;     /* tell, change nothing */
        const char *from; /* a node; NULL: who leads */
        msec_t deadline;
};

struct pull_report {
        struct sync_state state; /* how it stands now */
        struct buf changes; /* a line each: '+' new, '~' changed, '-' gone, a blank, the path */
        struct buf keys;    /* of mailcow.conf that changed, separated by blanks */
        size_t changed;
};

/* state.reason says how it went; -errno and a sentence in `error` if nothing could be told, the
 * state is then that of a failure. One at a time on a node: -EBUSY. */
int pull(const struct config *c, const struct pull_wish *w, struct pull_report *ret,
         struct buf *error);
void pull_report_init(struct pull_report *r);
void pull_report_done(struct pull_report *r);
