/* Which of the cluster's nodes this server is. */
#pragma once

#include "lib/conf.h"

struct self {
        char name[64], address[64];
        size_t rank; /* place in [cluster] nodes */
};

/* By the name that is forced ("" = none), else by the host name, else by an address of its own.
 * -EINVAL: none, or two; why is a line in `errors`. */
int self_find(const struct strlist *nodes, const char *forced, struct self *ret,
              struct buf *errors);

/* The same from what is known of the server. Pure. `addresses`: its own, as text. */
int self_match(const struct strlist *nodes, const char *forced, const char *host,
               const struct strlist *addresses, struct self *ret, struct buf *errors);

/* The interface of the default route; "eth0" if there is none. */
void self_interface(char *ret, size_t size);
