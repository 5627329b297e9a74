/* The part of the seam that leads: it holds the decision (core/ha) and its hands (lease row, hooks,
 * guard, peers, node rows, provider). daemon.c tells it when something changed and asks it what to
 * tell keepalived; it carries out what core says. One per daemon, and none without [cluster] nodes.
 */
#pragma once

#include "hamon/core/ha.h" /* before libevent, which has a macro EV_TIMEOUT */

#include "hamon/config.h"
#include "hamon/control.h"
#include "hamon/core/target.h"
#include "hamon/events.h"
#include "hamon/keepalived.h"
#include "hamon/node.h"
#include "hamon/status.h"

struct lead;

struct lead_needs { /* all borrowed, and outlive it */
        struct loop *loop;
        const char *file; /* of the configuration: hooks need its name */
        const struct config *config;
        struct node *node;
        struct events *events;
        void *arg;
        void (*changed)(void *arg); /* the state or the role is another: judge anew */
};

/* -EINVAL: something of the configuration cannot be used; it has been logged. */
int lead_new(const struct lead_needs *n, struct lead **ret);
/* Another configuration stands in needs.config. < 0: it cannot be, that was logged, and nothing has
 * changed. */
int lead_reload(struct lead *l);
/* Before lead_free() of a daemon that was told to end: where nothing writes, the guard may rest. */
void lead_stop(struct lead *l);
/* Ends nothing but itself: the lease, the guard and what runs here stay, for the next daemon. */
void lead_free(struct lead *l);

/* A fact may have changed: decide at the end of this wake-up. */
void lead_wake(struct lead *l);
void lead_gap(struct lead *l, msec_t gap);         /* the daemon slept so long */
void lead_vrrp(struct lead *l, enum vrrp_state s); /* what keepalived says */
void lead_tick(struct lead *l);                    /* every check.interval */

/* Ids of the active set's containers, for the guard. */
void lead_target(struct lead *l, const struct fence_target *t);

enum role lead_role(const struct lead *l); /* by whose measure this node is judged */
/* What the track file should hold; false: leave it as it is. */
bool lead_track(const struct lead *l, int *ret_value);

const struct ha *lead_ha(const struct lead *l);
/* What `hamon status` shows; points into `l`. */
void lead_status(const struct lead *l, struct status_cluster *ret);

/* An event of the daemon's, for the database's table: events_add() is the caller's. */
void lead_event(struct lead *l, const struct happening *e);
/* The last line of `why`: how it is now, and what it waits for. */
void lead_now(struct lead *l, struct buf *out);

/* Requests from REQ_LEASE on. Answers into `out`. */
void lead_request(struct lead *l, enum request req, const char *words, struct buf *out);
