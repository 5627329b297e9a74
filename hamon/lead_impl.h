/* Inside lead*.c only: what the leading part of the daemon holds. */
#pragma once

#include "hamon/lead.h"

#include "hamon/guard.h"
#include "hamon/hook.h"
#include "hamon/peer.h"
#include "hamon/peer_state.h"
#include "hamon/probe.h"
#include "hamon/provider/provider.h"
#include "hamon/store.h"
#include <limits.h>

enum { LEAD_HISTORY = 16, LEAD_PATH = 160 };

/* What the operator asked for last, so that the one who asked can follow it. */
struct lead_operation {
        unsigned number; /* 0 = none yet */
        enum { OPERATION_RUNNING, OPERATION_DONE, OPERATION_FAILED } state;
        enum ha_order order;
        bool accepted; /* core took it up */
        msec_t since;
        char sentence[160];
};

struct lead_other { /* another node, as we heard it; index = place in [cluster] nodes */
        struct peer_state state;
        msec_t heard_at; /* start of the question it answered last */
        msec_t asked_at, ended_at;
        enum peer_end end;
        bool heard, asking, told;
};

struct lead_moment { /* a transition, for `hamon why` */
        msec_t at;
        enum ha_state from, to;
        enum ha_event event;
        const char *comment;
};

/* One per daemon: its order is for the reader.
 * NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding) */
struct lead {
        struct lead_needs needs;
        struct ha ha;
        struct store *store;
        struct hook *hook;
        uint64_t hook_refused;     /* the last one, if it could not be started */
        struct provider *provider; /* of the volume; NULL = it could not be made */
        struct guard *guard;
        struct fence_target target;    /* what the guard must stop */
        uint64_t target_epoch;         /* for which its device was noted */
        bool guard_alive, guard_ready; /* as last told in the log */
        struct ha_action held_back;    /* a hook that waits for the guard's word */
        bool is_held_back;
        msec_t held_until;
        struct peer *peer;
        struct lead_other others[CLUSTER_MAX];
        struct probes *probes;
        struct timer wake, look, probe_time;

        bool same_boot, no_row;
        struct ha_output out; /* of the last step */

        /* edges for the next step */
        msec_t gap;
        bool poke;
        enum ha_order order;
        char order_to[LEASE_NAME];
        bool asked; /* a peer wishes us to release */
        char asker[LEASE_NAME];

        /* levels */
        char release_to[LEASE_NAME]; /* the last hint of a peer */
        uint64_t release_epoch;
        bool candidate; /* what we say of ourselves */
        bool suspected; /* the holder is silent on VRRP and gone from the database, since … */
        msec_t suspected_at;
        enum vrrp_state vrrp;
        bool vrrp_old; /* it is from before a gap */
        bool mounted;
        struct ha_epoch file;
        bool maintenance;
        int64_t maintenance_until; /* unix time, 0 = until it is switched off */

        /* the provider's last answer */
        bool provider_ok, provider_told, provider_said; /* as last told in the log */
        msec_t provider_at;
        char volume_at[LEASE_NAME];                  /* node; "" = none, or none of ours */
        unsigned volume_odd;                         /* looks in a row that did not find it here */
        char servers[CLUSTER_MAX][PROVIDER_ID_SIZE]; /* the provider's ids of our nodes, "" = ask */
        struct provider_call *asking;

        struct lead_operation operation;
        struct lead_moment history[LEAD_HISTORY];
        unsigned n_history;
        char dir[LEAD_PATH]; /* of the control socket: what must outlive the daemon, on tmpfs */
};

/* lead_facts.c */
void lead_facts(struct lead *l, struct ha_facts *f, msec_t now);
bool lead_looks_mounted(const char *where); /* /proc/self/mountinfo; touches no file system */
int lead_look_start(struct lead *l);        /* the provider is asked regularly from now on */
void lead_look(struct lead *l);

/* lead_act.c */
void lead_act(struct lead *l, const struct ha_action *a, msec_t now);
void lead_start_hook(struct lead *l, const struct ha_action *a);

/* lead_peer.c */
int lead_peer_start(struct lead *l);
void lead_peer_tick(struct lead *l); /* ask everybody */
void lead_peer_facts(struct lead *l, struct ha_facts *f, msec_t now);
void lead_others(struct lead *l, const struct ha_action *a); /* HINT, ASK */

/* lead_guard.c */
int lead_guard_start(struct lead *l);
void lead_guard_carry(struct lead *l);
bool lead_guarded(const struct lead *l, msec_t now); /* it has acknowledged a deadline to come */
void lead_guard_hold(struct lead *l, const struct ha_action *a, msec_t now);
void lead_guard_release(struct lead *l, msec_t now);
void lead_guard_drop(struct lead *l);

/* lead_ask.c */
void lead_follow(struct lead *l, msec_t now); /* how the operation goes on */
bool lead_maintenance_load(struct lead *l);
