/* The cluster as this node sees it, out of `hamon status --json`; who of those it hears speaks for
 * all of them; and what about it is wrong. Pure: no clock, no socket. */
#pragma once

#include "hamon/config.h"
#include "hamon/web/alert_message.h"
#include <cjson/cJSON.h>

struct alert_view_node {
        char name[64];
        bool heard, serves, holder;
        msec_t age; /* of its last word; < 0 = never heard */
};

struct alert_view {
        bool blind; /* our daemon does not answer: nothing else is known */
        size_t n;   /* nodes of the cluster; 0 = this node is of none */
        struct alert_view_node nodes[CLUSTER_MAX];
        size_t heard;
        int me, leader; /* index; -1 = none; leader: holds the lease and is heard */
        bool majority;  /* more than half of the nodes are heard; without a cluster: true */

        bool fit, maintenance, leads, outbound_missing, provider_down;
        char reason[65], message[256];
        bool late; /* not in step for longer than [sync] patience */
        char sync[65];
};

/* `status` NULL, or none of ours: blind. A word is fresh up to `stale`. */
void alert_view_read(const cJSON *status, msec_t stale, struct alert_view *ret);

/* Who speaks for the cluster, by this view: the leader, else the first node in [cluster] nodes
 * order that is heard; without a majority always the latter. -1 = nobody is known (blind). */
int alert_view_speaker(const struct alert_view *v);
/* How many nodes before `node` in that order are not heard. */
size_t alert_view_missing_before(const struct alert_view *v, size_t node);

enum alert_whose {
        WHOSE_OWN,     /* this node tells it of itself */
        WHOSE_SIDE,    /* the speaker of this side of a cut tells it, and its end */
        WHOSE_CLUSTER, /* the speaker tells it, for all see it */
};

struct alert_condition {
        enum alert_whose whose;
        bool present;
        msec_t hold;            /* how long it must last */
        char about[64];         /* the node that cannot know of it; "" = none */
        struct alert_message m; /* as it would be told; without at_ms and id */
};

enum { ALERT_CONDITIONS = 48 };

struct alert_conditions {
        size_t n;
        struct alert_condition v[ALERT_CONDITIONS];
        /* Nothing can be said of those that are not listed: they stay as they were. Otherwise they
         * are over. */
        bool own_frozen, cluster_frozen;
};

/* `extra`: what the other parts of the web process report; NULL = nothing. */
void alert_view_conditions(const struct alert_view *v, const cJSON *extra, const struct config *c,
                           struct alert_conditions *ret);
