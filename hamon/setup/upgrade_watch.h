/* This node's daemon, asked again and again until something is so. */
#pragma once

#include "hamon/setup/upgrade_plan.h"

struct upgrade_watch {
        const char *socket;
        msec_t timeout;           /* for one answer */
        struct upgrade_view view; /* as last heard */
};

/* -EBADMSG: nonsense, or of no cluster; -ENOENT, -ETIMEDOUT … as client_ask(). */
int upgrade_watch_look(struct upgrade_watch *w);

/* Until `is` says so. What the daemon says of this node is printed whenever it changes. A daemon
 * that does not answer is asked again. -ETIMEDOUT. */
int upgrade_watch_until(struct upgrade_watch *w,
                        bool (*is)(const struct upgrade_view *v, void *arg), void *arg,
                        msec_t deadline);
