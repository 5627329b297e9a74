/* Inside lead*.c only: what the leading part of the daemon holds. */
#pragma once

#include "hamon/lead.h"

#include "hamon/core/takeover.h"
#include "hamon/guard.h"
#include "hamon/hook.h"
#include "hamon/peer.h"
#include "hamon/peer_state.h"
#include "hamon/probe.h"
#include "hamon/provider/provider.h"
#include "hamon/release.h"
#include "hamon/rows.h"
#include "hamon/store.h"
#include <limits.h>

enum { LEAD_PATH = 160 };

/* What the operator asked for last, so that the one who asked can follow it. */
struct lead_operation {
        unsigned number; /* 0 = none yet */
        enum { OPERATION_RUNNING, OPERATION_DONE, OPERATION_FAILED } state;
        enum ha_order order;
        bool accepted; /* core took it up */
        bool let_go;   /* that the lease is given back is enough */
        msec_t since;
        char sentence[160];
};

struct lead_other { /* another node, as we heard it; index = place in [cluster] nodes */
        struct peer_state state;
        msec_t heard_at; /* start of the question it answered last */
        msec_t asked_at, ended_at;
        msec_t done_at;              /* when the last question was asked that has ended */
        enum peer_end end, told_end; /* of the last question; as last told in an event */
        bool heard, asking, told;
};

enum { MENDED_MAX = 8 };

struct lead_mended { /* a service that was restarted because it hung */
        char service[64];
        msec_t at;
};

struct lead_repair {
        enum { REPAIR_NONE, REPAIR_DUE, REPAIR_RUNS } phase;
        char service[64];
        msec_t began, until; /* until then it may still help */
        msec_t hook_until;   /* and any recovering hook that runs */
        msec_t pause_until;  /* its hook could not be started: not at once again */
        struct lead_mended mended[MENDED_MAX];
};

struct lead_fenced { /* by an operator who takes over; index = place in [cluster] nodes */
        msec_t at;
        const char *how; /* NULL: it was not */
        bool in_force;   /* for the operation that runs */
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
        struct fence_target target; /* what the guard must stop */
        uint64_t target_epoch;      /* for which its device was noted */
        struct ha_action held_back; /* a hook that waits, lead_hold.c */
        bool is_held_back;
        msec_t held_at;
        struct peer *peer;
        struct lead_other others[CLUSTER_MAX];
        struct probes *probes;
        struct timer wake, look, probe_time;

        bool same_boot, no_row;
        msec_t started;
        uint64_t settled_epoch; /* in which a master was seen, or was this node; 0 = none */
        struct ha_output out;   /* of the last step */

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
        bool candidate;         /* what we say of ourselves */
        struct release mailcow; /* that is installed here, as of the last look */
        struct sync_word sync;
        bool suspected; /* the holder is silent on VRRP and gone from the database, since … */
        msec_t suspected_at;
        enum vrrp_state vrrp;
        bool vrrp_old; /* it is from before a gap */
        bool mounted;
        struct ha_epoch file;
        bool maintenance;
        int64_t maintenance_until; /* unix time, 0 = until it is switched off */

        /* the provider's last answer */
        bool provider_ok, provider_asked;
        bool provider_told, provider_said; /* as last told in the log */
        msec_t provider_at;
        char volume_at[LEASE_NAME];                  /* node; "" = none, or none of ours */
        unsigned volume_odd;                         /* looks in a row that did not find it here */
        char servers[CLUSTER_MAX][PROVIDER_ID_SIZE]; /* the provider's ids of our nodes, "" = ask */
        struct provider_call *asking;

        /* the service addresses, as the kernel has them */
        struct status_address addresses[STATUS_ADDRESSES];
        size_t n_addresses;
        bool outbound_missing;

        struct lead_operation operation;
        struct lead_fenced fenced[CLUSTER_MAX];
        struct lead_repair repair;

        /* as last told in an event */
        const char *guard_told; /* NULL = nothing yet */
        uint64_t lease_told;    /* the epoch that was held, 0 = none */
        unsigned steps;         /* that the present hook told */

        struct lead_recover *recover; /* the database, when it is down everywhere */
        struct lead_warm *warm;       /* what Docker left stopped */
        struct lead_outage *outage;   /* of the database */
        struct lead_rejoin *rejoin;   /* the database, when it is down here alone */

        struct rows *rows; /* of the database: what the nodes say of themselves */
        struct rows_node rows_seen[CLUSTER_MAX]; /* index = place in [cluster] nodes */
        msec_t rows_at;                          /* when ours was put last */
        char dir[LEAD_PATH]; /* of the control socket: what must outlive the daemon, on tmpfs */
};

/* lead.c */
void lead_ha_config(const struct lead *l, struct ha_config *ret);
int lead_make_store(const struct lead *l, uint64_t incarnation, struct store **ret);
void lead_on_probe(void *arg, const struct probe_answer *a);

