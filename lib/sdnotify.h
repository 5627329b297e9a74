/* sd_notify(3) and the service watchdog, without libsystemd: one datagram to $NOTIFY_SOCKET. */
#pragma once

#include "util.h"

/* "READY=1", "RELOADING=1\nMONOTONIC_USEC=…", "STOPPING=1", "WATCHDOG=1", "STATUS=…".
 * 0 if there is no supervisor (nothing to do), 1 sent, negative errno. Never blocks. */
int sd_notify_send(const char *state);

/* Half of $WATCHDOG_USEC in ms (how often to send WATCHDOG=1), 0 = no watchdog for this process. */
msec_t sd_watchdog_interval(void);
