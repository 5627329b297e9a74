/* A block device that all nodes can reach (SAN, iSCSI, DRBD) and an address on an interface: for
 * clusters without a cloud. Nothing outside enforces who writes: only the fence command does, and
 * without one this provider cannot fence. */
#pragma once

#include "hamon/provider/provider.h"

/* The id of a volume is the absolute path of its device, that of an address "ADDRESS[/PREFIX]".
 * A server is called by its node name. What is known is this node only: an address that is not here
 * has server "". */
struct local_config {
        const char *server;        /* the node we run on */
        const char *interface;     /* where the address goes */
        const char *fence_command; /* absolute path, started with the name of the server to be kept
                                      from writing; exit 0: it surely does not write any more, 75:
                                      try again, else it failed. NULL, "" = none */
        msec_t poll;               /* between two looks for an absent device; 0 = 250 ms */
        msec_t announce;           /* between the announcements of a new address; 0 = 500 ms */
};

/* Copies the configuration. -EINVAL: no server, or a fence command without absolute path. */
int local_new(struct loop *l, const struct local_config *c, struct provider **ret);
