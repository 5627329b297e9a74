/* One node's decisions: the lease, the state machine and the breaker behind one interface, which
 * the daemon and the simulator use alike. Pure: no clock, no I/O, no malloc.
 *
 * One wake-up of the daemon:
 *
 *     a statement of the lease ended?     ha_answer(&ha, answer, row, now)
 *     fill struct ha_facts (levels: what is true now)
 *     ha_step(&ha, &facts, now, &out)
 *     carry out, in this order: out.guard, out.actions[0..n), out.track, out.statement
 *     wake up again after out.next ms, or as soon as a fact changes
 *
 * Facts are levels, derived anew at each wake-up, so that a lost event cannot be lost for ever; the
 * few that are edges (gap, asked, order, poke) say so. Actions are data; carrying one out may fail,
 * and then the next facts say so. All times are this node's own CLOCK_BOOTTIME in ms. */
#pragma once

#include "hamon/core/breaker.h"
#include "hamon/core/fsm.h"

/* Who wrote on the volume: the content of .hamon-epoch. */
struct ha_epoch {
        bool known; /* the file was read, here, since the volume was attached here */
        uint64_t epoch;
        uint64_t incarnation;
        char holder[LEASE_NAME];
};

/* May one who holds `mine` mount a volume that says `file`? File not known (no file) = yes.
 * R: never onto an epoch that is not older than ours, unless it is our own. */
bool ha_epoch_mountable(const struct ha_epoch *file, const struct ha_epoch *mine);

/* ---- hooks ---- */

enum ha_hook { HOOK_NONE, HOOK_MASTER, HOOK_BACKUP, HOOK_COUNT_ };

enum ha_mode { /* HAMON_MODE */
               MODE_PROMOTE,
               MODE_RECOVER,    /* master.sh on what is, or was, already here */
               MODE_SWITCHOVER, /* backup.sh, nobody's fault: may take its time to drain */
               MODE_DEMOTE,     /* backup.sh for cause */
               MODE_FENCE, /* backup.sh without the lease: kill, unmount, prove; touch no provider
                            */
               MODE_COUNT_
};
extern const char *const HA_HOOKS[HOOK_COUNT_]; /* none, master, backup */
extern const char *const HA_MODES[MODE_COUNT_];

enum ha_hook_state {
        HOOK_IDLE,    /* none was started yet, or a leftover is gone */
        HOOK_RUNNING, /* its process group lives, also while it is being killed */
        HOOK_ENDED,   /* the whole group is dead and reaped */
};

enum ha_hook_end { HOOK_OK, HOOK_TEMP, HOOK_FAILED, HOOK_KILLED };

struct ha_hook_facts {
        enum ha_hook_state state;
        uint64_t id;          /* of its START_HOOK; 0 = leftover of an earlier daemon */
        enum ha_hook_end end; /* ENDED */
};

/* ---- what the seam knows ---- */

enum ha_order { ORDER_NONE, ORDER_SWITCHOVER, ORDER_TAKEOVER, ORDER_ACK };

struct ha_facts {
        msec_t gap;     /* edge: the daemon or the node slept so long, 0 = it did not */
        uint64_t token; /* fresh random number, != 0 */

        /* this node */
        enum fitness fitness;   /* by the measure of its present role */
        bool lasting;           /* UNFIT, beyond grace, and the local repair did not help */
        enum fitness candidate; /* could it lead? by a standby's measure, whatever its role is */
        msec_t age;             /* of the verdict behind fitness and candidate */
        bool mounted;           /* the volume is mounted here (mountinfo) */
        bool active;            /* some service of the active set runs here; a lag of a second after
                                   a hook's end does no harm */
        bool missing;           /* of what a MASTER asserts, something is not so (mount, address,
                                   route, container): master.sh is run again in mode recover */
        bool repair;            /* the same, and it does not wait for its turn: a service hangs */

        /* other nodes */
        char other[LEASE_NAME]; /* the best other node whose fresh row says ha_candidate(); "" =
                                 * none
                                 */

        /* provider */
        bool provider;              /* answers, and would let us attach and detach */
        char volume_at[LEASE_NAME]; /* node the volume is attached to, as last seen; "" = none, not
                                       known, not one of ours */
        bool volume_lost;           /* a fresh answer: the volume is attached, or free, elsewhere
                                       than here (meaningful while MASTER) */

