/* Reaching the other end: a connection from this node's own address to port [sync] listen. */
#pragma once

#include "hamon/config.h"
#include "hamon/sync/channel.h"

struct dial {
        struct channel *channel;
        uint64_t epoch;
        char images[17]; /* of its Mailcow, as of struct release */
};

/* `node`: place in [cluster] nodes. -EPERM: it refuses, and `error` says why; -EACCES: secrets
 * differ. The channel is the caller's. */
int dial(const struct config *c, size_t node, msec_t deadline, struct dial *ret, struct buf *error);
/* Where this one listens: "" of the key = its address of [cluster] nodes. */
int dial_own(const struct config *c, char *ret_address, size_t size, unsigned *ret_port);
