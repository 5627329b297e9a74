/* One seed = one world. Events only: the next thing that happens is found and time jumps there. The
 * database is one row and a rule of when a statement commits and whether its sender hears of it;
 * the measured facts are in it: statements that time out commit half of the time, some of them
 * later, reads may be old, a lost race is a certain refusal. */
#include "tests/sim/world.h"

#include <stdio.h>
#include <string.h>

enum { TTL = 10000, RENEW = 1000, LOOK = 500, DEADLINE = 2000 };

const char *const MUTANTS[MUTANT_COUNT_] = {
        [MUTANT_NONE] = "none",
        [MUTANT_NO_WAIT] = "no-wait",
        [MUTANT_VALID_FROM_END] = "valid-from-end",
        [MUTANT_UNKNOWN_IS_WON] = "unknown-is-won",
        [MUTANT_NO_BEAT] = "no-beat",
        [MUTANT_TWINS] = "twins",
        [MUTANT_ADOPT] = "adopt",
        [MUTANT_HELD_IS_VALID] = "held-is-valid",
        [MUTANT_EARLY_RELEASE] = "early-release",
};

/* ---- chance (splitmix64) ---- */

uint64_t rng_next(struct rng *r)
{
        uint64_t z = r->s += 0x9e3779b97f4a7c15u;

        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return z ^ (z >> 31);
}

msec_t rng_between(struct rng *r, msec_t lo, msec_t hi)
{
        return lo + (msec_t)(rng_next(r) % (uint64_t)(hi - lo + 1));
}

bool rng_chance(struct rng *r, unsigned percent)
{
        return rng_next(r) % 100 < percent;
}

msec_t local_time(const struct world *w, const struct sim_node *n)
{
        return w->now + w->now * n->rate_ppm / 1000000 + n->offset;
}

/* ---- the row ---- */

static void changed(struct world *w)
{
        w->history[w->n_history++ % HISTORY] = w->row;
}

static bool matches_holder(const struct world *w, const char *holder, uint64_t incarnation,
                           uint64_t epoch)
{
        return strcmp(w->row.holder, holder) == 0 && w->row.incarnation == incarnation &&
               w->row.epoch == epoch;
}

/* The UPDATE itself. True: one row changed. */
static bool apply(struct world *w, const struct lease_statement *s, const char *me,
                  uint64_t incarnation)
{
        struct lease_row *row = &w->row;

        switch (s->op) {
        case OP_TAKE:
                if (row->epoch != s->epoch || (w->mutant != MUTANT_NO_BEAT && row->beat != s->beat))
                        return false;
                snprintf(row->holder, sizeof row->holder, "%s", me);
                row->incarnation = incarnation;
                row->token = s->token;
                row->epoch = s->new_epoch;
                w->takeovers++;
                break;
        case OP_RENEW:
                if (!matches_holder(w, me, incarnation, s->epoch))
                        return false;
                break;
        case OP_RELEASE:
                if (!matches_holder(w, me, incarnation, s->epoch))
                        return false;
                row->holder[0] = '\0';
                row->epoch++;
                break;
        default:
                return false;
        }
        row->beat++;
        changed(w);
        return true;
}

/* ---- statements on their way ---- */

static void give_up_on(struct world *w, const struct sim_node *n, const struct flight *f)
{
        for (size_t i = 0; i < sizeof w->late / sizeof w->late[0]; i++) {
                if (w->late[i].live)
                        continue;
                w->late[i] = (struct late){ .live = true,
                                            .incarnation = n->lease.incarnation,
                                            .s = f->s,
                                            .at = f->commit_at };
                snprintf(w->late[i].holder, LEASE_NAME, "%s", n->lease.me);
                return;
        }
}

/* Decide a statement's fate when it is sent. */
static void send_statement(struct world *w, struct sim_node *n, struct lease_statement s)
{
        struct flight *f = &n->flight;
        msec_t start = w->now + rng_between(&w->rng, 0, 3);
        bool trouble = !w->calm && rng_chance(&w->rng, 3);

        *f = (struct flight){ .flying = true, .s = s, .answer = ANSWER_UNKNOWN };
        if (w->hang_until > start)
                start = w->hang_until + rng_between(&w->rng, 0, 50);
        f->commit_at = start + rng_between(&w->rng, 1, 5);
        f->answer_at = f->commit_at + rng_between(&w->rng, 0, 3);
        if (n->cut) {
                f->commit_at = rng_chance(&w->rng, 15) ? f->commit_at : -1;
                f->answer_at = -1;
        } else if (trouble && rng_chance(&w->rng, 50)) {
                f->answer_at = -1; /* committed or not, nobody hears of it */
                f->commit_at =
                        rng_chance(&w->rng, 50) ? w->now + rng_between(&w->rng, 1, 15000) : -1;
        } else if (trouble) {
                f->commit_at = -1;
                f->answer = ANSWER_REFUSED;
        }
        if (f->answer_at < 0 || f->answer_at > w->now + DEADLINE)
                f->answer_at = w->now + DEADLINE + rng_between(&w->rng, 0, 20);
}

