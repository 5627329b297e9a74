/* Is the shared volume mounted, and can it be written to? A file is written, synced and removed, in
 * a child, because each of these calls may hang for ever. A child that hangs in the kernel outlives
 * SIGKILL; it is kept in mind, and no second one is started beside it. */
#pragma once

#include "lib/loop.h"

#define PROBE_VOLUME_FILE ".hamon-probe"

struct probe_volume;

/* 0, or an errno: ENODEV = not mounted, ETIMEDOUT = the child hangs. */
typedef void (*probe_volume_fn)(void *arg, int error);

int probe_volume_new(struct loop *l, const char *mount, msec_t timeout, probe_volume_fn fn,
                     void *arg, struct probe_volume **ret);
void probe_volume_free(struct probe_volume *v); /* NULL is fine */

/* Look once. One at a time: while one is under way this does nothing. */
void probe_volume_run(struct probe_volume *v);
