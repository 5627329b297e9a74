/* `hamon status`: the node model as JSON for programs and as text for people. */
#pragma once

#include "hamon/core/ha.h"
#include "hamon/node.h"
#include "hamon/release.h"
#include "hamon/sync_state.h"

enum { STATUS_ADDRESSES = 16 };

struct status_node {
        char name[64], address[64];
        char role[33], state[16], verdict[33], reason[65]; /* state: of the FSM, "" = not known */
        msec_t age;                                        /* of its words; < 0 = never heard */
        bool self, leads, mounted, candidate;              /* leads: the lease's row names it */
        struct release mailcow;                            /* words, "" = not known */
        struct sync_word sync;
};

struct status_address {
        char text[64]; /* without the prefix */
        bool here;     /* on our interface */
};

struct status_cluster { /* as this node sees it; lead.h fills it */
        const struct ha *ha;
        const char *repair; /* the service that is being restarted because it hangs; "" = none */
        struct status_node nodes[CLUSTER_MAX];
        size_t n_nodes;
        struct {
                const char *provider, *mount;
                char at[LEASE_NAME]; /* node; "" = none, none of ours, or a shared device */
                bool mounted, answers;
                msec_t age; /* since the provider was asked; < 0 = never */
        } volume;
        struct {
                const char *provider, *interface;
                struct status_address addresses[STATUS_ADDRESSES];
                size_t n;
                bool outbound_missing; /* what goes out does not leave by them */
        } ip;
};

/* The JSON of hamon(8) with a newline; -ENOMEM, -EFBIG. `c`: NULL = this node is of no cluster. */
int status_json(const struct node *n, const struct status_cluster *c, msec_t now, struct buf *out);
/* For a terminal of 80 columns, without colour. */
int status_text(const struct node *n, const struct status_cluster *c, msec_t now, struct buf *out);
