/* What goes wrong, and what the operator wants. FAULTS[] is drawn from by weight; most strike the
 * one who leads. A fault that may cost a node the lead says so (cause_until): without that, losing
 * it is a violation. */
#include "tests/sim/world.h"

enum { AFTER = TTL * 3 / 2 };

static void excuse(struct sim_node *n, msec_t until)
{
        if (n->cause_until < until)
                n->cause_until = until;
}

static struct sim_node *struck(struct world *w, int i)
{
        tell(w, i, "is struck");
        return &w->nodes[i];
}

static struct sim_node *anybody(struct world *w)
{
        return struck(w, (int)(rng_next(&w->rng) % (uint64_t)w->n_nodes));
}

/* Most faults strike the one who leads. */
static struct sim_node *victim(struct world *w)
{
        if (rng_chance(&w->rng, 40))
                return anybody(w);
        for (int i = 0; i < w->n_nodes; i++)
                if (w->nodes[i].alive && ha_may_write(w->nodes[i].ha.state))
                        return struck(w, i);
        return anybody(w);
}

static msec_t some_time(struct world *w)
{
        return rng_chance(&w->rng, 40) ? rng_between(&w->rng, 200, 3000)
                                       : rng_between(&w->rng, 3000, 20000);
}

/* ---- nodes ---- */

static void power(struct world *w)
{
        node_power_off(w, victim(w), rng_between(&w->rng, 3000, 20000));
}

void fault_freeze(struct world *w, struct sim_node *n)
{
        if (!n->alive || n->frozen)
                return;
        n->frozen = true;
        n->frozen_at = w->now;
        n->back_at = w->now + some_time(w);
        excuse(n, n->back_at + AFTER);
        db_topology(w);
}

static void freeze(struct world *w)
{
        fault_freeze(w, victim(w));
}

static void hang(struct world *w)
{
        struct sim_node *n = victim(w);

        if (!n->alive || !n->daemon || n->hung)
                return;
        n->hung = true;
        n->frozen_at = w->now;
        n->daemon_at = w->now + some_time(w);
        excuse(n, n->daemon_at + AFTER);
}

static void kill_daemon(struct world *w)
{
        node_kill_daemon(w, victim(w), rng_between(&w->rng, 100, 4000));
}

static void stop_member(struct world *w, struct sim_node *n, msec_t ms)
{
        if (!n->alive || !n->member)
                return;
        n->member = false;
        n->member_at = w->now + ms;
        db_topology(w);
}

static void member(struct world *w)
{
        stop_member(w, victim(w), some_time(w));
}

static void keepalived(struct world *w)
{
        if (w->nodes[0].rows_broken)
                return; /* then nobody could know that a master is sick and another one fit */
        if (rng_chance(&w->rng, 30))
                for (int i = 0; i < w->n_nodes; i++)
                        w->nodes[i].keepalived = false; /* for ever */
        else
                victim(w)->keepalived = false;
}

static void wrong_hint(struct world *w)
{
        anybody(w)->wrong_until = w->now + some_time(w);
}

static void daemon_and_member(struct world *w)
{
        struct sim_node *n = victim(w);

        stop_member(w, n, rng_between(&w->rng, 2500, 6000));
        node_kill_daemon(w, n, rng_between(&w->rng, 2000, 4500));
}

static void keepalived_and_member(struct world *w)
{
        struct sim_node *n = victim(w);

        n->keepalived = n->rows_broken;
        stop_member(w, n, rng_between(&w->rng, 1500, 3000));
}

/* ---- network ---- */

void fault_heal(struct world *w)
{
        for (int i = 0; i < w->n_nodes; i++) {
                w->nodes[i].api_cut = false;
                for (int j = 0; j < w->n_nodes; j++)
                        w->blocked[i][j] = false;
        }
        w->healed_at = -1;
        db_topology(w);
}