static void commit(struct world *w, struct sim_node *n)
{
        struct flight *f = &n->flight;

        f->commits = true;
        if (f->s.op == OP_READ) {
                unsigned back =
                        !w->calm && rng_chance(&w->rng, 5) ? (unsigned)(rng_next(&w->rng) % 3) : 0;
                f->row = w->n_history > back ? w->history[(w->n_history - 1 - back) % HISTORY]
                                             : w->row;
                f->answer = ANSWER_DONE;
                return;
        }
        f->answer = apply(w, &f->s, n->lease.me, n->lease.incarnation) ? ANSWER_DONE : ANSWER_NONE;
}

static void spoil(struct world *w, struct sim_node *n, msec_t sent_at, msec_t now)
{
        struct lease *l = &n->lease;

        if (w->mutant == MUTANT_VALID_FROM_END && l->held)
                l->valid_until += now - sent_at;
        if (w->mutant == MUTANT_NO_WAIT && l->known && l->still_since == now)
                l->still_since -= TTL * 3 / 4;
        if (w->mutant == MUTANT_ADOPT && l->names_us && !n->wish.release) {
                l->names_us = false;
                l->held = true;
                l->epoch = l->row.epoch;
                l->valid_until = now + TTL;
        }
}

static void answer(struct world *w, struct sim_node *n)
{
        struct flight *f = &n->flight;
        msec_t now = local_time(w, n), sent_at = n->lease.op_at;
        bool in_time = f->commits || f->answer == ANSWER_REFUSED;
        enum lease_answer a = in_time ? f->answer : ANSWER_UNKNOWN;

        f->flying = false;
        if (!in_time && f->commit_at >= 0)
                give_up_on(w, n, f);
        if (in_time && !w->calm && f->answer != ANSWER_REFUSED && rng_chance(&w->rng, 1))
                a = ANSWER_UNKNOWN; /* committed, and the connection broke */
        if (w->mutant == MUTANT_UNKNOWN_IS_WON && a == ANSWER_UNKNOWN && f->s.op != OP_READ)
                a = ANSWER_DONE;
        if (f->s.op == OP_READ && a != ANSWER_DONE)
                a = ANSWER_UNKNOWN;

        if (lease_done(&n->lease, a, &f->row, now) == LEASE_FREED) {
                n->wish.release = false;
                n->wish.lead = true;
                n->stopping = false;
        }
        spoil(w, n, sent_at, now);
}

/* ---- nodes ---- */

static void boot(struct world *w, int i)
{
        struct sim_node *n = &w->nodes[i];
        struct lease_rule rule = { .ttl = TTL, .renew = RENEW, .look = LOOK };
        char name[LEASE_NAME];
        bool twin = w->mutant == MUTANT_TWINS && i == 1;

        snprintf(name, sizeof name, "n%d", twin ? 0 : i);
        n->alive = true;
        n->frozen = n->cut = n->hung = n->stopping = false;
        n->flight.flying = false;
        n->release_at = -1;
        n->wish = (struct lease_wish){ .lead = true };
        lease_init(&n->lease, name, w->mutant == MUTANT_TWINS && i < 2 ? 7 : rng_next(&w->rng),
                   rule, local_time(w, n));
}

static bool runs(const struct sim_node *n)
{
        return n->alive && !n->frozen && !n->hung;
}

/* A wake-up of the daemon. */
static void step(struct world *w, struct sim_node *n)
{
        msec_t now = local_time(w, n);

        if (lease_tick(&n->lease, now) == LEASE_EXPIRED)
                n->stopping = false;
        if (n->release_at >= 0 && w->now >= n->release_at) {
                n->release_at = -1;
                if (n->lease.held) {
                        n->stopping = w->mutant == MUTANT_EARLY_RELEASE;
                        n->wish.release = true;
                        n->wish.lead = false;
                }
        }
        n->wish.token = rng_next(&w->rng);
        struct lease_statement s = lease_next(&n->lease, &n->wish, now);
        if (s.op != OP_NONE)
                send_statement(w, n, s);
}

static bool writes(const struct world *w, const struct sim_node *n)
{
        if (!n->alive || n->frozen)
                return false;
        if (n->stopping)
                return true;
        if (w->mutant == MUTANT_HELD_IS_VALID)
                return n->lease.held;
        return lease_valid(&n->lease, local_time(w, n));
}

/* ---- faults ---- */

static void fault(struct world *w)
{
        int i = (int)(rng_next(&w->rng) % (uint64_t)w->n_nodes);
        struct sim_node *n = &w->nodes[i];
        msec_t length = rng_between(&w->rng, 200, 20000);

        switch (rng_next(&w->rng) % 7) {
        case 0: /* power cut, or a killed daemon: what it had sent may still arrive */
                if (n->flight.flying && !n->flight.commits && n->flight.commit_at >= 0)
                        give_up_on(w, n, &n->flight);
                n->alive = false;
                n->flight.flying = false;
                break;
        case 1:
                n->frozen = true;
                break;
        case 2:
                n->cut = true;
                break;
        case 3:
                n->hung = true; /* the guard, which knows the deadline, ends the writing */
                break;
        case 4:
                w->hang_until = w->now + length / 3;
                return;
        default:
                for (int k = 0; k < w->n_nodes; k++)
                        if (w->nodes[k].lease.held)
                                w->nodes[k].release_at = w->now;
                return;
        }
        n->back_at = w->now + length;
}

