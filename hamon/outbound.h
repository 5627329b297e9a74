/* Mail leaves from the service address: source NAT for what Mailcow's containers send out. A table
 * of our own in nftables, `mailcow_ha`, with a chain before Docker's masquerading; it is put there
 * and taken away as a whole, and nothing else is touched. */
#pragma once

#include "lib/child.h"

#define OUTBOUND_TABLE "mailcow_ha"

struct outbound {
        int family;                  /* AF_INET or AF_INET6: which of the words below count */
        const char *address;         /* the service address, without prefix */
        const char *interface;       /* what leaves by it */
        const char *const *networks; /* of the containers, with prefix, both families */
        size_t n_networks;
        const char *const
                *direct; /* destinations that must see the node's own address: the peers */
        size_t n_direct;
};

/* What nft(8) is to do. Pure. -EINVAL: a word that is no address, network or interface; -ENODATA:
 * no network of that family, so nothing to do. */
int outbound_script(const struct outbound *o, struct buf *out);

/* 1 the table is as outbound_script() makes it, 0 it is not (or is not there), -ENODATA as above,
 * -ENOENT there is no nft(8). */
int outbound_look(const struct outbound *o, msec_t deadline, const struct child_tick *tick);

/* 1 there is a table of ours, whatever is in it. */
int outbound_is_there(int family, msec_t deadline, const struct child_tick *tick);

/* The same, asked of the kernel at once: 1 there is one, 0 there is none; negative errno: the
 * kernel does not tell. */
int outbound_table(int family);

/* Both in one transaction. On failure nft's own words (or ours) in `error`. */
int outbound_set(const struct outbound *o, msec_t deadline, const struct child_tick *tick,
                 struct buf *error);
/* Would it work? -ENODATA: no network of that family, so there is nothing to do. */
int outbound_check(const struct outbound *o, msec_t deadline, const struct child_tick *tick,
                   struct buf *error);
int outbound_clear(int family, msec_t deadline, const struct child_tick *tick, struct buf *error);