        /* hints */
        bool vrrp_master; /* keepalived says MASTER, as a level; false for `stale` after a gap */
        /* about the node that lease.row.holder names; all four let us skip the wait (R) */
        bool silent_vrrp; /* no advert of its for 3 intervals */
        bool silent_view; /* our Galera view is Primary, and it is not in it */
        bool silent_peer; /* a direct question on the peer channel, asked since the others came
                             true, was not answered within its deadline */
        bool fence_ok;    /* storage takes the volume away from it, proven (provider can fence) */
        bool outlasted; /* R: the holder said that it believes in its lease for longer than our ttl:
                           whatever is ordered, we cannot know when it has ended */
        bool unheard;   /* R: too few say that nothing writes there: who is only
                           late to say that it does not would be fenced */
        bool holder_answers; /* it answers on the peer channel: then it is asked, not robbed */
        char release_to[LEASE_NAME]; /* ACTION_HINT of a peer: who shall take it next, "" = none */
        uint64_t release_epoch;      /* the epoch that was released */
        bool poke;                   /* edge: the row may have changed, read it now */
        bool asked;                  /* edge: a peer sent ACTION_ASK */
        char asker[LEASE_NAME];      /* and is a fit standby */

        /* the life before */
        bool same_boot;       /* the incarnation is this boot's, kept over the daemon's restart */
        struct ha_epoch file; /* the volume's epoch file: read while mounted, or reported by a mount
                                 that refused */

        struct ha_hook_facts hook;

        /* operator */
        enum ha_order order;       /* edge */
        char order_to[LEASE_NAME]; /* SWITCHOVER: to whom, "" = any */
        bool order_fit;            /* and that node's fresh row says it is a candidate */
        bool maintenance;          /* level */
};

/* ---- what the seam does ---- */

enum ha_action_kind {
        ACTION_START_HOOK, /* hook, mode, id, epoch, reason, from, to, deadline. The next facts show
                              it: RUNNING, or ENDED and FAILED if it could not be started */
        ACTION_KILL_HOOK,  /* the process group, SIGKILL; ENDED once all of it is reaped */
        ACTION_FENCE_NOW,  /* tell the guard not to wait for its deadline */
        ACTION_HINT,       /* tell all peers: we released `epoch`, `to` shall take it ("" = any) */
        ACTION_ASK,        /* ask peer `to` to release */
        ACTION_ALERT,      /* a human should know: alert */
        ACTION_NOTE,       /* state changed: from -> state by event, comment */
        ACTION_ANSWER,     /* to the operator's order: accepted or not, comment */
};

enum ha_alert {
        ALERT_HALTED,      /* the breaker keeps this node from leading */
        ALERT_STAY,        /* master is unfit, and there is nobody or nothing to move to */
        ALERT_PROMOTE,     /* promotion failed here */
        ALERT_FENCE,       /* what writes here cannot be stopped: the guard was told */
        ALERT_HOOK_STUCK,  /* a hook does not die */
        ALERT_EPOCH_AHEAD, /* the volume knows a later epoch than the database: row lost? */
        ALERT_VOLUME_LOST, /* the volume was taken away while we led */
        ALERT_COUNT_
};
extern const char *const HA_ALERTS[ALERT_COUNT_];

struct ha_action {
        enum ha_action_kind kind;
        enum ha_hook hook;
        enum ha_mode mode;
        uint64_t id;           /* of the hook: unique in this daemon's life, > 0 */
        uint64_t epoch;        /* HAMON_EPOCH; HINT: what was released */
        const char *reason;    /* HAMON_REASON: name of the event that led here */
        char from[LEASE_NAME]; /* HAMON_FROM: who led before us */
        char to[LEASE_NAME];   /* HAMON_TO, HINT, ASK */
        msec_t deadline;       /* of the hook: ms from now */
        enum ha_alert alert;
        enum ha_state from_state, to_state; /* NOTE */
        enum ha_event event;                /* NOTE */
        bool accepted;                      /* ANSWER */
        const char *comment;                /* NOTE, ANSWER */
};

enum ha_track {
        HA_TRACK_KEEP,   /* leave it as it is (restart) */
        HA_TRACK_UNFIT,  /* keepalived: FAULT (-254) */
        HA_TRACK_FIT,    /* may be proposed */
        HA_TRACK_HOLDER, /* leads, or is about to: priority raised */
};

enum ha_guard {
        GUARD_KEEP, /* leave it as it is (restart: the old deadline stands) */
        GUARD_ARM,  /* at guard_deadline, unless told a later one, it fences */
        GUARD_OFF,  /* nothing writes here */
};

enum { HA_ACTIONS = 24 };

struct ha_output {
        struct lease_statement statement; /* send it; OP_NONE = there is none */
        msec_t next;                      /* ms until ha_step() must be called again, >= 0 */
        enum ha_track track;              /* level */
        enum ha_guard guard;              /* level */
        msec_t guard_deadline;
        unsigned n;
        struct ha_action actions[HA_ACTIONS];
        uint32_t seen[ST_COUNT_]; /* cells of the table that this step went through, a bit per event
                                   */
};

/* ---- the machine ---- */

