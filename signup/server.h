/* FastCGI: a socket, threads, and an orderly end. */
#pragma once

#include "signup/site.h"

/* The socket of [signup] listen, listening and non-blocking. On failure -errno and a sentence. */
int server_listen(const struct config *c, int *ret_fd, struct buf *error);

/* Serves until SIGTERM or SIGINT: then takes nothing new, finishes what it has, and returns. The
 * caller is still single-threaded; fd stays open (an inherited one has other users). */
int server_run(struct site *s, int fd);
