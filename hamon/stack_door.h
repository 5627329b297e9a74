/* Closing the door to newcomers without a word, for a planned switchover and while services start.
 * New connections to the ports are dropped, not refused: the client's kernel asks again after one,
 * three, seven seconds, and by then somebody answers, here or on the new master. So no sender sees
 * a refusal, let alone a 5xx, and nobody's configuration is touched. Sessions that stand go on. The
 * rule ends by itself after `hold`. */
#pragma once

#include "lib/buf.h"
#include "lib/child.h"
#include <sys/types.h>

#define STACK_DOOR_TABLE "hamon_door"

/* The rule as nft(8) reads it; -EINVAL: no port. Pure. */
int stack_door_script(const unsigned *ports, size_t n, msec_t hold, struct buf *out);

enum stack_door_kind { DOOR_SESSIONS, DOOR_LISTENERS };

/* Established sessions, or listeners, with one of these local ports in a /proc/PID/net/tcp or tcp6.
 * Pure. */
size_t stack_door_count(const char *text, enum stack_door_kind kind, const unsigned *ports,
                        size_t n);

/* On failure -errno and a sentence in `error`. Closing again starts `hold` anew; opening what is
 * open is fine. `tick` may be NULL. */
int stack_door_close(const unsigned *ports, size_t n, msec_t hold, msec_t deadline,
                     const struct child_tick *tick, struct buf *error);
/* Would closing it work? Nothing is changed. */
int stack_door_check(const unsigned *ports, size_t n, msec_t hold, msec_t deadline,
                     const struct child_tick *tick, struct buf *error);
int stack_door_open(msec_t deadline, const struct child_tick *tick, struct buf *error);

/* How many there are in the network of that process, or -errno. */
ssize_t stack_door_look(pid_t pid, enum stack_door_kind kind, const unsigned *ports, size_t n);
