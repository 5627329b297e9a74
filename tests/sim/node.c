/* One node: what its power, its daemon and its guard do. */
#include "tests/sim/world.h"

#include <string.h>

enum { SLEPT = 2000, GUARD_EVERY = 100, GUARD_PATIENCE = 400 };

bool node_runs(const struct sim_node *n)
{
        return n->alive && !n->frozen && n->daemon && !n->hung;
}

/* On the peer channel: a question of `to` to n. */
bool node_answers(const struct world *w, const struct sim_node *n, const struct sim_node *to)
{
        return node_runs(n) && linked(w, n->index, to->index);
}

void node_wake(struct world *w, struct sim_node *n)
{
        n->wake_at = w->now;
}

/* ---- power ---- */

void node_start_daemon(struct world *w, struct sim_node *n)
{
        bool twin = w->mutant == MUTANT_TWINS && n->index == 1;
        struct ha_config c = w->config;

        c.rank = (unsigned)n->index;
        n->daemon = true;
        n->hung = false;
        n->daemon_at = -1;
        n->flight.flying = false;
        if (!n->proc.live)
                n->proc = (struct proc){ .live = false };
        n->proc.leftover = n->proc.live;
        n->file.known = false;
        if (n->mounted && n->live)
                n->file = w->file;
        n->release_to[0] = '\0';
        n->poke = n->asked = false;
        n->order = ORDER_NONE;
        n->gap = 0;
        n->looked_at = -TTL;
        n->seen_at = NOBODY;
        n->bad_at = -1;
        n->unsure_until = w->now + rng_between(&w->rng, 300, 1500);
        ha_init(&n->ha, &c, name_of(twin ? 0 : n->index), n->incarnation, local_time(w, n));
        node_wake(w, n);
}

void node_boot(struct world *w, struct sim_node *n)
{
        tell(w, n->index, "boots");
        n->alive = n->keepalived = true;
        n->frozen = n->mounted = n->live = n->guard = false;
        n->back_at = -1;
        n->member_at = w->now + rng_between(&w->rng, 500, 4000);
        n->incarnation = w->mutant == MUTANT_TWINS && n->index < 2 ? 7 : rng_next(&w->rng);
        n->running = rng_chance(&w->rng, 3); /* somebody's restart policy */
        n->track = HA_TRACK_UNFIT;
        n->was_master = false;
        n->proc = (struct proc){ .live = false };
        n->zombie = n->proc;
        node_start_daemon(w, n);
}

void node_power_off(struct world *w, struct sim_node *n, msec_t back_after)
{
        if (!n->alive)
                return;
        tell(w, n->index, "power off");
        db_give_up(w, n);
        n->alive = n->frozen = n->daemon = n->member = n->keepalived = false;
        n->mounted = n->live = n->running = n->guard = false;
        n->proc.live = n->zombie.live = false;
        n->daemon_at = n->member_at = n->hint_at = -1;
        n->disk_until = n->stuck_until = 0;
        n->back_at = w->now + back_after;
        n->cause_until = n->back_at + TTL * 3 / 2;
        db_topology(w);
}

void node_kill_daemon(struct world *w, struct sim_node *n, msec_t back_after)
{
        if (!n->alive || !n->daemon)
                return;
        if (w->now - n->killed_at < TTL * 3 / 2)
                n->cause_until = w->now + back_after + TTL * 3 / 2; /* twice is bad luck */
        tell(w, n->index, "daemon is killed");
        if (n->hung && n->cause_until < w->now + back_after + TTL * 3 / 2)
                n->cause_until = w->now + back_after + TTL * 3 / 2;
        n->killed_at = w->now;
        n->was_master = n->ha.state == ST_MASTER;
        db_give_up(w, n);
        n->daemon = n->hung = false;
        n->hint_at = -1;
        n->daemon_at = w->now + back_after;
}

/* The daemon goes on after a pause. */
static void wakes_up(struct world *w, struct sim_node *n)
{
        msec_t slept = w->now - n->frozen_at;

        if (slept > SLEPT)
                n->gap = slept;
        if (n->cause_until < w->now + TTL * 3 / 2)
                n->cause_until = w->now + TTL * 3 / 2;
        node_wake(w, n);
}

