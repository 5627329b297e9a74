/* Addresses of visitors: IPv4 and IPv6 in one form (IPv4 as ::ffff:a.b.c.d), cut to networks. */
#pragma once

#include "lib/conf.h"

struct netaddr {
        unsigned char b[16];
};

int netaddr_parse(const char *text, struct netaddr *ret); /* -EINVAL */
bool netaddr_is_v4(const struct netaddr *a);

/* Only the first bits stay: of an IPv4 address `v4` of 32, of an IPv6 address `v6` of 128. */
struct netaddr netaddr_cut(const struct netaddr *a, unsigned v4, unsigned v6);

/* Is it in one of "10.0.0.0/8", "::1"? Words that are no network match nothing. */
bool netaddr_in(const struct netaddr *a, const struct strlist *networks);

/* The visitor: `remote`, unless it is a trusted proxy: then the last address of X-Forwarded-For
 * that is none. What cannot be read ends the search. */
int netaddr_client(const char *remote, const char *forwarded, const struct strlist *trusted,
                   struct netaddr *ret);

/* For the log: the network only, "192.0.2.0/24", "2001:db8:1::/48". */
enum { NETADDR_TEXT = 64 };
const char *netaddr_short(const struct netaddr *a, char dst[NETADDR_TEXT]);
