/* The small end of the control socket: blocking, with one deadline for everything. Needs libc only,
 * so that `hamon check` costs next to nothing. */
#pragma once

#include "lib/buf.h"

/* Send `request` (no newline), collect the answer. Retries a socket that is not there or refuses
 * for up to 300 ms (a daemon being restarted), always within `timeout`.
 * -ENOENT/-ECONNREFUSED: no daemon; -ETIMEDOUT: it does not answer; -EPROTO: it hung up. */
int client_ask(const char *socket_path, const char *request, msec_t timeout, struct buf *answer);

/* The same, and again as long as the answer contains `not_yet`, up to the timeout. */
int client_ask_until(const char *socket_path, const char *request, const char *not_yet,
                     msec_t timeout, struct buf *answer);