struct ha_config {
        struct lease_rule lease; /* margin: see lease.h */
        struct breaker_rule breaker;
        unsigned rank;       /* place in [cluster] nodes, from 0 */
        unsigned n_nodes;    /* for the bound on the stagger */
        msec_t stagger;      /* without a hint, rank r claims (r + 1) * stagger later */
        msec_t stale;        /* a verdict older than this is UNKNOWN */
        msec_t give_up;      /* promotion says "temporary" for so long: another one may try */
        msec_t settle;       /* active services seen on a standby for so long are stopped */
        msec_t in_flight;    /* a provider request may arrive so long after it was sent, or never
                                (the adapters' deadline): see quiet_at */
        msec_t retry;        /* pause before a hook that said "temporary" runs again */
        msec_t assert_every; /* in MASTER: from one recovery's begin to the next one's */
        msec_t assert_first; /* and from the end of a hook: what it did shows with a lag */
        msec_t master_timeout, backup_timeout, fence_timeout; /* deadlines of the hooks */
};

/* Sensible numbers for everything that has no option, from those that have: lease.ttl, lease.renew,
 * breaker.wait, breaker.max, rank, n_nodes, stale, master_timeout, backup_timeout. */
void ha_config_fill(struct ha_config *c);

struct ha { /* ha_init(); read it for status, change nothing */
        struct ha_config config;
        struct lease lease;
        struct breaker breaker;
        enum ha_state state;
        msec_t state_since;
        const char *why_not; /* it does not lead, as of the last step; "" = all is well */

        /* edges that wait for their turn in ha_step() */
        bool lost, won, freed, gap, asked, hook_ended;

        bool hook_due; /* start the hook at hook_at, as soon as nothing runs */
        bool killing;  /* what runs is to die first; told again at kill_at */

        bool cause;     /* the next release is for cause */
        bool releasing; /* we led: HINT when the release is done */
        bool led;       /* demotion began as MASTER: there may be a way back */
        bool eager;     /* reclaim: no stagger */
        bool ordered;   /* the operator's order: no breaker, no stagger, no fitness */
        bool ack;       /* close the breaker in the row */
        bool free;      /* the lease may be taken, since free_since */
        bool active;    /* active services run, since active_since */

        enum ha_order order;
        enum ha_hook_end hook_end;

        /* the hook that should run, or runs */
        enum ha_hook hook;
        enum ha_mode mode;
        enum ha_event why;  /* HAMON_REASON */
        unsigned kills;     /* that the present one was sent */
        unsigned tries;     /* that ended without success, in this state */
        unsigned told;      /* alerts whose cause still stands, one bit each */
        uint64_t hook_id;   /* last one started */
        uint64_t hook_seen; /* last one whose end was taken notice of */
        msec_t hook_at, kill_at;
        msec_t assert_at; /* what is missing is not looked after before */

        uint64_t min_epoch;      /* highest epoch seen on the volume */
        uint64_t lead_epoch;     /* last epoch we held */
        uint64_t released_epoch; /* that of the last release sent */
        msec_t hold_off;         /* after a way back: no demotion without a new order before */
        msec_t free_since, active_since, ask_at;
        msec_t quiet_at; /* R: a hook that did not end well may have a request on its way until
                            then: no release, and no other hook that asks the provider, before that
                          */
        char from[LEASE_NAME]; /* who led before us */
        char to[LEASE_NAME];   /* whom the next release hints at */
};

void ha_init(struct ha *h, const struct ha_config *c, const char *me, uint64_t incarnation,
             msec_t now);

/* Another configuration while it runs; rank and n_nodes must be the same. False, and nothing has
 * changed, if ttl would grow while the lease is ours or may become so: the others wait by the old
 * one (R). */
bool ha_reconfigure(struct ha *h, const struct ha_config *c, msec_t now);

/* The statement under way ended. `row` only for a READ that is DONE. Then call ha_step(). */
void ha_answer(struct ha *h, enum lease_answer a, const struct lease_row *row, msec_t now);

void ha_step(struct ha *h, const struct ha_facts *f, msec_t now, struct ha_output *out);

/* What a step asks over the control socket: `lease EPOCH`. ok: a mutating step of this epoch (0 =
 * whatever is ours) may go on now. */
struct ha_permit {
        bool ok;
        uint64_t epoch;
        msec_t valid;       /* ms */
        msec_t renewed;     /* ms since the start of the last committed renewal */
        const char *reason; /* why not */
};
struct ha_permit ha_permit(const struct ha *h, uint64_t epoch, msec_t now);
/* Renew (or read) at once: ha_step() right after this will, unless a statement is under way. */
void ha_hurry(struct ha *h, msec_t now);

/* Would it take the lease by itself if that were free? What the node row's verdict says to others.
 */
bool ha_candidate(const struct ha *h, const struct ha_facts *f, msec_t now);

/* Nobody but a node in one of these may have the volume mounted or the active set running. */
bool ha_may_write(enum ha_state s);