void node_thaw(struct world *w, struct sim_node *n)
{
        n->frozen = false;
        n->back_at = -1;
        wakes_up(w, n);
        if (n->gap > 0) {
                n->unsure_until = w->now + rng_between(&w->rng, 500, 3000);
        }
        db_topology(w);
}

/* ---- guard ---- */

static void guard_told(struct world *w, struct sim_node *n)
{
        msec_t deadline = n->out.guard_deadline;

        if (n->out.guard == GUARD_OFF)
                n->guard = false;
        if (n->out.guard != GUARD_ARM)
                return;
        if (w->mutant == MUTANT_GUARD_LATE)
                deadline += TTL;
        n->guard = true;
        n->guard_killed = n->guard_stopped = false;
        n->guard_deadline = deadline;
        n->guard_at = w->now + (deadline - local_time(w, n));
        if (n->guard_at <= w->now)
                n->guard_at = w->now + 1;
}

/* A mount that is not through yet holds the device: open(O_EXCL) fails. */
static bool is_mounting(const struct proc *p)
{
        return p->live && p->step == STEP_MOUNT && p->phase == PHASE_KERNEL;
}

static void guard_fire(struct world *w, struct sim_node *n)
{
        bool mounting = is_mounting(&n->proc) || is_mounting(&n->zombie);

        if (n->alive && !n->frozen && (n->running || n->mounted || mounting)) {
                if (!n->guard_killed) {
                        n->guard_killed = true;
                        n->guard_at = w->now + rng_between(&w->rng, 20, 100);
                        return;
                }
                if (!n->guard_stopped) {
                        n->guard_stopped = true;
                        n->running = false;
                        n->guard_at = w->now + rng_between(&w->rng, 10, 700);
                        return;
                }
                if (w->now < n->disk_until) { /* it does not let go: then the watchdog */
                        n->guard_at = w->now + GUARD_PATIENCE;
                        if (n->guard_tries++ > 0)
                                node_power_off(w, n, rng_between(&w->rng, 4000, 15000));
                        return;
                }
                n->running = n->mounted = n->live = false;
                node_wake(w, n);
        }
        n->guard_killed = n->guard_stopped = false;
        n->guard_tries = 0;
        n->guard_at = w->now + GUARD_EVERY; /* a mount may still be on its way */
}

static void guard_due(struct world *w, struct sim_node *n)
{
        if (!n->guard || w->now < n->guard_at)
                return;
        if (local_time(w, n) < n->guard_deadline) {
                n->guard_at = w->now + 1;
                return;
        }
        if (!n->frozen)
                guard_fire(w, n);
        else if (w->storage == STORAGE_WATCHDOG)
                node_power_off(w, n, rng_between(&w->rng, 4000, 15000));
        else
                n->guard_at = INT64_MAX; /* until it thaws */
}

/* ---- what the daemon does ---- */

static void send_hint(struct world *w, const struct sim_node *n, const struct ha_action *a)
{
        bool is_ask = a->kind == ACTION_ASK;
        int to = index_of(w, a->to);

        for (int j = 0; j < w->n_nodes; j++) {
                struct sim_node *o = &w->nodes[j];
                if (j == n->index || (is_ask && j != to) || !node_answers(w, o, n) ||
                    (is_ask && w->mutant == MUTANT_NO_ASK))
                        continue;
                o->hint_at = w->now + rng_between(&w->rng, 1, 20);
                o->hint_is_ask = is_ask;
                o->hint_from = n->index;
                o->hint_to = to;
                o->hint_epoch = a->epoch;
        }
}

static void take_hint(struct world *w, struct sim_node *n)
{
        n->hint_at = -1;
        if (!node_runs(n))
                return;
        if (n->hint_is_ask) {
                n->asked = true;
                n->asker = n->hint_from;
        } else {
                memcpy(n->release_to, name_of(n->hint_to), strlen(name_of(n->hint_to)) + 1);
                n->release_epoch = n->hint_epoch;
                n->poke = true;
        }
        node_wake(w, n);
}