static void block(struct world *w, int i, int j, bool both)
{
        if (i == j)
                return;
        w->blocked[i][j] = true;
        if (both)
                w->blocked[j][i] = true;
}

static void cut_node(struct world *w, struct sim_node *n, bool both)
{
        for (int j = 0; j < w->n_nodes; j++)
                block(w, n->index, j, both);
        n->api_cut = rng_chance(&w->rng, 50);
        excuse(n, w->healed_at + AFTER);
}

static void cut(struct world *w)
{
        struct sim_node *n = victim(w), *other = anybody(w);

        if (w->healed_at >= 0)
                return;
        w->healed_at = w->now + some_time(w);
        switch (rng_next(&w->rng) % 4) {
        case 0:
                cut_node(w, n, true);
                break;
        case 1:
                cut_node(w, n, false);
                break;
        case 2:
                block(w, n->index, other->index, true);
                break;
        default: /* two halves */
                for (int i = 0; i < w->n_nodes / 2; i++)
                        for (int j = w->n_nodes / 2; j < w->n_nodes; j++)
                                block(w, i, j, true);
                for (int i = 0; i < w->n_nodes; i++)
                        excuse(&w->nodes[i], w->healed_at + AFTER);
        }
        db_topology(w);
}

static void stall(struct world *w)
{
        msec_t until = w->now + rng_between(&w->rng, 200, 5000);

        if (w->hang_until < until)
                w->hang_until = until;
        w->stall_at = w->hang_until;
}

static void lose_row(struct world *w)
{
        if (w->storage == STORAGE_EXCLUSIVE && rng_chance(&w->rng, 50))
                db_lose_row(w);
}

static void rows_broken(struct world *w)
{
        for (int i = 0; i < w->n_nodes; i++) {
                w->nodes[i].rows_broken = true; /* for ever */
                w->nodes[i].keepalived = w->nodes[i].alive;
        }
}

/* ---- provider, disk, services ---- */

static void api(struct world *w)
{
        msec_t until = w->now + rng_between(&w->rng, 1000, 40000);

        if (rng_chance(&w->rng, 60))
                w->api_down_until = until;
        else
                w->api_slow_until = until;
}

static void no_attach(struct world *w)
{
        struct sim_node *n = anybody(w);

        for (int i = 0; i < w->n_nodes; i++)
                if (w->nodes[i].no_attach || w->nodes[i].sick)
                        return;
        n->no_attach = true; /* for ever */
}

static void disk(struct world *w)
{
        struct sim_node *n = victim(w);

        if (rng_chance(&w->rng, 50))
                n->disk_until = w->now + some_time(w);
        else
                n->stuck_until = w->now + some_time(w);
        excuse(n, w->now + TTL * 3 + AFTER); /* a demotion then ends by force */
}

static void sick(struct world *w)
{
        struct sim_node *n = victim(w);

        n->sick = true;
        n->well_at = w->now + rng_between(&w->rng, 1000, 60000);
}

/* Every master falls ill: a poisoned mail, a bad update. */
static void poison(struct world *w)
{
        w->poison_until = w->now + rng_between(&w->rng, 20000, 90000);
}

/* This one is, and stays so. */
static void lemon(struct world *w)
{
        struct sim_node *n = victim(w);

        for (int i = 0; i < w->n_nodes; i++)
                if (w->nodes[i].no_attach || (w->nodes[i].sick && w->nodes[i].well_at < 0))
                        return;
        n->sick = true;
        n->well_at = -1;
}

static void unfit(struct world *w)
{
        anybody(w)->unfit_until = w->now + some_time(w);
}

static void unsure(struct world *w)
{
        anybody(w)->unsure_until = w->now + some_time(w);
}

static void missing(struct world *w)
{
        struct sim_node *n = victim(w);

        if (!ha_may_write(n->ha.state) && n->alive)
                n->running = true; /* somebody started it by hand */
        else if (rng_chance(&w->rng, 50))
                n->running = false;
        else
                w->address = NOBODY;
}

