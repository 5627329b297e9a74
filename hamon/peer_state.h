/* A node's own words about itself, as the answer to `state` on the peer channel. */
#pragma once

#include "lib/buf.h"

struct peer_state {
        char name[64], role[16], state[16]; /* state: of the FSM */
        char verdict[16], reason[64], vrrp[16];
        uint64_t epoch, incarnation;
        msec_t valid_ms; /* what is left of its lease, by its own clock; 0 = it does not hold it */
        msec_t ttl_ms;   /* its lease.ttl; 0 = it does not say */
        bool mounted, candidate;
        char mailcow[32], schema[24], images[17]; /* struct release; "" = it does not say */
        char sync[24], digest[17];                /* struct sync_word */
        msec_t out_ms;
};

/* One line of key=value. -EINVAL: a word that would not come back as it is. */
int peer_state_write(struct buf *out, const struct peer_state *s);

/* Keys may come in any order; unknown ones are skipped, those that are missing are 0 or "", but
 * name and state must be there. -EBADMSG: not of ours. */
int peer_state_parse(const char *text, struct peer_state *ret);