static void come_back(struct world *w, int i)
{
        struct sim_node *n = &w->nodes[i];

        n->back_at = -1;
        if (!n->alive)
                boot(w, i);
        n->frozen = n->cut = n->hung = false;
}

/* ---- time ---- */

static void earlier(msec_t *at, msec_t other)
{
        if (other >= 0 && other < *at)
                *at = other;
}

/* When does the next thing happen? */
static msec_t next_event(const struct world *w, msec_t fault_at)
{
        msec_t at = fault_at;

        for (int i = 0; i < w->n_nodes; i++) {
                const struct sim_node *n = &w->nodes[i];
                earlier(&at, n->back_at);
                if (n->flight.flying && !n->flight.commits)
                        earlier(&at, n->flight.commit_at >= 0 &&
                                                     n->flight.commit_at <= n->flight.answer_at
                                             ? n->flight.commit_at
                                             : -1);
                if (!runs(n))
                        continue;
                if (n->flight.flying)
                        earlier(&at, n->flight.answer_at);
                earlier(&at, w->now + lease_wait(&n->lease, &n->wish, local_time(w, n)));
        }
        for (size_t i = 0; i < sizeof w->late / sizeof w->late[0]; i++)
                if (w->late[i].live)
                        earlier(&at, w->late[i].at);
        return at <= w->now ? w->now + 1 : at;
}

static void happen(struct world *w)
{
        for (size_t i = 0; i < sizeof w->late / sizeof w->late[0]; i++) {
                struct late *l = &w->late[i];
                if (!l->live || l->at > w->now)
                        continue;
                l->live = false;
                apply(w, &l->s, l->holder, l->incarnation);
        }
        for (int i = 0; i < w->n_nodes; i++) {
                struct sim_node *n = &w->nodes[i];
                struct flight *f = &n->flight;
                if (n->back_at >= 0 && w->now >= n->back_at)
                        come_back(w, i);
                if (f->flying && !f->commits && f->commit_at >= 0 && w->now >= f->commit_at &&
                    f->commit_at <= f->answer_at)
                        commit(w, n);
                if (!runs(n))
                        continue;
                if (f->flying && w->now >= f->answer_at)
                        answer(w, n);
                step(w, n);
        }
}

static bool invariants(struct world *w, uint64_t epoch_before)
{
        int writers = 0;

        for (int i = 0; i < w->n_nodes; i++)
                writers += writes(w, &w->nodes[i]);
        if (writers > 1)
                snprintf(w->why, sizeof w->why, "%d writers at %lld ms", writers,
                         (long long)w->now);
        if (w->row.epoch < epoch_before)
                snprintf(w->why, sizeof w->why, "the epoch went back at %lld ms",
                         (long long)w->now);
        return !w->why[0];
}

static bool somebody_leads(const struct world *w)
{
        for (int i = 0; i < w->n_nodes; i++)
                if (writes(w, &w->nodes[i]))
                        return true;
        return false;
}

static void begin(struct world *w, uint64_t seed, int n_nodes, enum mutant m)
{
        *w = (struct world){ .rng = { seed * 0x2545f4914f6cdd1du + 1 },
                             .mutant = m,
                             .n_nodes = n_nodes };
        changed(w);
        for (int i = 0; i < n_nodes; i++) {
                w->nodes[i].offset = rng_between(&w->rng, 0, 1000000);
                w->nodes[i].rate_ppm = (int)rng_between(&w->rng, -200, 200);
                w->nodes[i].back_at = -1;
                boot(w, i);
        }
}

static void calm_down(struct world *w)
{
        w->calm = true;
        w->hang_until = w->now;
        for (int i = 0; i < w->n_nodes; i++) {
                come_back(w, i);
                w->nodes[i].release_at = -1;
        }
}

bool world_run(struct world *w, uint64_t seed, int n_nodes, enum mutant m, msec_t length)
{
        begin(w, seed, n_nodes, m);
        msec_t fault_at = rng_between(&w->rng, 1000, 15000), end = length + 4 * TTL;

        while (w->now < end) {
                uint64_t epoch = w->row.epoch;
                msec_t horizon = w->calm ? end : fault_at < length ? fault_at : length;
                w->now = next_event(w, horizon);
                w->events++;
                if (!w->calm && w->now >= length) {
                        calm_down(w);
                } else if (!w->calm && w->now >= fault_at) {
                        fault(w);
                        fault_at = w->now + rng_between(&w->rng, 500, 25000);
                }
                happen(w);
                if (!invariants(w, epoch))
                        return false;
        }
        if (!somebody_leads(w))
                snprintf(w->why, sizeof w->why, "nobody leads %d ms after the last fault", 4 * TTL);
        return !w->why[0];
}
