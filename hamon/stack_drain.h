/* Closing the door to new mail without a word: for a planned switchover. New connections to the
 * mail ports are dropped, not refused: the client's kernel asks again after one, three, seven
 * seconds, and by then the new master answers. So no sender sees a refusal, let alone a 5xx, and
 * nobody's configuration is touched. Sessions that stand go on. The rule ends by itself after
 * `hold`. */
#pragma once

#include "lib/buf.h"
#include "lib/child.h"
#include <sys/types.h>

#define STACK_DRAIN_TABLE "hamon_drain"

/* The rule as nft(8) reads it; -EINVAL: no port. Pure. */
int stack_drain_script(const unsigned *ports, size_t n, msec_t hold, struct buf *out);

/* Established sessions with one of these local ports in a /proc/PID/net/tcp or tcp6. Pure. */
size_t stack_drain_count(const char *text, const unsigned *ports, size_t n);

/* On failure -errno and a sentence in `error`. Closing again starts `hold` anew. */
int stack_drain_close(const unsigned *ports, size_t n, msec_t hold, msec_t deadline,
                      struct buf *error);
int stack_drain_open(msec_t deadline, struct buf *error); /* fine if it was not closed */

/* How many sessions stand with these ports in the network of that process, or -errno. */
ssize_t stack_drain_sessions(pid_t pid, const unsigned *ports, size_t n);