/* lead_facts.c */
void lead_facts(struct lead *l, struct ha_facts *f, msec_t now);
bool lead_looks_mounted(const char *where); /* /proc/self/mountinfo; touches no file system */
int lead_look_start(struct lead *l);        /* the provider is asked regularly from now on */
void lead_look(struct lead *l);

/* lead_act.c */
void lead_act(struct lead *l, const struct ha_action *a, msec_t now);
void lead_start_hook(struct lead *l, const struct ha_action *a);

/* lead_tell.c */
void lead_tell(struct lead *l, const struct happening *e);
void lead_tell_note(struct lead *l, const struct ha_action *a);
void lead_tell_alert(struct lead *l, enum ha_alert which);
/* `refused`: why it could not be started, NULL = it could. */
void lead_tell_hook(struct lead *l, const struct ha_action *a, const char *refused);
void lead_tell_end(struct lead *l, const struct hook_result *r);
void lead_tell_step(void *arg, uint64_t id, const char *line, msec_t since);
void lead_tell_order(struct lead *l, const char *to, const char *detail, bool bad);
void lead_tell_lease(struct lead *l, enum ha_state before);
void lead_tell_guard(struct lead *l);
void lead_tell_peer(struct lead *l, size_t node, const struct peer_answer *a);

/* lead_address.c */
void lead_address_look(struct lead *l);
bool lead_address_missing(const struct lead *l); /* as of the last look */

/* lead_rows.c */
int lead_make_rows(struct lead *l, struct rows **ret);
void lead_rows_tick(struct lead *l);

/* lead_peer.c */
int lead_peer_start(struct lead *l);
size_t lead_index(const struct lead *l, const char *name); /* in [cluster] nodes; its n = none */
void lead_peer_tick(struct lead *l);                       /* ask everybody */
void lead_peer_facts(struct lead *l, struct ha_facts *f, msec_t now);
bool lead_peer_outlasts(const struct lead *l); /* the holder's ttl is longer than ours */
bool lead_peer_answers(const struct lead *l, const char *name, msec_t now); /* freshly */
void lead_peer_ask(struct lead *l, size_t i);                               /* for its state, now */
void lead_others(struct lead *l, const struct ha_action *a);                /* HINT, ASK */

/* lead_unclean.c */
bool lead_fences_by_switch(const struct lead *l); /* [local] fence_command is all there is */
void lead_settle(struct lead *l); /* each step: which epoch is known to have had a master */
/* It may still write, and must be fenced before this node does. `i`: place in [cluster] nodes. */
bool lead_unclean(const struct lead *l, size_t i, msec_t now);
/* R: it would be fenced only because it is late to speak, or the database's quorum would go with
 * it: not now. */
bool lead_unclean_unknown(const struct lead *l, msec_t now);
/* R: everyone who would be fenced was asked since then, and has answered or is silent. Who was not
 * is asked. `from`, the last holder, is not waited for if it is silent already. */
bool lead_unclean_asked(struct lead *l, const char *from, msec_t since);

/* lead_guard.c */
int lead_guard_start(struct lead *l);
void lead_guard_carry(struct lead *l);
bool lead_guarded(const struct lead *l, msec_t now); /* it has acknowledged a deadline to come */

/* lead_hold.c: a hook that may have to wait; until then it counts as running. */
void lead_hold(struct lead *l, const struct ha_action *a, msec_t now);
void lead_hold_look(struct lead *l, msec_t now); /* has all been said? Then it starts */
void lead_hold_drop(struct lead *l);

/* lead_ask.c */
void lead_follow(struct lead *l, msec_t now); /* how the operation goes on */
bool lead_maintenance_load(struct lead *l);
bool lead_in_maintenance(const struct lead *l);
/* False: another one is under way, and `out` says so. */
bool lead_order(struct lead *l, enum ha_order o, const char *to, struct buf *out);

/* lead_repair.c */
void lead_repair_facts(struct lead *l, struct ha_facts *f, msec_t now); /* lasting, missing */
/* What a recovering hook that starts now shall restart; "" = nothing. */
const char *lead_repair_due(struct lead *l, msec_t now);
/* That hook has started, or could not be. */
void lead_repair_begin(struct lead *l, bool started, msec_t now);
const char *lead_repairing(const struct lead *l); /* the service; "" = none */

/* lead_takeover.c */
void lead_takeover(struct lead *l, const char *words, struct buf *out);
void lead_takeover_over(struct lead *l); /* what was fenced for it counts no more */
/* Nothing writes there: it says so itself, freshly, or it was fenced for the operation that runs.
 * `i`: place in [cluster] nodes. */
bool lead_harmless(const struct lead *l, size_t i, msec_t now);
/* R: to fence everyone else would end the quorum, and with it the lease. */
bool lead_fence_breaks_quorum(const struct lead *l, msec_t now);
