/* Replace a file as a whole, safe against a crash, without ever waiting for the disk: a child
 * writes, syncs and renames. One that hangs in the kernel is left behind, and none is started
 * beside it. */
#pragma once

#include "lib/buf.h"
#include "lib/loop.h"

struct alert_disk;

/* `fn`: once after each alert_disk_write() that returned 0, with 0 or -errno; -ETIMEDOUT: it was
 * not done in time, and may be yet. */
int alert_disk_new(struct loop *l, const char *path, void (*fn)(void *arg, int error), void *arg,
                   struct alert_disk **ret);
/* What is under way is waited for, a second at most. */
void alert_disk_free(struct alert_disk *d);

/* -EBUSY: the last one is not over. */
int alert_disk_write(struct alert_disk *d, const char *data, size_t len);
bool alert_disk_waits(const struct alert_disk *d); /* fn is still to be called */
