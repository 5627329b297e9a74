/* The database: one row, a membership, and a rule of when a statement commits and whether its
 * sender hears of it. The measured facts are in it: a member that goes stops all commits for 1.3 to
 * 1.55 s; statements that time out commit half of the time, some of them later; reads may be old; a
 * lost race is a certain refusal; a statement goes through any member that answers. */
#include "tests/sim/world.h"

#include <stdio.h>
#include <string.h>

/* ---- the row ---- */

static void changed(struct world *w)
{
        w->history[w->n_history++ % HISTORY] = w->row;
}

static bool names(const struct lease_row *row, const char *me, uint64_t incarnation, uint64_t epoch)
{
        return row->incarnation == incarnation && row->epoch == epoch &&
               strcmp(row->holder, me) == 0;
}

static void count(const struct world *w, struct lease_row *row, const struct lease_statement *s)
{
        if (!s->cause)
                return;
        memcpy(row->loser, row->holder, LEASE_NAME);
        if (w->now - row->since_age > s->window)
                row->failovers = 0;
        if (row->failovers++ == 0)
                row->since_age = w->now;
}

static void take(struct world *w, const struct lease_statement *s, const char *me, uint64_t inc)
{
        struct lease_row *row = &w->row;

        count(w, row, s);
        memcpy(row->holder, me, LEASE_NAME);
        row->incarnation = inc;
        row->token = s->token;
        if (w->mutant != MUTANT_SAME_EPOCH || row->epoch == 0)
                row->epoch = s->new_epoch;
        w->takeovers++;
}

static bool keeps_unclaimed(const struct world *w, const struct sim_node *n,
                            const struct lease_statement *s)
{
        return w->mutant == MUTANT_KEEP_UNCLAIMED && s->op == OP_RELEASE && !n->ha.releasing;
}

/* The UPDATE itself. True: one row changed. */
static bool apply(struct world *w, const struct lease_statement *s, const char *me, uint64_t inc,
                  bool keep)
{
        struct lease_row *row = &w->row;

        switch (s->op) {
        case OP_TAKE:
                if (row->epoch != s->epoch || (w->mutant != MUTANT_NO_BEAT && row->beat != s->beat))
                        return false;
                take(w, s, me, inc);
                break;
        case OP_RENEW:
                if (!names(row, me, inc, s->epoch))
                        return false;
                break;
        case OP_RELEASE:
                if (!names(row, me, inc, s->epoch))
                        return false;
                if (keep)
                        break;
                count(w, row, s);
                memset(row->holder, 0, LEASE_NAME);
                row->epoch += w->mutant != MUTANT_SAME_EPOCH;
                break;
        case OP_ACK:
                row->failovers = 0;
                memset(row->loser, 0, LEASE_NAME);
                break;
        default:
                return false;
        }
        if (s->op != OP_RENEW)
                tell(w, NOBODY, "row: %s of %s%s, epoch %llu, failovers %llu",
                     s->op == OP_TAKE  ? "take"
                     : s->op == OP_ACK ? "ack"
                                       : "release",
                     me, s->cause ? " for cause" : "", (unsigned long long)row->epoch,
                     (unsigned long long)row->failovers);
        row->beat++;
        changed(w);
        return true;
}

void db_lose_row(struct world *w)
{
        unsigned back = 1 + (unsigned)(rng_next(&w->rng) % (HISTORY - 1));

        if (rng_chance(&w->rng, 40) || w->n_history <= back)
                w->row = (struct lease_row){ .since_age = w->now };
        else
                w->row = w->history[(w->n_history - 1 - back) % HISTORY];
        changed(w);
        w->lost_row = true;
        w->lost_row_at = w->now;
}

void db_begin(struct world *w)
{
        w->view = w->view_next = (1u << w->n_nodes) - 1;
        w->view_at = -1;
        changed(w);
}

/* ---- who is there ---- */

bool linked(const struct world *w, int i, int j)
{
        return !w->blocked[i][j] && !w->blocked[j][i];
}

static bool is_member(const struct sim_node *n)
{
        return n->alive && !n->frozen && n->member;
}

/* All that i reaches, over others too. */
static unsigned component(const struct world *w, int i)
{
        unsigned in = 1u << i, done = 0;

        while (in != done) {
                int k = __builtin_ctz(in & ~done);
                done |= 1u << k;
                for (int j = 0; j < w->n_nodes; j++)
                        if (is_member(&w->nodes[j]) && linked(w, k, j))
                                in |= 1u << j;
        }
        return in;
}

