/* The operator's end of an order over the control socket: one request to this node's daemon, which
 * decides and does; what takes time is watched here until it is done. Needs libc only. */
#pragma once

#include "lib/util.h"

enum { ORDER_ANSWER = 4096 };

struct order_talk {
        const char *verb; /* begins what is said on standard error */
        const char *socket;
        msec_t timeout; /* for one answer */
        char answer[ORDER_ANSWER];
};

/* EX_OK: t->answer is what follows "ok ", all lines of it. Else why not was said: EX_UNAVAILABLE,
 * EX_NOPERM, 1. */
int order_ask(struct order_talk *t, const char *request);

/* Ask for what the daemon answers with the number of an operation, and follow that to its end: each
 * new sentence of it is printed. The deadline is the daemon's. */
int order_run(struct order_talk *t, const char *request);
