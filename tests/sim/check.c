/* The invariants. Safety is looked at after every event, blame at every change of state, and that
 * somebody serves at the end. */
#include "tests/sim/world.h"

#include <stdio.h>
#include <string.h>

enum { BLAME = 12000, WAS_FIT = 8000 };

void violated(struct world *w, const char *what, int node)
{
        if (w->why[0])
                return;
        snprintf(w->why, sizeof w->why, "%s (%s, at %lld ms)", what,
                 node == NOBODY ? "all" : name_of(node), (long long)w->now);
}

/* ---- always ---- */

void check_always(struct world *w, uint64_t epoch_before)
{
        int writers = 0;

        for (int i = 0; i < w->n_nodes; i++) {
                const struct sim_node *n = &w->nodes[i];
                writers += n->alive && !n->frozen && n->mounted && n->live;
        }
        if (writers > 1)
                violated(w, "two writers", NOBODY);
        if (w->row.epoch < epoch_before && w->lost_row_at != w->now)
                violated(w, "the epoch went back", NOBODY);
}

void check_mount(struct world *w, const struct sim_node *n, uint64_t epoch, uint64_t incarnation)
{
        const struct ha_epoch *f = &w->file;

        if (!f->known || epoch > f->epoch)
                return;
        if (epoch < f->epoch)
                violated(w, "mounted an older epoch", n->index);
        else if (incarnation != f->incarnation)
                violated(w, "mounted another's epoch", n->index);
}

static bool leads(const struct world *w, const struct sim_node *n)
{
        return n->alive && strcmp(w->row.holder, n->ha.lease.me) == 0 &&
               w->row.incarnation == n->incarnation && lease_valid(&n->ha.lease, local_time(w, n));
}

/* The volume or the power is taken from a node. */
void check_taken(struct world *w, int from, enum request_kind kind, int by)
{
        const struct sim_node *n = &w->nodes[from];

        if (by == from && !(n->mounted && n->live))
                return; /* its own, and unmounted */
        if (w->lost_row && w->now - w->lost_row_at < 2 * TTL)
                return; /* it led by a row that was lost, or by one that is back: no telling */
        if (leads(w, n) && (kind == REQUEST_POWEROFF || n->mounted))
                violated(w, "robbed the holder of the lease", from);
}

/* ---- blame ---- */

static bool is_excused(const struct world *w, const struct sim_node *n)
{
        return w->now <= n->cause_until || (w->lost_row && w->now - w->lost_row_at < 2 * TTL);
}

static bool database_was_bad(const struct world *w, const struct sim_node *n)
{
        return (n->trouble_at >= 0 && w->now - n->trouble_at < BLAME) ||
               (w->stall_at >= 0 && w->now - w->stall_at < BLAME);
}

static void check_cause(struct world *w, const struct sim_node *n)
{
        if (!facts_sick(w, n))
                violated(w, "demoted for cause without one", n->index);
        bool other = false;
        for (int j = 0; j < w->n_nodes; j++)
                other |= j != n->index && w->nodes[j].fit_at >= 0 &&
                         w->now - w->nodes[j].fit_at < WAS_FIT;
        if (!other || !cloud_answers(w, n))
                violated(w, "demoted itself though nobody could take over", n->index);
}

/* One more move for cause is done. */
static void count_move(struct world *w, const struct sim_node *n)
{
        unsigned recent = 0;

        w->moves[w->n_moves++ % 32] = w->now;
        for (unsigned i = 0; i < 32 && i < w->n_moves; i++)
                recent += w->now - w->moves[i] < w->config.breaker.wait;
        if (recent > 2 * w->real_max && !w->acked)
                violated(w, "more fail-overs than the breaker allows", n->index);
}

static void left_master(struct world *w, struct sim_node *n, const struct ha_action *a)
{
        n->was_master = a->to_state == ST_DEMOTING;
        n->for_cause = a->event == EV_UNFIT || a->event == EV_ASKED;
        switch (a->event) {
        case EV_SWITCHOVER:
        case EV_MAINTENANCE_ON:
                return;
        case EV_UNFIT:
        case EV_ASKED:
                check_cause(w, n);
                return;
        case EV_LEASE_LOST:
                if (!is_excused(w, n) && !database_was_bad(w, n))
                        violated(w, "lost the lease without a cause", n->index);
                return;
        default:
                if (!is_excused(w, n))
                        violated(w, "stopped serving without a cause", n->index);
        }
}

static void left_init(struct world *w, struct sim_node *n, const struct ha_action *a)
{
        if (a->to_state == ST_MASTER) {
                if (!n->mounted || n->file.incarnation != n->incarnation ||
                    n->file.epoch != n->ha.lease.epoch)
                        violated(w, "adopted what is not there", n->index);
        } else if (n->was_master && n->mounted && n->live && w->now - n->killed_at < TTL / 2 &&
                   !is_excused(w, n) && !database_was_bad(w, n)) {
                violated(w, "a restart of the daemon stopped the service", n->index);
        }
}

void check_note(struct world *w, struct sim_node *n, const struct ha_action *a)
{
        tell(w, n->index, "%s -> %s: %s (%s)", HA_STATES[a->from_state], HA_STATES[a->to_state],
             HA_EVENTS[a->event], a->comment);
        if (a->event == EV_ACK || a->event == EV_UNHALT)
                w->acked = true;
        if (a->from_state == ST_CLAIMING)
                n->was_master = false;
        if (a->from_state == ST_MASTER)
                left_master(w, n, a);
        if (a->from_state == ST_INIT)
                left_init(w, n, a);
        if (a->from_state == ST_DEMOTING && a->to_state == ST_STANDBY && n->was_master &&
            n->for_cause)
                count_move(w, n);
        if (a->event == EV_CLAIM && (!facts_fit(w, n) || w->now < n->unsure_until))
                violated(w, "claimed without being known to be fit", n->index);
        if (a->from_state == ST_DEMOTING && a->to_state == ST_FENCING && n->was_master &&
            n->mounted && a->event != EV_LEASE_LOST && lease_valid(&n->ha.lease, local_time(w, n)))
                violated(w, "left by force though there was a way back", n->index);
}

/* ---- the end ---- */

/* Nobody better can be had: all others are out of the race. */
static bool is_best(const struct world *w, const struct sim_node *n)
{
        struct lease_row row = w->row;

        row.since_age = w->now - row.since_age;
        if (breaker_open(&w->config.breaker, &row, true))
                return true;
        for (int j = 0; j < w->n_nodes; j++)
                if (j != n->index && w->nodes[j].fit_at == w->nodes[j].wake_last)
                        return false;
        return true;
}

/* A healthy majority has a master in bounded time after the last fault. True: the run may end. */
bool check_end(struct world *w)
{
        int by = NOBODY;

        for (int i = 0; i < w->n_nodes; i++) {
                struct sim_node *n = &w->nodes[i];
                bool sick = n->sick;
                n->sick = false;
                bool serves = facts_serves(w, n);
                n->sick = sick;
                if (n->ha.state == ST_MASTER && serves && (!sick || is_best(w, n)))
                        by = i;
        }
        if (by == NOBODY || by != w->served_by)
                w->served_since = w->now;
        w->served_by = by;
        if (w->calm && by != NOBODY && w->now - w->served_since >= STEADY &&
            w->now - w->calm_at >= STEADY)
                return true;
        if (w->calm && w->now - w->calm_at >= CALM)
                violated(w, by == NOBODY ? "nobody serves" : "it does not settle", NOBODY);
        return false;
}
