/* Numeric addresses, v4 and v6, and listening on one. */
#pragma once

#include "lib/util.h"
#include <netinet/in.h>

union address {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
};

/* -EINVAL: no numeric address, or no port. */
int address_parse(const char *text, unsigned port, union address *ret);
socklen_t address_len(const union address *a);
/* Whatever the ports. */
bool address_same_host(const union address *a, const struct sockaddr *b);
/* A socket that listens there and never waits. The address need not be up yet: at boot a private
 * network may come later than we do. -errno. */
int address_listen(const union address *a, int backlog, int *ret);
