/* The lease of lease.h. What makes it safe, each line an R rule of the design:
 *   - our validity runs from the *start* of the statement, a challenger's wait from the *end* of
 * the read that first showed this (epoch, beat): whatever the network did in between is on our
 * side;
 *   - a lost answer is never taken for a failure: the token tells whose take it was;
 *   - expired is tested before anything else, and what expired never comes back without a new take;
 *   - sending a release ends our validity, not its answer;
 *   - a challenger waits for all of ttl, the holder stops `margin` before: it needs time to stop.
 */
#include "hamon/core/lease.h"

#include <string.h>

/* The two clocks measure ttl apart; crystals differ by less than this part of it. */
enum { DRIFT_PART = 64 };

/* A holder that looks at the counters reads once in so many renewals. */
enum { LOOK_PART = 5 };

void lease_init(struct lease *l, const char *me, uint64_t incarnation, struct lease_rule rule,
                msec_t now)
{
        *l = (struct lease){ .incarnation = incarnation, .rule = rule, .next_at = now };
        size_t len = strlen(me);
        if (len >= LEASE_NAME)
                len = LEASE_NAME - 1;
        memcpy(l->me, me, len);
}

bool lease_valid(const struct lease *l, msec_t now)
{
        return l->held && now < l->valid_until;
}

/* The row carries our name and this epoch, though we may not write; its beat is not known. */
static void only_named(struct lease *l, uint64_t epoch)
{
        l->names_us = true; /* until a read says otherwise */
        l->row.epoch = epoch;
        l->must_read = true;
}

enum lease_event lease_tick(struct lease *l, msec_t now)
{
        if (!l->held || now < l->valid_until)
                return LEASE_SAME;
        l->held = false;
        only_named(l, l->epoch);
        return LEASE_EXPIRED;
}

static bool is_ours(const struct lease *l, const struct lease_row *row)
{
        return row->incarnation == l->incarnation && strcmp(row->holder, l->me) == 0;
}

bool lease_free(const struct lease *l, const struct lease_wish *w, msec_t now)
{
        if (!l->known)
                return false;
        if (!l->row.holder[0] || is_ours(l, &l->row) || w->skip_wait)
                return true;
        return now - l->still_since >= l->rule.ttl + l->rule.ttl / DRIFT_PART;
}

bool lease_take_counts(const struct lease *l)
{
        return l->known && l->row.holder[0] && l->moved;
}

/* ---- what to send ---- */

static bool adoptable(const struct lease *l, const struct lease_wish *w)
{
        return w->adopt && l->known && !l->must_read && l->names_us && l->row.epoch == w->adopt;
}

static enum lease_op choose(const struct lease *l, const struct lease_wish *w, msec_t now)
{
        if (l->op != OP_NONE || now < l->next_at)
                return OP_NONE;
        if (w->release && (l->held || l->names_us))
                return OP_RELEASE;
        if (w->ack)
                return OP_ACK;
        if (l->held && w->look && now >= l->look_at)
                return OP_READ;
        if (l->held || adoptable(l, w))
                return OP_RENEW;
        if (w->lead && !l->must_read && lease_free(l, w, now))
                return OP_TAKE;
        return OP_READ;
}

static struct lease_statement take(struct lease *l, const struct lease_wish *w)
{
        uint64_t beyond = w->min_epoch > l->row.epoch ? w->min_epoch : l->row.epoch;

        l->claim_token = w->token;
        l->claim_from = l->row;
        l->claim_epoch = beyond + 1;
        l->claim_counts = lease_take_counts(l);
        l->claim_window = w->window;
        return (struct lease_statement){ .op = OP_TAKE,
                                         .epoch = l->row.epoch,
                                         .beat = l->row.beat,
                                         .new_epoch = beyond + 1,
                                         .token = w->token,
                                         .cause = l->claim_counts,
                                         .window = w->window };
}

struct lease_statement lease_next(struct lease *l, const struct lease_wish *w, msec_t now)
{
        struct lease_statement s = { .op = choose(l, w, now) };

        if (s.op == OP_NONE)
                return s;
        if (s.op == OP_TAKE) {
                l->claiming = false; /* this compare-and-set settles an older take, either way */
                s = take(l, w);
        } else if (s.op != OP_READ) {
                s.epoch = l->held ? l->epoch : l->row.epoch;
        }
        l->adopting = s.op == OP_RENEW && !l->held;
        if (s.op == OP_RELEASE) {
                s.cause = w->cause;
                s.window = w->window;
        }
        if (s.op == OP_RELEASE && l->held) {
                l->held = false;
                only_named(l, l->epoch); /* until the answer is there */
        }
        if (s.op == OP_READ)
                l->look_at = now + LOOK_PART * l->rule.renew;
        l->op = s.op;
        l->op_at = now;
        return s;
}

msec_t lease_wait(const struct lease *l, const struct lease_wish *w, msec_t now)
{
        msec_t at = l->held ? l->valid_until : INT64_MAX;

        if (l->op == OP_NONE && l->next_at < at)
                at = l->next_at;
        (void)w;
        if (at == INT64_MAX)
                return l->rule.look;
        return at > now ? at - now : 0;
}

/* ---- how it ended ---- */

static enum lease_event hold(struct lease *l, uint64_t epoch, msec_t since, msec_t now)
{
        msec_t valid_until = since + l->rule.ttl - l->rule.margin;

        l->claiming = false;
        if (now >= valid_until) {
                only_named(l, epoch); /* won, and already too old to be worth anything */
                return LEASE_SAME;
        }
        l->names_us = false;
        l->held = true;
        l->epoch = epoch;
        l->valid_until = valid_until;
        return LEASE_WON;
}

