/* The simulated world of tests/sim: N nodes that run hamon/core, a Galera row that commits late, a
 * volume behind a slow and unreliable provider, hooks that take their time, keepalived, guards,
 * power cuts. One seed = one world. Time is true time in ms; nothing here reads a real clock.
 *
 *     world.c  the loop: what happens next; begin and end of a run
 *     node.c   one node: its daemon's wake-ups, guard, boot
 *     facts.c  what a daemon sees of the world
 *     db.c     membership, statements and their fates
 *     cloud.c  the provider: requests, actions, the volume
 *     hook.c   master.sh and backup.sh, step by step
 *     fault.c  what goes wrong, and the operator
 *     check.c  invariants
 *     mutant.c the rules, each broken on purpose */
#pragma once

#include "hamon/core/ha.h"
#include "tests/sim/mutant.h"
#include "tests/sim/rng.h"

enum {
        MAX_NODES = 9,
        HISTORY = 8,
        LATE = 16,
        REQUESTS = 16,
        NOBODY = -1,
        TTL = 10000,
        MARGIN = 2000,
        IN_FLIGHT = 1500,
        DEADLINE = 2000, /* of a statement */
        RENEW_MS = 1000,
        ROW_STALE = 5000,
        CALM = 300000, /* so long after the last fault a master must serve */
        STEADY = 15000 /* and go on for so long */
};

/* What keeps a second writer off the volume. */
enum storage {
        STORAGE_EXCLUSIVE, /* attached to one server only; detach is a fence */
        STORAGE_STONITH,   /* shared disk; whoever does not say "clean" is powered off */
        STORAGE_WATCHDOG,  /* shared disk; the old holder's guard and watchdog have fenced it */
        STORAGE_COUNT_
};

/* A statement on its way: it may commit, and its answer may arrive, each at its own time or never.
 */
struct flight {
        bool flying, commits;
        struct lease_statement s;
        msec_t commit_at, answer_at; /* -1 = never */
        enum lease_answer answer;
        struct lease_row row; /* what a READ saw */
};

struct late { /* a statement whose sender gave up, still able to commit */
        bool live;
        int node;
        uint64_t incarnation;
        struct lease_statement s;
        msec_t at;
};

/* ---- the provider ---- */

enum request_kind { REQUEST_ATTACH, REQUEST_DETACH, REQUEST_POWEROFF };

struct request { /* on its way, or the action it became */
        bool live, running;
        enum request_kind kind;
        int from, server; /* who asked; for which server (DETACH: unused) */
        msec_t at;        /* arrives, or ends */
};

/* ---- hooks ---- */

enum step {
        STEP_LOOK,
        STEP_FENCE_OLD,
        STEP_DETACH,
        STEP_ATTACH,
        STEP_MOUNT,
        STEP_FILE,
        STEP_START,
        STEP_PROBE,
        STEP_ADDRESS,
        STEP_STOP,
        STEP_UMOUNT,
        STEP_LET_GO, /* backup.sh's own detach */
        STEP_KILL,   /* fence */
        STEP_PROVE,
};

enum phase { PHASE_BEGIN, PHASE_ASK, PHASE_SEND, PHASE_WAIT, PHASE_POLL, PHASE_KERNEL };

struct proc { /* a hook's process group */
        bool live, ended, leftover;
        uint64_t id;
        enum ha_hook hook;
        enum ha_mode mode;
        enum ha_hook_end end;
        uint64_t epoch;
        enum step step;
        enum phase phase;
        int from;            /* who led before */
        int target;          /* whom FENCE_OLD powers off */
        msec_t at;           /* true time of its next act */
        msec_t until;        /* true time: the patience of this step */
        msec_t deadline;     /* true time: of the hook */
        msec_t die_at;       /* killed: -1 = no */
        msec_t began, asked; /* local time: when it began to ask, when it was told yes */
        msec_t valid;        /* local time: until when it may send */
};

/* ---- nodes ---- */

