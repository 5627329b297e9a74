/* Lock files that Dovecot left on the volume when its node lost power. Nobody holds them any more,
 * but a Dovecot that finds one waits up to two minutes before it overrides it, and that mailbox
 * takes no mail meanwhile. To be removed after the mount and before any container starts: then all
 * of them are stale. In a child. */
#pragma once

#include "lib/util.h"

/* dovecot*.lock, .dovecot*.lock and subscriptions.lock; cur, new and tmp are not entered, so the
 * cost is that of the folders, not of the messages. 0, or 1 if the time was up before the end. */
int volume_locks_clear(const char *dir, msec_t budget, unsigned *ret_removed);
bool volume_locks_is(const char *name);