/* ---- the operator ---- */

void fault_order(struct world *w, struct sim_node *n)
{
        n->order = ORDER_SWITCHOVER;
        n->order_to = rng_chance(&w->rng, 50) ? NOBODY : anybody(w)->index;
        if (rng_chance(&w->rng, 15))
                n->order = ORDER_TAKEOVER;
        else if (rng_chance(&w->rng, 15))
                n->order = ORDER_ACK;
        if (node_runs(n))
                node_wake(w, n);
}

static void order(struct world *w)
{
        fault_order(w, victim(w));
}

static void maintenance(struct world *w)
{
        struct sim_node *n = victim(w);

        n->maintenance = !n->maintenance;
        if (node_runs(n))
                node_wake(w, n);
}

/* A wish, and something fails right in the middle of it. */
static void order_and(struct world *w)
{
        order(w);
        if (rng_chance(&w->rng, 50))
                w->api_down_until = w->now + some_time(w);
        else
                victim(w)->stuck_until = w->now + some_time(w);
}

static const struct {
        unsigned weight;
        void (*strike)(struct world *w);
        const char *name;
} FAULTS[] = {
        { 12, power, "power" },
        { 12, freeze, "freeze" },
        { 8, hang, "hang" },
        { 8, kill_daemon, "kill_daemon" },
        { 12, cut, "cut" },
        { 5, stall, "stall" },
        { 6, member, "member" },
        { 4, keepalived, "keepalived" },
        { 4, wrong_hint, "wrong_hint" },
        { 6, api, "api" },
        { 3, no_attach, "no_attach" },
        { 5, disk, "disk" },
        { 6, sick, "sick" },
        { 3, poison, "poison" },
        { 3, lemon, "lemon" },
        { 3, unfit, "unfit" },
        { 3, unsure, "unsure" },
        { 5, missing, "missing" },
        { 8, order, "order" },
        { 4, maintenance, "maintenance" },
        { 4, order_and, "order_and" },
        { 2, lose_row, "lose_row" },
        { 1, rows_broken, "rows_broken" },
        { 4, daemon_and_member, "daemon_and_member" },
        { 4, keepalived_and_member, "keepalived_and_member" },
};

void fault_strike(struct world *w)
{
        unsigned total = 0, draw;

        for (unsigned i = 0; i < sizeof FAULTS / sizeof FAULTS[0]; i++)
                total += FAULTS[i].weight;
        draw = (unsigned)(rng_next(&w->rng) % total);
        for (unsigned i = 0; i < sizeof FAULTS / sizeof FAULTS[0]; i++) {
                if (draw < FAULTS[i].weight) {
                        tell(w, NOBODY, "fault: %s", FAULTS[i].name);
                        FAULTS[i].strike(w);
                        break;
                }
                draw -= FAULTS[i].weight;
        }
        w->faults++;
        w->fault_at = w->now + rng_between(&w->rng, 300, 18000);
        if (rng_chance(&w->rng, 15))
                w->fault_at = w->now + rng_between(&w->rng, 1, 300); /* two at once */
}

/* Everything is repaired but what is for ever. */
void fault_calm(struct world *w)
{
        w->calm = true;
        w->api_down_until = w->api_slow_until = w->poison_until = w->now;
        if (w->hang_until > w->now && w->view_at < 0)
                w->hang_until = w->now;
        for (int i = 0; i < w->n_nodes; i++) {
                struct sim_node *n = &w->nodes[i];
                n->maintenance = false;
                n->unfit_until = n->disk_until = n->stuck_until = n->wrong_until = 0;
                if (n->sick && n->well_at >= 0)
                        n->well_at = w->now;
                if (n->back_at > w->now)
                        n->back_at = w->now;
                if (n->daemon_at > w->now)
                        n->daemon_at = w->now;
                if (n->member_at > w->now + 3000)
                        n->member_at = w->now + 3000;
        }
        fault_heal(w);
}
