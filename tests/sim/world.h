/* The simulated world of tests/sim: a Galera row that commits late, twice-lost answers and all, and
 * the nodes' clocks and failures. Time is true time in ms; nothing here reads a real clock. */
#pragma once

#include "hamon/core/lease.h"

enum { MAX_NODES = 9, HISTORY = 8 };

/* What a mutant breaks: each must be caught by some seed, or the simulator proves nothing. */
enum mutant {
        MUTANT_NONE,
        MUTANT_NO_WAIT,        /* a challenger waits a quarter of ttl only */
        MUTANT_VALID_FROM_END, /* validity counts from the answer, not from the statement */
        MUTANT_UNKNOWN_IS_WON, /* a lost answer is taken for success */
        MUTANT_NO_BEAT,        /* the compare-and-set ignores the beat */
        MUTANT_TWINS,          /* two nodes share name and incarnation */
        MUTANT_ADOPT,          /* a row that names us is ours, claimed or not */
        MUTANT_HELD_IS_VALID,  /* a writer asks "held?", not "still valid?" */
        MUTANT_EARLY_RELEASE, /* a release counts when it is sent, but writing goes on until told */
        MUTANT_COUNT_
};

extern const char *const MUTANTS[MUTANT_COUNT_];

struct rng {
        uint64_t s;
};
uint64_t rng_next(struct rng *r);
msec_t rng_between(struct rng *r, msec_t lo, msec_t hi);
bool rng_chance(struct rng *r, unsigned percent);

/* A statement on its way: it may commit, and its answer may arrive, each at its own time or never.
 */
struct flight {
        bool flying, commits, answered;
        struct lease_statement s;
        msec_t commit_at, answer_at; /* -1 = never */
        enum lease_answer answer;
        struct lease_row row; /* what a READ saw */
};

struct late { /* a statement whose sender gave up, still able to commit */
        bool live;
        int node;
        uint64_t incarnation;
        char holder[LEASE_NAME];
        struct lease_statement s;
        msec_t at;
};

struct sim_node {
        struct lease lease;
        struct lease_wish wish;
        struct flight flight;
        bool alive, frozen, cut;
        bool hung;         /* the daemon stands still, its containers do not: the guard's case */
        msec_t back_at;    /* end of the present fault */
        msec_t offset;     /* local clock = true time * rate + offset */
        int rate_ppm;      /* parts per million fast or slow */
        msec_t release_at; /* an operator's wish; -1 = none */
        bool stopping;     /* MUTANT_EARLY_RELEASE: still writing after the release was sent */
};

struct world {
        struct rng rng;
        enum mutant mutant;
        int n_nodes;
        msec_t now, hang_until; /* nothing commits before hang_until */
        struct lease_row row, history[HISTORY];
        unsigned n_history;
        struct sim_node nodes[MAX_NODES];
        struct late late[16];
        uint64_t events, takeovers;
        bool calm; /* the end of a run: no new faults */
        char why[160];
};

msec_t local_time(const struct world *w, const struct sim_node *n);

/* Run one seed for `length` ms of faults and then a calm time. False: an invariant broke (why). */
bool world_run(struct world *w, uint64_t seed, int n_nodes, enum mutant m, msec_t length);