struct sim_node {
        int index;
        struct ha ha;
        struct ha_output out;
        struct flight flight;
        msec_t sent_at;           /* true time */
        struct proc proc, zombie; /* zombie: mutants only */

        /* what lives */
        bool alive, frozen, daemon, hung, keepalived, member;
        msec_t back_at;   /* end of the present fault of the node; -1 = none */
        msec_t daemon_at; /* the daemon is started or continued; -1 = no */
        msec_t member_at; /* the local database is back; -1 = no */
        msec_t wake_at;   /* the daemon's timer */
        msec_t frozen_at;
        msec_t offset; /* local clock = true time * rate + offset */
        int rate_ppm;
        uint64_t incarnation;

        /* the volume and the services here */
        bool mounted, running;
        bool live;          /* the mount is of the volume as it is attached now */
        msec_t disk_until;  /* the disk hangs */
        msec_t stuck_until; /* containers do not stop */

        /* guard */
        bool guard;
        msec_t guard_deadline; /* local */
        msec_t guard_at;       /* true time of its next act */
        bool guard_killed, guard_stopped;
        unsigned guard_tries;

        /* health */
        bool sick;           /* the active services fail here */
        msec_t well_at;      /* sick until then; -1 = not for a time */
        msec_t bad_at;       /* since when mail does not work here; -1 = it does */
        msec_t unfit_until;  /* fails a standby's measure */
        msec_t unsure_until; /* nothing known yet */
        bool api_cut;        /* does not reach the provider */
        bool no_attach;      /* the provider cannot attach to this server */
        bool rows_broken;    /* its row in the node table is not seen by others */
        bool published;      /* what its row says: candidate */
        msec_t published_at;

        /* what its daemon remembers */
        msec_t looked_at;     /* the provider was asked */
        int seen_at;          /* where the volume was then */
        struct ha_epoch file; /* as its steps reported */
        char release_to[LEASE_NAME];
        uint64_t release_epoch;
        msec_t hint_at; /* a hint or a question arrives; -1 = none */
        bool hint_is_ask;
        int hint_from, hint_to;
        uint64_t hint_epoch;
        bool poke, asked;
        int asker;
        msec_t gap;
        enum ha_order order;
        int order_to;
        bool maintenance;
        msec_t maintenance_until;
        msec_t wrong_until; /* keepalived says MASTER though it is not */

        enum ha_track track;

        /* for the invariants */
        bool was_master;    /* before its daemon was killed, or its demotion began */
        bool for_cause;     /* that demotion was */
        msec_t wake_last;   /* its last step */
        msec_t fit_at;      /* last time it would have claimed */
        msec_t cause_until; /* may lose the lead without being blamed */
        msec_t trouble_at;  /* a statement of its was spoiled */
        msec_t killed_at;   /* its daemon was */
};

struct world {
        struct rng rng;
        enum mutant mutant;
        int n_nodes;
        enum storage storage;
        msec_t now;
        struct ha_config config;

        /* database */
        struct lease_row row, history[HISTORY]; /* since_age: the true time of `since` */
        unsigned n_history;
        unsigned view, view_next; /* Primary component: a bit per node */
        msec_t view_at;           /* view_next comes true; -1 = no change */
        msec_t hang_until;        /* nothing commits before */
        msec_t stall_at;          /* last time it hung without a failure */
        struct late late[LATE];

        /* provider */
        struct request requests[REQUESTS];
        int attached, address;
        struct ha_epoch file; /* on the volume */
        msec_t poison_until;  /* every master falls ill after a while */
        msec_t api_down_until, api_slow_until;

        bool blocked[MAX_NODES][MAX_NODES]; /* nothing gets from i to j */
        msec_t healed_at;                   /* when it is unblocked; -1 = nothing is */

        struct sim_node nodes[MAX_NODES];
        msec_t fault_at;
        unsigned faults;
        bool trace; /* tell what happens */
        bool calm, lost_row;
        bool acked;        /* the breaker was closed by hand or by time */
        unsigned real_max; /* max_failovers; MUTANT_NO_BREAKER: what it should be */
        msec_t calm_at;
        msec_t lost_row_at;
        int served_by;       /* who serves well */
        msec_t served_since; /* since when */
        msec_t moves[32];    /* demotions for cause */
        unsigned n_moves;

