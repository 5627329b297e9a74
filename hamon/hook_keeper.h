/* The process between the daemon and a hook. It starts the hook, has the deadline, and ends when
 * every process that came of the hook is dead and reaped: whatever those did to get away (a group
 * or a session of their own, a double fork), they become its children, because it is a subreaper.
 * It needs nothing of the daemon but two pipes; when the daemon is gone, it kills what it keeps. */
#pragma once

#include "lib/util.h"

enum { HOOK_GRACE_MS = 2000 }; /* from SIGTERM to SIGKILL */

/* Orders: one byte each; the end of that pipe is HOOK_ORDER_KILL. It waits for GO before all else.
 */
enum { HOOK_ORDER_GO = 'g', HOOK_ORDER_TERM = 't', HOOK_ORDER_KILL = 'k' };

struct hook_report { /* written once, right before the keeper ends */
        int status;  /* of the hook, as of waitpid() */
        bool overdue, killed;
};

struct hook_keeper {
        const char *path;
        const char *const *env; /* ends with NULL */
        msec_t deadline;
        int orders, report, out, err; /* pipes: read, write, write, write */
};

/* To be called in the child of a fork(). */
_Noreturn void hook_keeper_run(const struct hook_keeper *k);
