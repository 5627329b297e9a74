/* The channel between the hamons of a cluster, over the private network: one question, one answer,
 * both proven by the cluster's secret (peer_wire.h). It is not encrypted: nothing in it is secret.
 * Both ends never block and are bounded in clients, time and bytes. */
#pragma once

#include "lib/buf.h"
#include "lib/loop.h"

struct peer;

enum peer_command {
        PEER_STATE,    /* state: the node's own words, peer_state.h */
        PEER_RELEASE,  /* release REASON: the asker, a fit standby, wishes the holder to release */
        PEER_RELEASED, /* released EPOCH [TO]: a hint that the lease is free, and for whom */
        PEER_SWITCHOVER, /* switchover [TO]: the operator's wish, said on another node */
        PEER_GALERA, /* galera [yield UUID:SEQNO | recover]: of the node's member, lead_recover.c */
        PEER_COMMAND_COUNT_
};
extern const char *const PEER_COMMANDS[PEER_COMMAND_COUNT_];

enum { PEER_CLIENTS = 16, PEER_STRANGERS = 4, PEER_ASKS = 32, PEER_NODES = 16 };

struct peer_node {
        const char *name, *address; /* numeric */
        unsigned port;
};

/* Answer the node `from`, which has proven to know the secret, in one line of at most 900 bytes
 * into `out` (no newline). An empty answer is sent as such. */
typedef void (*peer_fn)(void *arg, const char *from, enum peer_command command, const char *words,
                        struct buf *out);

struct peer_config {
        const char *address; /* to listen on, numeric; it need not be there yet; NULL: only asks */
        unsigned port;
        const struct peer_node *nodes; /* all of them, ours too */
        size_t n_nodes, me;
        const char *secret; /* copied, wiped on free */
        const char *other;  /* believed too, and tried where the first is not; NULL = none */
        msec_t patience;    /* with a client; 0 = two seconds */
};

/* -EINVAL: what cannot be; -EADDRINUSE and the like from the system. */
int peer_new(struct loop *l, const struct peer_config *c, peer_fn fn, void *arg, struct peer **ret);
void peer_free(struct peer *p); /* answers that are still awaited never come */

enum peer_end {
        PEER_ANSWERED,
        PEER_SILENT,     /* no answer in time, or its host is not reachable */
        PEER_REFUSED,    /* its host lives, and nobody listens there, or it hung up at once */
        PEER_BAD_SECRET, /* it could not prove who it is, or did not believe us */
        PEER_UNASKED,    /* our own fault: no such address here, no network, no descriptor */
};
extern const char *const PEER_ENDS[];

struct peer_answer { /* borrowed for the time of the call */
        size_t node;
        enum peer_command command;
        enum peer_end end;
        msec_t took;
        const char *text; /* ANSWERED: the answer; else a sentence */
};

typedef void (*peer_answer_fn)(void *arg, const struct peer_answer *a);

/* Ask node `node` of the list (it may be ourselves); `words` may be "". fn is called once, from the
 * loop, within the deadline. -EBUSY: PEER_ASKS are under way. -EINVAL: words that fit in no line.
 */
int peer_ask(struct peer *p, size_t node, enum peer_command command, const char *words,
             msec_t deadline, peer_answer_fn fn, void *arg);