        uint64_t events, takeovers;
        uint32_t seen[ST_COUNT_];
        char why[160];
};

struct world_plan {
        int nodes;
        msec_t length; /* of the faults */
        enum mutant mutant;
        bool trace;
};

/* ---- world.c ---- */
__attribute__((format(printf, 3, 4))) void tell(const struct world *w, int node, const char *fmt,
                                                ...); /* with --trace only */
msec_t local_time(const struct world *w, const struct sim_node *n);
int index_of(const struct world *w, const char *name); /* NOBODY = none of ours */
const char *name_of(int i);                            /* NOBODY = "" */
void violated(struct world *w, const char *what, int node);
/* Run one seed: faults, and then a calm time. False: an invariant broke (why). */
bool world_run(struct world *w, uint64_t seed, const struct world_plan *p);

/* ---- node.c ---- */
void node_boot(struct world *w, struct sim_node *n);
void node_power_off(struct world *w, struct sim_node *n, msec_t back_after);
void node_start_daemon(struct world *w, struct sim_node *n);
void node_kill_daemon(struct world *w, struct sim_node *n, msec_t back_after);
void node_thaw(struct world *w, struct sim_node *n);
void node_due(struct world *w, struct sim_node *n); /* whatever of it is due now */
msec_t node_next(const struct world *w, const struct sim_node *n);
bool node_runs(const struct sim_node *n); /* its daemon does */
bool node_answers(const struct world *w, const struct sim_node *n, const struct sim_node *to);
void node_wake(struct world *w, struct sim_node *n);

/* ---- facts.c ---- */
void facts_fill(struct world *w, struct sim_node *n, struct ha_facts *f);
bool facts_serves(const struct world *w, const struct sim_node *n); /* mail works there */
bool facts_ill(const struct world *w, const struct sim_node *n);    /* its services fail */
bool facts_sick(const struct world *w, const struct sim_node *n);   /* for good */
bool facts_fit(const struct world *w, const struct sim_node *n);    /* by a standby's measure */

/* ---- db.c ---- */
void db_begin(struct world *w);
void db_topology(struct world *w); /* who is there and sees whom may have changed */
bool db_reaches(const struct world *w, const struct sim_node *n); /* some member that commits */
bool linked(const struct world *w, int i, int j);
void db_send(struct world *w, struct sim_node *n, struct lease_statement s);
void db_give_up(struct world *w, struct sim_node *n);
void db_due(struct world *w, struct sim_node *n);
void db_late_due(struct world *w);
void db_lose_row(struct world *w);

/* ---- cloud.c ---- */
bool cloud_answers(const struct world *w, const struct sim_node *n);
void cloud_request(struct world *w, enum request_kind kind, int from, int server, msec_t delay);
bool cloud_busy(const struct world *w);
void cloud_due(struct world *w);

/* ---- hook.c ---- */
void hook_start(struct world *w, struct sim_node *n, const struct ha_action *a);
void hook_kill(struct world *w, struct sim_node *n);
void hook_due(struct world *w, struct sim_node *n, struct proc *p);
msec_t hook_next(const struct proc *p);

/* ---- fault.c ---- */
void fault_strike(struct world *w);
void fault_freeze(struct world *w, struct sim_node *n);
void fault_order(struct world *w, struct sim_node *n);
void fault_heal(struct world *w);
void fault_calm(struct world *w);

/* ---- check.c ---- */
void check_always(struct world *w, uint64_t epoch_before);
void check_note(struct world *w, struct sim_node *n, const struct ha_action *note);
void check_mount(struct world *w, const struct sim_node *n, uint64_t epoch, uint64_t incarnation);
void check_taken(struct world *w, int from, enum request_kind kind, int by);
bool check_end(struct world *w);
