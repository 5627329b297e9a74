/* One seed = one world. Events only: the next thing that happens is found and time jumps there. */
#include "tests/sim/world.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const NAMES[MAX_NODES] = {
        "n0", "n1", "n2", "n3", "n4", "n5", "n6", "n7", "n8"
};

msec_t local_time(const struct world *w, const struct sim_node *n)
{
        return w->now + w->now * n->rate_ppm / 1000000 + n->offset;
}

int index_of(const struct world *w, const char *name)
{
        int i = name[0] == 'n' ? name[1] - '0' : NOBODY;

        return i >= 0 && i < w->n_nodes ? i : NOBODY;
}

const char *name_of(int i)
{
        return i == NOBODY ? "" : NAMES[i];
}

void tell(const struct world *w, int node, const char *fmt, ...)
{
        va_list args;

        if (!w->trace)
                return;
        printf("%8lld %-3s ", (long long)w->now, name_of(node));
        va_start(args, fmt);
        vprintf(fmt, args);
        va_end(args);
        putchar('\n');
}

/* ---- begin ---- */

static void configure(struct world *w)
{
        struct ha_config *c = &w->config;
        uint64_t draw = rng_next(&w->rng) % 10;

        w->storage = draw < 6 ? STORAGE_EXCLUSIVE : draw < 8 ? STORAGE_STONITH : STORAGE_WATCHDOG;
        *c = (struct ha_config){
                .lease = { .ttl = TTL, .renew = RENEW_MS },
                .breaker = { .wait = rng_between(&w->rng, 60000, 300000),
                             .max = (unsigned)rng_between(&w->rng, 1, 4) },
                .n_nodes = (unsigned)w->n_nodes,
                .stale = 5000,
                .master_timeout = 60000,
                .backup_timeout = 20000,
        };
        ha_config_fill(c);
        c->lease.margin = w->mutant == MUTANT_NO_MARGIN ? 0 : MARGIN;
        c->in_flight = IN_FLIGHT;
        c->breaker.pause = w->mutant == MUTANT_HALTED_DEAD ? 1000 * CALM : 15000;
        c->breaker.most = w->mutant == MUTANT_HALTED_DEAD ? 1000 * CALM : 40000;
        if (w->mutant == MUTANT_HINT_ONLY)
                c->stagger = 1000 * CALM;
        if (w->mutant == MUTANT_NEVER_GIVE_UP)
                c->give_up = 1000 * CALM;
        if (w->mutant == MUTANT_NO_QUIET)
                c->in_flight = 0;
}

static void begin(struct world *w, uint64_t seed, const struct world_plan *p)
{
        memset(w, 0, sizeof *w);
        w->rng.s = seed * 0x2545f4914f6cdd1du + 1;
        w->mutant = p->mutant;
        w->n_nodes = p->nodes;
        w->trace = p->trace;
        w->attached = w->address = w->served_by = NOBODY;
        w->stall_at = w->lost_row_at = w->healed_at = -1;
        configure(w);
        w->real_max = w->config.breaker.max;
        if (w->mutant == MUTANT_NO_BREAKER)
                w->config.breaker.max = 1000000;
        w->row.epoch = (uint64_t)rng_between(&w->rng, 0, 500); /* of a life before */
        w->file = (struct ha_epoch){ .known = true, .epoch = w->row.epoch, .incarnation = 1 };
        db_begin(w);
        for (int i = 0; i < w->n_nodes; i++) {
                struct sim_node *n = &w->nodes[i];
                n->index = i;
                n->offset = rng_between(&w->rng, 0, 1000000);
                n->rate_ppm = (int)rng_between(&w->rng, -200, 200);
                n->trouble_at = n->fit_at = n->killed_at = n->hint_at = -TTL;
                n->hint_at = n->bad_at = -1;
                node_boot(w, n);
                n->member = true;
                n->member_at = -1;
        }
        w->fault_at = rng_between(&w->rng, 1000, 20000);
}

/* ---- the loop ---- */

static void earlier(msec_t *at, msec_t other)
{
        if (other >= 0 && other < *at)
                *at = other;
}

static msec_t next_event(const struct world *w, msec_t horizon)
{
        msec_t at = horizon;

        for (int i = 0; i < w->n_nodes; i++)
                earlier(&at, node_next(w, &w->nodes[i]));
        for (int i = 0; i < LATE; i++)
                if (w->late[i].live)
                        earlier(&at, w->late[i].at);
        for (int i = 0; i < REQUESTS; i++)
                if (w->requests[i].live)
                        earlier(&at, w->requests[i].at);
        earlier(&at, w->view_at);
        earlier(&at, w->healed_at);
        return at <= w->now ? w->now + 1 : at;
}

static void happen(struct world *w)
{
        if (w->view_at >= 0 && w->now >= w->view_at)
                db_topology(w);
        if (w->healed_at >= 0 && w->now >= w->healed_at)
                fault_heal(w);
        db_late_due(w);
        cloud_due(w);
        for (int i = 0; i < w->n_nodes; i++)
                node_due(w, &w->nodes[i]);
}

bool world_run(struct world *w, uint64_t seed, const struct world_plan *p)
{
        begin(w, seed, p);
        for (;;) {
                uint64_t epoch = w->row.epoch;
                msec_t horizon = w->calm ? w->calm_at + CALM
                                         : (w->fault_at < p->length ? w->fault_at : p->length);
                w->now = next_event(w, horizon);
                w->events++;
                if (!w->calm && w->now >= p->length) {
                        w->calm_at = w->now;
                        tell(w, NOBODY, "calm");
                        fault_calm(w);
                } else if (!w->calm && w->now >= w->fault_at) {
                        fault_strike(w);
                }
                happen(w);
                check_always(w, epoch);
                if (check_end(w) || w->why[0])
                        return !w->why[0];
        }
}
