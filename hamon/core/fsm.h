/* The states of a node and what each event does in each of them, as one dense table that is
 * executed (ha.c), printed (`hamon fsm`) and tested. Pure data: whether an event is there is
 * decided in ha_event.c, what an action means in ha.c. */
#pragma once

enum ha_state {
        ST_INIT,        /* just started: nothing is known of the lease yet */
        ST_STANDBY,     /* ready, or not; does not lead */
        ST_CLAIMING,    /* is taking the lease */
        ST_PROMOTING,   /* holds it; master.sh runs */
        ST_MASTER,      /* holds it and serves */
        ST_DEMOTING,    /* holds it still; backup.sh runs */
        ST_FENCING,     /* must not write any more: stays until that is proven */
        ST_HALTED,      /* standby that the breaker keeps from claiming by itself */
        ST_MAINTENANCE, /* standby that the operator keeps from claiming */
        ST_COUNT_
};

/* In order of priority: the first one that is there and not ignored is carried out, then all are
 * looked at again. */
enum ha_event {
        EV_LEASE_LOST,     /* expired, or another's by a fact */
        EV_CLOCK_GAP,      /* the node or the daemon slept */
        EV_STORAGE,        /* the volume contradicts us: its epoch file is ahead, it is elsewhere */
        EV_TAKEOVER,       /* the operator wants this node to lead */
        EV_SWITCHOVER,     /* the operator wants another one to lead, and it can */
        EV_MAINTENANCE_ON, /* the operator wants this node not to lead */
        EV_MAINTENANCE_OFF, /* and not any more */
        EV_ACK,             /* the operator has seen why the breaker opened */
        EV_LEASE_WON,
        EV_LEASE_BEATEN, /* another one was faster */
        EV_HOOK_OK,
        EV_WAY_BACK,    /* demotion came to nothing, and the volume is still here */
        EV_HOOK_TEMP,   /* try again */
        EV_HOOK_FAILED, /* failed, or killed at its deadline */
        EV_ASKED,       /* a peer asks for the lease, and we do not make good use of it */
        EV_HALT,        /* the breaker says: not by itself */
        EV_UNHALT,      /* and not any more */
        EV_CLAIM,       /* it is this node's turn to take the lease */
        EV_DIRTY,       /* volume or active services are here though we do not lead */
        EV_UNFIT,       /* master: for good, and another one can do better; claiming: not fit */
        EV_MISSING,     /* of what a master asserts, something is not so */
        EV_TIMEOUT,     /* the state has lasted too long */
        EV_READY,       /* the lease row is known, nothing of the last life is left */
        EV_COUNT_
};

enum ha_act {
        ACT_NONE,
        ACT_CLAIM,   /* want the lease */
        ACT_PROMOTE, /* start master.sh */
        ACT_RECOVER, /* the same, on what is already here */
        ACT_ADOPT,   /* what runs is ours: go on as before */
        ACT_SERVE,   /* promotion is done */
        ACT_MOVE,    /* start backup.sh: the lease goes to another node, nobody's fault */
        ACT_DEMOTE,  /* start backup.sh for cause: counts for the breaker */
        ACT_FENCE,   /* stop writing at once, by force; counts for the breaker */
        ACT_CLEAN,   /* the same means, without a cause that counts */
        ACT_RETRY,   /* the same hook again, after a pause */
        ACT_RESTART, /* kill the hook and start it anew: it has slept through something */
        ACT_HURRY,   /* renew or read now */
        ACT_RECLAIM, /* release, and take the lease again beyond the volume's epoch file */
        ACT_RELEASE, /* give the lease back; nobody writes here */
        ACT_BAN,     /* not again by itself for a while; alert */
        ACT_FORGIVE, /* close the breaker */
        ACT_COUNT_
};

struct fsm_cell {
        enum ha_state next;
        enum ha_act act;
        const char *comment; /* why; never NULL */
};

extern const struct fsm_cell FSM[ST_COUNT_][EV_COUNT_];
extern const char *const HA_STATES[ST_COUNT_]; /* init, standby, ... */
extern const char *const HA_EVENTS[EV_COUNT_]; /* lease_lost, clock_gap, ... */
extern const char *const HA_ACTS[ACT_COUNT_];  /* none, claim, ... */
