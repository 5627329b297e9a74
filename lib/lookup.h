/* The addresses of a host name, on our loop: /etc/hosts, then the servers of /etc/resolv.conf, both
 * read anew each time. A numeric address is its own answer. */
#pragma once

#include "loop.h"
#include <sys/socket.h>

struct lookup;

enum { LOOKUP_MAX = 8 };

/* Once, from the loop. error 0: n addresses, IPv6 and IPv4, in the order to try them. Else
 * -EHOSTUNREACH and a sentence. */
typedef void (*lookup_fn)(void *arg, int error, const char *why, const struct sockaddr_storage *all,
                          size_t n);

int lookup_start(struct loop *l, const char *host, unsigned port, lookup_fn fn, void *arg,
                 struct lookup **ret);
/* No callback any more; NULL is fine. What was asked already is freed by the loop's next turns. */
void lookup_cancel(struct lookup *l);
