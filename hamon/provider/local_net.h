/* One address on one interface: there or not, added, taken away, announced. All of it is a matter
 * between us and the kernel and does not wait for anybody. */
#pragma once

#include "lib/util.h"

struct local_address {
        int family; /* AF_INET, AF_INET6 */
        unsigned char bytes[16];
        unsigned prefix;
        char text[64]; /* without the prefix */
};

/* "192.0.2.9", "2001:db8::9/64"; without a prefix the address alone. -EINVAL. */
int local_net_parse(const char *s, struct local_address *ret);

/* 1 it is there, 0 it is not, -ENODEV no such interface. */
int local_net_has(const struct local_address *a, const char *interface);
/* Already so is fine. IPv6 without duplicate detection: it must be usable at once. */
int local_net_add(const struct local_address *a, const char *interface);
int local_net_del(const struct local_address *a, const char *interface);

/* Tell the neighbours: gratuitous ARP, or an unsolicited neighbour advertisement that overrides.
 * 0 too where the interface has no hardware addresses. */
int local_net_announce(const struct local_address *a, const char *interface);