static void carry_out(struct world *w, struct sim_node *n, const struct ha_action *a)
{
        switch (a->kind) {
        case ACTION_START_HOOK:
                hook_start(w, n, a);
                break;
        case ACTION_KILL_HOOK:
                hook_kill(w, n);
                break;
        case ACTION_FENCE_NOW:
                n->guard = w->mutant != MUTANT_NO_FENCE;
                n->guard_deadline = local_time(w, n);
                n->guard_at = w->now + 1;
                break;
        case ACTION_HINT:
        case ACTION_ASK:
                send_hint(w, n, a);
                break;
        case ACTION_NOTE:
                check_note(w, n, a);
                break;
        case ACTION_ALERT:
                tell(w, n->index, "alert: %s", HA_ALERTS[a->alert]);
                break;
        case ACTION_ANSWER:
                tell(w, n->index, "order %s: %s", a->accepted ? "accepted" : "refused", a->comment);
                break;
        }
}

static void publish(struct world *w, struct sim_node *n, const struct ha_facts *f)
{
        n->wake_last = w->now;
        bool fit = ha_candidate(&n->ha, f, local_time(w, n));

        if (fit)
                n->fit_at = w->now;
        if (n->rows_broken || !db_reaches(w, n))
                return;
        n->published = fit;
        n->published_at = w->now;
}

/* Rules that are broken by changing what it remembers. */
static void spoil(const struct world *w, struct sim_node *n)
{
        if (w->mutant == MUTANT_NO_WAY_BACK)
                n->ha.led = false;
        if (w->mutant == MUTANT_NO_QUIET)
                n->ha.quiet_at = 0;
}

static void wake(struct world *w, struct sim_node *n)
{
        struct ha_facts f;

        facts_fill(w, n, &f);
        spoil(w, n);
        ha_step(&n->ha, &f, local_time(w, n), &n->out);
        for (int s = 0; s < ST_COUNT_; s++)
                w->seen[s] |= n->out.seen[s];
        if (n->out.track != HA_TRACK_KEEP)
                n->track = n->out.track;
        guard_told(w, n);
        n->wake_at = w->now + (n->out.next > 0 ? n->out.next : 1);
        for (unsigned i = 0; i < n->out.n; i++)
                carry_out(w, n, &n->out.actions[i]);
        if (n->out.statement.op != OP_NONE)
                db_send(w, n, n->out.statement);
        publish(w, n, &f);
}

/* ---- time ---- */

void node_due(struct world *w, struct sim_node *n)
{
        if (n->back_at >= 0 && w->now >= n->back_at) {
                if (!n->alive)
                        node_boot(w, n);
                else if (n->frozen)
                        node_thaw(w, n);
        }
        guard_due(w, n);
        db_due(w, n);
        if (!n->alive || n->frozen)
                return;
        if (n->member_at >= 0 && w->now >= n->member_at) {
                n->member = true;
                n->member_at = -1;
                db_topology(w);
        }
        if (n->daemon_at >= 0 && w->now >= n->daemon_at) {
                if (n->daemon) {
                        n->hung = false;
                        n->daemon_at = -1;
                        wakes_up(w, n);
                } else {
                        node_start_daemon(w, n);
                }
        }
        hook_due(w, n, &n->proc);
        hook_due(w, n, &n->zombie);
        if (n->sick && n->well_at >= 0 && w->now >= n->well_at)
                n->sick = false;
        if (n->hint_at >= 0 && w->now >= n->hint_at)
                take_hint(w, n);
        if (node_runs(n) && w->now >= n->wake_at)
                wake(w, n);
}

static void earlier(msec_t *at, msec_t other)
{
        if (other >= 0 && other < *at)
                *at = other;
}

msec_t node_next(const struct world *w, const struct sim_node *n)
{
        msec_t at = INT64_MAX;
        const struct flight *f = &n->flight;

        (void)w;
        earlier(&at, n->back_at);
        if (n->guard)
                earlier(&at, n->guard_at);
        if (f->flying && !f->commits && f->commit_at <= f->answer_at)
                earlier(&at, f->commit_at);
        if (!n->alive || n->frozen)
                return at;
        earlier(&at, n->member_at);
        earlier(&at, n->daemon_at);
        if (n->proc.live)
                earlier(&at, hook_next(&n->proc));
        if (n->zombie.live)
                earlier(&at, hook_next(&n->zombie));
        if (!node_runs(n))
                return at;
        if (f->flying)
                earlier(&at, f->answer_at);
        earlier(&at, n->hint_at);
        earlier(&at, n->wake_at);
        return at;
}