/* Has the row moved on from what the open take compares with? */
static bool claim_is_dead(const struct lease *l, const struct lease_row *row)
{
        return row->epoch > l->claim_from.epoch ||
               (row->epoch == l->claim_from.epoch && row->beat > l->claim_from.beat);
}

/* A holder's read is for the counters only: whether it still holds, its next renewal tells. */
static void see_counters(struct lease *l, const struct lease_row *row, msec_t now)
{
        if (row->epoch < l->epoch)
                return; /* an old row */
        l->row.failovers = row->failovers;
        l->row.since_age = row->since_age;
        memcpy(l->row.loser, row->loser, sizeof l->row.loser);
        l->row_at = now;
}

static enum lease_event see(struct lease *l, const struct lease_row *row, msec_t now)
{
        if (l->held) {
                see_counters(l, row, now);
                return LEASE_SAME;
        }
        if (!l->known || row->epoch != l->row.epoch || row->beat != l->row.beat) {
                l->still_since = now;
                l->moved |= l->known;
        }
        l->known = true;
        l->must_read = false;
        l->row = *row;
        l->row_at = now;
        if (!is_ours(l, row) && claim_is_dead(l, row))
                l->claiming = false; /* somebody was faster: ours can never apply */
        l->next_at = now + (l->claiming ? 0 : l->rule.look);

        if (!is_ours(l, row)) {
                l->names_us = false;
                return LEASE_SAME;
        }
        if (l->claiming && row->token == l->claim_token)
                return hold(l, row->epoch, l->claim_at, now);
        l->names_us = true;
        return LEASE_SAME;
}

/* What our take has made of the row's counters: nobody reads it for us while we hold it. */
static void counted(struct lease *l, msec_t now)
{
        if (!l->claim_counts)
                return;
        l->row.since_age += now - l->row_at;
        l->row_at = now;
        if (l->row.since_age > l->claim_window)
                l->row.failovers = 0;
        if (l->row.failovers++ == 0)
                l->row.since_age = 0;
}

static enum lease_event took(struct lease *l, enum lease_answer a, msec_t now)
{
        if (a == ANSWER_DONE) {
                counted(l, now);
                return hold(l, l->claim_epoch, l->op_at, now);
        }
        l->must_read = true;
        if (a == ANSWER_UNKNOWN) {
                l->claiming = true;
                l->claim_at = l->op_at;
        }
        if (a == ANSWER_REFUSED)
                l->next_at = now + l->rule.look;
        return LEASE_SAME;
}

static enum lease_event renewed(struct lease *l, enum lease_answer a, msec_t now)
{
        if (a == ANSWER_DONE) {
                l->valid_until = l->op_at + l->rule.ttl - l->rule.margin;
                l->next_at = l->op_at + l->rule.renew > now ? l->op_at + l->rule.renew : now;
                return LEASE_SAME;
        }
        if (a != ANSWER_NONE) {
                l->next_at = now + l->rule.renew / 4; /* the time that is left is for trying */
                return LEASE_SAME;
        }
        l->held = false;
        l->must_read = true;
        return LEASE_LOST;
}

static enum lease_event adopted(struct lease *l, enum lease_answer a, msec_t now)
{
        if (a == ANSWER_DONE)
                return hold(l, l->row.epoch, l->op_at, now);
        if (a == ANSWER_NONE)
                l->names_us = false;
        l->must_read = true;
        l->next_at = now + l->rule.renew / 4;
        return LEASE_SAME;
}

static enum lease_event acked(struct lease *l, enum lease_answer a, msec_t now)
{
        if (a == ANSWER_REFUSED || a == ANSWER_UNKNOWN) {
                l->next_at = now + l->rule.renew / 4;
                return LEASE_SAME;
        }
        l->must_read = true;
        l->row.failovers = 0;
        return LEASE_ACKED;
}

static enum lease_event released(struct lease *l, enum lease_answer a, msec_t now)
{
        if (a == ANSWER_REFUSED || a == ANSWER_UNKNOWN) {
                l->next_at = now + l->rule.renew / 4;
                return LEASE_SAME;
        }
        l->names_us = false; /* done, or an earlier try had done it, or it is another's */
        l->must_read = true;
        return LEASE_FREED;
}

enum lease_event lease_done(struct lease *l, enum lease_answer a, const struct lease_row *row,
                            msec_t now)
{
        enum lease_op op = l->op;
        enum lease_event tick = lease_tick(l, now);

        l->op = OP_NONE;
        l->next_at = now;
        switch (op) {
        case OP_READ:
                if (a == ANSWER_DONE)
                        return see(l, row, now);
                l->next_at = now + (l->held ? 0 : l->rule.look);
                return tick;
        case OP_TAKE:
                return took(l, a, now);
        case OP_RENEW: /* ours may have expired while it was on its way: then it stays expired */
                if (l->adopting)
                        return adopted(l, a, now);
                return l->held ? renewed(l, a, now) : tick;
        case OP_RELEASE:
                return released(l, a, now);
        case OP_ACK:
                return tick == LEASE_SAME ? acked(l, a, now) : tick;
        case OP_NONE:
        case OP_COUNT_:
                break;
        }
        return LEASE_SAME;
}

msec_t lease_renewed(const struct lease *l, msec_t now)
{
        return now - (l->valid_until - (l->rule.ttl - l->rule.margin));
}

void lease_set_rule(struct lease *l, struct lease_rule rule)
{
        msec_t until = l->valid_until - (l->rule.ttl - l->rule.margin) + (rule.ttl - rule.margin);

        if (l->held && until < l->valid_until)
                l->valid_until = until;
        l->rule = rule;
}

void lease_hurry(struct lease *l, msec_t now)
{
        if (l->next_at > now)
                l->next_at = now;
}