static unsigned majority(const struct world *w)
{
        for (int i = 0; i < w->n_nodes; i++) {
                unsigned c = is_member(&w->nodes[i]) ? component(w, i) : 0;
                if (__builtin_popcount(c) > w->n_nodes / 2)
                        return c;
        }
        return 0;
}

bool db_reaches(const struct world *w, const struct sim_node *n)
{
        if (!n->alive)
                return false;
        for (int j = 0; j < w->n_nodes; j++)
                if (w->view & 1u << j && is_member(&w->nodes[j]) &&
                    (j == n->index || (linked(w, n->index, j) && w->mutant != MUTANT_OWN_MEMBER)))
                        return true;
        return false;
}

/* Who can commit nothing may lose the lead. */
static void excuse(struct world *w)
{
        bool own = w->mutant == MUTANT_OWN_MEMBER;

        for (int i = 0; i < w->n_nodes; i++) {
                struct sim_node *n = &w->nodes[i];
                bool reaches = db_reaches(w, n);
                if (own)
                        for (int j = 0; j < w->n_nodes; j++)
                                reaches |= w->view & 1u << j && is_member(&w->nodes[j]) &&
                                           linked(w, i, j);
                if (!reaches && n->cause_until < w->now + 2 * TTL)
                        n->cause_until = w->now + 2 * TTL;
        }
}

void db_topology(struct world *w)
{
        unsigned v = majority(w);

        if (w->view_at >= 0 && w->view_at <= w->now) {
                w->view = w->view_next;
                w->view_at = -1;
                tell(w, NOBODY, "view: %x", w->view);
        }
        if (v == (w->view_at >= 0 ? w->view_next : w->view)) {
                excuse(w);
                return;
        }
        w->view_next = v;
        if (w->hang_until > w->now)
                w->stall_at = w->hang_until; /* one after the other: as bad as a stall */
        if (v == w->view) {
                w->view_at = -1; /* back before anybody was evicted */
                w->hang_until = w->now;
        } else if (w->view & ~v) {
                w->view_at = w->now + rng_between(&w->rng, 1300, 1550);
                w->hang_until = w->view_at;
        } else {
                w->view_at = w->now + rng_between(&w->rng, 300, 3000);
        }
        excuse(w);
}

/* ---- statements on their way ---- */

static void to_late(struct world *w, const struct sim_node *n, msec_t at)
{
        for (int i = 0; i < LATE; i++) {
                if (w->late[i].live)
                        continue;
                w->late[i] = (struct late){ .live = true,
                                            .node = n->index,
                                            .incarnation = n->ha.lease.incarnation,
                                            .s = n->flight.s,
                                            .at = at };
                return;
        }
}

void db_give_up(struct world *w, struct sim_node *n)
{
        const struct flight *f = &n->flight;

        if (f->flying && !f->commits && f->commit_at >= 0 && f->s.op != OP_READ)
                to_late(w, n, f->commit_at);
        n->flight.flying = false;
}

/* Nobody hears of it; committed or not. */
static void spoil_flight(struct world *w, struct sim_node *n)
{
        struct flight *f = &n->flight;

        n->trouble_at = w->now;
        if (rng_chance(&w->rng, 50)) {
                f->answer_at = -1;
                f->commit_at =
                        rng_chance(&w->rng, 50) ? w->now + rng_between(&w->rng, 1, 15000) : -1;
        } else {
                f->commit_at = -1;
                f->answer = ANSWER_REFUSED;
        }
}

/* Decide a statement's fate when it is sent. */
void db_send(struct world *w, struct sim_node *n, struct lease_statement s)
{
        struct flight *f = &n->flight;
        msec_t start = w->now + rng_between(&w->rng, 0, 3);

        *f = (struct flight){ .flying = true, .s = s, .answer = ANSWER_UNKNOWN };
        n->sent_at = w->now;
        if (w->hang_until > start)
                start = w->hang_until + rng_between(&w->rng, 0, 50);
        if (!(w->view & 1u << n->index) || !is_member(n))
                start += rng_between(&w->rng, 5, 400); /* the next one has to be asked */
        f->commit_at = start + rng_between(&w->rng, 1, 5);
        f->answer_at = f->commit_at + rng_between(&w->rng, 0, 3);
        if (!db_reaches(w, n)) {
                f->commit_at = w->view && rng_chance(&w->rng, 5) ? f->commit_at : -1;
                f->answer_at = -1;
                if (f->commit_at < 0 && rng_chance(&w->rng, 50)) {
                        f->answer = ANSWER_REFUSED; /* 1047 from those that are there */
                        f->answer_at = w->now + rng_between(&w->rng, 5, 1000);
                }
        } else if (!w->calm && rng_chance(&w->rng, 3)) {
                spoil_flight(w, n);
        }
        if (f->answer_at < 0 || f->answer_at > w->now + DEADLINE)
                f->answer_at = w->now + DEADLINE + rng_between(&w->rng, 0, 20);
}

