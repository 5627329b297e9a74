/* The set of nonces that were used. A ticket is taken before its answer is looked at, and stays
 * taken whatever the answer was: one try. One interface, several stores: memory for a single node,
 * a table in Galera for a cluster. All of it is thread-safe. */
#pragma once

#include "signup/gate/ticket.h"

struct spent;

struct spent_ops {
        /* 0: it was not taken before, and is from now on. -EALREADY: it was. Anything else: nobody
         * knows, and the caller must take it for used. `until`: when it may be forgotten. */
        int (*take)(struct spent *s, const unsigned char nonce[TICKET_NONCE], int64_t until,
                    int64_t now);
        void (*free)(struct spent *s);
};

struct spent {
        const struct spent_ops *ops;
};

int spent_take(struct spent *s, const struct ticket *t, int64_t ttl, int64_t now);
void spent_free(struct spent *s); /* NULL is fine */

/* In this process alone: lost at a restart, unknown to other nodes. At most `cap` nonces at a time;
 * beyond, -ENOSPC: forgetting one early would let it be used twice. */
int spent_memory_new(size_t cap, struct spent **ret);
