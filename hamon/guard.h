/* The daemon's end of the guard: asynchronous, never waits, connects again by itself. The guard is
 * told what it shall know as often as needed until it has said yes. */
#pragma once

#include "hamon/guard_proto.h"
#include "lib/loop.h"

struct guard;

typedef void (*guard_fn)(void *arg); /* alive, acknowledged, or the answer's words have changed */

int guard_new(struct loop *l, const char *path, guard_fn changed, void *arg, struct guard **ret);
void guard_free(struct guard *g); /* says nothing to the guard: its deadline stands */

/* OFF: `deadline` and `target` count for nothing. ARM again with the same deadline costs nothing.
 */
enum guard_order { GUARD_SET_OFF, GUARD_SET_ARM };
void guard_set(struct guard *g, enum guard_order order, msec_t deadline, uint64_t epoch,
               const struct fence_target *target);
/* Stands until it was acknowledged, or until the next guard_set(). */
void guard_fence_now(struct guard *g);

bool guard_alive(struct guard *g); /* answered lately */
bool guard_ready(struct guard *g); /* and can do what it is for: else this node must not lead */
/* The deadline the guard goes by, as it said itself; 0 = it is off, fenced, armed for another epoch
 * than ours, or lacks the watchdog it needs. Kept when the connection breaks: the guard keeps it.
 */
msec_t guard_acked(const struct guard *g);
const struct guard_answer *guard_seen(const struct guard *g); /* the last answer; NULL = none yet */

/* For programs without a loop: one message, one answer. -ETIMEDOUT, -ECONNREFUSED, -ENOENT … */
int guard_ask(const char *path, const struct guard_message *m, msec_t deadline,
              struct guard_answer *ret);
