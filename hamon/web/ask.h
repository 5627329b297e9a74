/* One question on the daemon's control socket, on our loop: a line out, the whole answer in. */
#pragma once

#include "lib/buf.h"
#include "lib/loop.h"

struct ask;

/* error: 0, or -ENOENT, -ECONNREFUSED, -EAGAIN (its queue is full), -ETIMEDOUT, -EPROTO (it hung
 * up, or that is no answer), -EFBIG. `answer` is "" unless error is 0. Never from ask_start(). */
typedef void (*ask_fn)(void *arg, int error, const char *answer);

enum { ASK_MAX = 4 * 1024 * 1024 };

/* `request` without its newline. -ENOMEM, -ENAMETOOLONG. */
int ask_start(struct loop *l, const char *socket, const char *request, msec_t timeout, ask_fn fn,
              void *arg, struct ask **ret);
void ask_cancel(struct ask *a); /* no callback any more; NULL is fine */
