/* After the database went down on all nodes: which member may be the first again, if any may? Two
 * things must not happen: a second Primary component beside another, and a first member that lacks
 * what another has. Pure.
 *
 * What proves the choice: every node tells where its data stands; or the last memberships (views)
 * that crashed members remember, if those who are missing were too few to go on in any of them.
 * What a missing one wrote in its last moment, and the others had in memory only, is lost (`leap`).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RECOVER_NODES = 9, RECOVER_ID = 37 };

struct recover_node {          /* index = place in [cluster] nodes */
        int64_t seqno;         /* of its data, if it is placed */
        size_t n_view;         /* members of the last Primary component it remembers; 0 = none */
        char uuid[RECOVER_ID]; /* of the cluster its data is of */
        char me[RECOVER_ID];   /* who it was in that component */
        char view[RECOVER_NODES][RECOVER_ID];
        bool known;   /* it answers, freshly: all else is its own word */
        bool fenced;  /* it does not answer, and is proven to be off */
        bool primary; /* its database is in a Primary component */
        bool runs;    /* its database runs, and may come to be in one */
        bool empty;   /* no data of a cluster that anybody could build on */
        bool placed;  /* else: where it stands is known */
};

enum recover_bar {             /* what stands against it, in the order in which it is looked for */
                   RECOVER_GO, /* nothing: `chosen` */
                   RECOVER_NEEDLESS, /* culprit is in a Primary component: join it */
                   RECOVER_UNFENCED, /* culprit does not answer, and may be at work */
                   RECOVER_MINORITY, /* too few answer */
                   RECOVER_UNPLACED, /* culprit does not know where its data stands */
                   RECOVER_EMPTY,    /* nobody has data */
                   RECOVER_FOREIGN,  /* culprit's data is of another cluster */
                   RECOVER_REFORMS,  /* culprit and others may become one without the chosen */
                   RECOVER_UNPROVEN, /* who is missing may have more */
                   RECOVER_COUNT_
};

struct recover_row {
        const char *name;     /* in the protocol and in the log */
        const char *sentence; /* of the culprit, if there is one */
};
extern const struct recover_row RECOVERS[RECOVER_COUNT_];

struct recover_plan {
        enum recover_bar bar;
        size_t culprit; /* n = none */
        size_t chosen;  /* the most advanced of those that tell; n = none */
        bool lossy;     /* only accepted, not proven */
        bool leap;      /* not all tell where their data stands: whoever is missing may have other
                           commits under the numbers that come next, and Galera would take them for
                           ours. So we count on from far above, and it gets a full copy. */
};

/* `accept_loss`: a person takes an unproven choice; it never allows a second component. */
void recover_decide(const struct recover_node *v, size_t n, bool accept_loss,
                    struct recover_plan *ret);