static void read_row(struct world *w, struct flight *f)
{
        unsigned back = !w->calm && rng_chance(&w->rng, 5) ? (unsigned)(rng_next(&w->rng) % 3) : 0;

        f->row = w->n_history > back ? w->history[(w->n_history - 1 - back) % HISTORY] : w->row;
        f->row.since_age = w->now - f->row.since_age;
        f->answer = ANSWER_DONE;
}

static void commit(struct world *w, struct sim_node *n)
{
        struct flight *f = &n->flight;
        bool keep = keeps_unclaimed(w, n, &f->s);

        if (w->hang_until > w->now) { /* a member has gone since it was sent */
                f->commit_at = w->hang_until + rng_between(&w->rng, 0, 50);
                f->answer_at = f->answer_at < f->commit_at + 3 ? f->commit_at + 3 : f->answer_at;
                if (f->answer_at > n->sent_at + DEADLINE)
                        f->answer_at = n->sent_at + DEADLINE;
                if (f->answer_at <= w->now)
                        f->answer_at = w->now + 1;
                return;
        }
        f->commits = true;
        if (f->s.op == OP_READ)
                read_row(w, f);
        else
                f->answer = apply(w, &f->s, n->ha.lease.me, n->ha.lease.incarnation, keep)
                                    ? ANSWER_DONE
                                    : ANSWER_NONE;
        if (keep)
                f->answer = ANSWER_UNKNOWN;
}

/* Rules of the lease that are broken by changing what it believes. */
static void spoil(struct world *w, struct sim_node *n, msec_t sent_at, msec_t now)
{
        struct lease *l = &n->ha.lease;

        if (w->mutant == MUTANT_VALID_FROM_END && l->held)
                l->valid_until += now - sent_at;
        if (w->mutant == MUTANT_NO_WAIT && l->known && l->still_since == now)
                l->still_since -= TTL * 3 / 4;
        if (w->mutant == MUTANT_HELD_IS_VALID && l->held)
                l->valid_until = now + 1000 * (msec_t)TTL;
        if (w->mutant == MUTANT_SAME_EPOCH && l->held)
                l->epoch = n->ha.lead_epoch = w->row.epoch;
}

static void answer(struct world *w, struct sim_node *n)
{
        struct flight *f = &n->flight;
        msec_t now = local_time(w, n), sent_at = n->ha.lease.op_at;
        bool in_time = f->commits || f->answer == ANSWER_REFUSED;
        enum lease_answer a = in_time ? f->answer : ANSWER_UNKNOWN;

        if (!in_time)
                db_give_up(w, n);
        f->flying = false;
        if (in_time && !w->calm && f->answer != ANSWER_REFUSED && rng_chance(&w->rng, 1)) {
                a = ANSWER_UNKNOWN; /* committed, and the connection broke */
                n->trouble_at = w->now;
        }
        if (w->mutant == MUTANT_UNKNOWN_IS_WON && a == ANSWER_UNKNOWN && f->s.op != OP_READ)
                a = ANSWER_DONE;
        if (f->s.op == OP_READ && a != ANSWER_DONE)
                a = ANSWER_UNKNOWN;

        ha_answer(&n->ha, a, &f->row, now);
        spoil(w, n, sent_at, now);
        node_wake(w, n);
}

void db_due(struct world *w, struct sim_node *n)
{
        struct flight *f = &n->flight;

        if (f->flying && !f->commits && f->commit_at >= 0 && w->now >= f->commit_at &&
            f->commit_at <= f->answer_at)
                commit(w, n);
        if (f->flying && node_runs(n) && w->now >= f->answer_at)
                answer(w, n);
}

void db_late_due(struct world *w)
{
        for (int i = 0; i < LATE; i++) {
                struct late *l = &w->late[i];
                if (!l->live || l->at > w->now)
                        continue;
                if (w->hang_until > w->now || !w->view) {
                        l->at = w->now + 500;
                        continue;
                }
                l->live = false;
                apply(w, &l->s, w->nodes[l->node].ha.lease.me, l->incarnation,
                      keeps_unclaimed(w, &w->nodes[l->node], &l->s));
        }
}
