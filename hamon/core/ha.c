/* One step: gather edges, let the table (fsm.c) act on the events that are there (ha_event.c), then
 * say what is to be done. Rules that are worth finding here:
 *   - R: one hook at a time. What runs is killed, and reaped, before the next one starts.
 *   - R: a lost lease always ends in FENCING, and FENCING ends with a proof.
 *   - A release is sent only from a state in which nothing is mounted. */
#include "hamon/core/ha.h"

#include "hamon/core/ha_impl.h"
#include <string.h>

enum { MOST_TURNS = 16 };

const char *const HA_ALERTS[ALERT_COUNT_] = {
        [ALERT_HALTED] = "halted",           [ALERT_STAY] = "stay",
        [ALERT_PROMOTE] = "promote_failed",  [ALERT_FENCE] = "fence_failed",
        [ALERT_HOOK_STUCK] = "hook_stuck",   [ALERT_EPOCH_AHEAD] = "epoch_ahead",
        [ALERT_VOLUME_LOST] = "volume_lost",
};

static msec_t least(msec_t a, msec_t b)
{
        return a < b ? a : b;
}

static msec_t most(msec_t a, msec_t b)
{
        return a > b ? a : b;
}

/* ---- actions of the table ---- */

static void ban(struct ha *h, msec_t now)
{
        breaker_ban(&h->breaker, &h->config.breaker, h->lead_epoch, now);
}

static void hint_at(struct ha *h, const struct ha_facts *f, enum ha_event e)
{
        if (e == EV_SWITCHOVER && f->order_to[0])
                ha_copy_name(h->to, f->order_to);
        else if (e == EV_ASKED)
                ha_copy_name(h->to, f->asker);
        else if (h->state == ST_PROMOTING && f->volume_at[0] &&
                 strcmp(f->volume_at, h->lease.me) != 0)
                ha_copy_name(h->to, f->volume_at); /* we could not get it from there */
        else
                ha_copy_name(h->to, f->other);
}

static void leave(struct ha *h, const struct ha_facts *f, enum ha_event e, bool cause, msec_t now)
{
        hint_at(h, f, e);
        h->cause = cause;
        h->led = h->state == ST_MASTER || h->mode == MODE_RECOVER;
        h->releasing = true;
        ha_want_hook(h, HOOK_BACKUP, cause ? MODE_DEMOTE : MODE_SWITCHOVER, now);
}

static void let_go(struct ha *h, msec_t now)
{
        if (h->cause)
                ban(h, now);
        ha_want_hook(h, HOOK_NONE, MODE_FENCE, now);
        lease_hurry(&h->lease, now);
}

static void reclaim(struct ha *h, msec_t now, struct ha_output *out)
{
        h->eager = true;
        h->cause = h->releasing = false;
        ha_alert(h, out, ALERT_EPOCH_AHEAD);
        ha_want_hook(h, HOOK_NONE, MODE_FENCE, now);
        lease_hurry(&h->lease, now);
}

static void fence(struct ha *h, const struct ha_facts *f, enum ha_event e, msec_t now,
                  struct ha_output *out)
{
        if (h->state == ST_MASTER && f->volume_lost)
                ha_alert(h, out, ALERT_VOLUME_LOST);
        ha_copy_name(h->to, f->other);
        h->cause = h->releasing = true;
        if (e == EV_LEASE_LOST || e == EV_STORAGE)
                ban(h, now);
        ha_want_hook(h, HOOK_BACKUP, MODE_FENCE, now);
}

static void act(struct ha *h, const struct ha_facts *f, enum ha_event e, enum ha_act a, msec_t now,
                struct ha_output *out)
{
        switch (a) {
        case ACT_CLAIM:
                h->ordered = e == EV_TAKEOVER;
                lease_hurry(&h->lease, now);
                break;
        case ACT_PROMOTE:
                ha_copy_name(h->from, h->lease.claim_from.holder);
                h->cause = h->eager = h->ordered = false;
                ha_want_hook(h, HOOK_MASTER, MODE_PROMOTE, now);
                break;
        case ACT_RECOVER:
                h->cause = h->releasing = false;
                if (e == EV_WAY_BACK)
                        h->hold_off = now + h->config.give_up;
                ha_want_hook(h, HOOK_MASTER, MODE_RECOVER, now);
                break;
        case ACT_ADOPT:
                break;
        case ACT_SERVE:
                h->assert_at = now + h->config.assert_first;
                ha_calm(h, ALERT_PROMOTE);
                ha_calm(h, ALERT_EPOCH_AHEAD);
                ha_calm(h, ALERT_VOLUME_LOST);
                break;
        case ACT_MOVE:
                leave(h, f, e, false, now);
                break;
        case ACT_DEMOTE:
                if (h->state == ST_PROMOTING)
                        ha_alert(h, out, ALERT_PROMOTE);
                leave(h, f, e, true, now);
                break;
        case ACT_FENCE:
                fence(h, f, e, now, out);
                break;
        case ACT_CLEAN:
                ha_want_hook(h, HOOK_BACKUP, MODE_FENCE, now);
                break;
        case ACT_RETRY:
                ha_again(h, now + h->config.retry, out);
                break;
        case ACT_RESTART:
                ha_want_hook(h, h->hook, h->mode, now);
                lease_hurry(&h->lease, now);
                break;
        case ACT_HURRY:
                lease_hurry(&h->lease, now);
                break;
        case ACT_RECLAIM:
                reclaim(h, now, out);
                break;
        case ACT_RELEASE:
                let_go(h, now);
                break;
        case ACT_BAN:
                ha_alert(h, out, ALERT_HALTED);
                break;
        case ACT_FORGIVE:
                breaker_forgive(&h->breaker);
                h->ack = true;
                ha_calm(h, ALERT_HALTED);
                lease_hurry(&h->lease, now);
                break;
        case ACT_NONE:
        case ACT_COUNT_:
                break;
        }
}

/* ---- the table is run ---- */

static void answer_order(struct ha *h, struct ha_output *out, bool accepted, const char *comment)
{
        struct ha_action *a = ha_add(out, ACTION_ANSWER);

        a->accepted = accepted;
        a->comment = comment;
        h->order = ORDER_NONE;
}

/* An edge is gone once its turn was. */
static void consume(struct ha *h, enum ha_event e, const struct fsm_cell *cell,
                    struct ha_output *out)
{
        bool does = cell->act != ACT_NONE || cell->next != h->state;

        if (e == EV_LEASE_LOST)
                h->lost = h->won = false;
        else if (e == EV_CLOCK_GAP)
                h->gap = false;
        else if (e == EV_LEASE_WON)
                h->won = false;
        else if (e == EV_ASKED)
                h->asked = false;
        else if (e >= EV_HOOK_OK && e <= EV_HOOK_FAILED)
                h->hook_ended = false;
        else if (e == EV_TAKEOVER || e == EV_SWITCHOVER || e == EV_ACK)
                answer_order(h, out, does, cell->comment);
}

static void apply(struct ha *h, const struct ha_facts *f, enum ha_event e, msec_t now,
                  struct ha_output *out)
{
        const struct fsm_cell *cell = &FSM[h->state][e];

        if (cell->next != h->state || cell->act != ACT_RETRY)
                h->why = e;
        act(h, f, e, cell->act, now, out);
        if (cell->next == h->state)
                return;

        struct ha_action *note = ha_add(out, ACTION_NOTE);
        note->from_state = h->state;
        note->to_state = cell->next;
        note->event = e;
        note->comment = cell->comment;
        h->state = cell->next;
        h->state_since = now;
}

/* The first event that is there and means something. Ignored edges are used up on the way. */
static bool turn(struct ha *h, const struct ha_facts *f, msec_t now, struct ha_output *out)
{
        for (int e = 0; e < EV_COUNT_; e++) {
                const struct fsm_cell *cell = &FSM[h->state][e];
                if (!ha_event_there(h, f, (enum ha_event)e, now))
                        continue;
                out->seen[h->state] |= (uint32_t)1 << e;
                consume(h, (enum ha_event)e, cell, out);
                if (cell->act == ACT_NONE && cell->next == h->state)
                        continue;
                apply(h, f, (enum ha_event)e, now, out);
                return true;
        }
        return false;
}

/* ---- before and after ---- */

static void gather(struct ha *h, const struct ha_facts *f, msec_t now)
{
        struct lease_wish w = ha_wish(h, f, now);
        enum lease_event e = lease_tick(&h->lease, now);

        h->lost |= e == LEASE_EXPIRED;
        h->gap |= f->gap > 0;
        h->asked |= f->asked;
        if (f->order != ORDER_NONE)
                h->order = f->order;
        if (f->poke || f->gap > 0)
                lease_hurry(&h->lease, now);
        if (f->hook.state == HOOK_ENDED && f->hook.id == h->hook_id && f->hook.id != h->hook_seen &&
            !h->killing) {
                h->hook_seen = f->hook.id;
                h->hook_ended = true;
                h->hook_end = f->hook.end;
                if (f->hook.end != HOOK_OK)
                        ha_unquiet(h, now);
                msec_t lag =
                        h->hook_end == HOOK_OK ? h->config.assert_first : h->config.assert_every;
                if (h->state == ST_MASTER && h->assert_at < now + lag)
                        h->assert_at = now + lag;
        }
        if (h->state == ST_PROMOTING && ha_file_ahead(h, f) && f->file.epoch > h->min_epoch)
                h->min_epoch = f->file.epoch; /* kept: the fact may be gone when the hook ends */
        if (h->state == ST_INIT && f->hook.state == HOOK_RUNNING && !h->killing) {
                h->killing = true; /* a leftover */
                h->kill_at = now;
                h->kills = 0;
        }
        bool free = !h->lease.held && !h->lease.names_us && lease_free(&h->lease, &w, now);
        if (free && !h->free)
                h->free_since = now;
        h->free = free;
        if (f->active && !h->active)
                h->active_since = now;
        h->active = f->active;
}

static void settle_release(struct ha *h, struct ha_output *out)
{
        if (h->freed && h->releasing) {
                struct ha_action *a = ha_add(out, ACTION_HINT);
                a->epoch = h->released_epoch;
                ha_copy_name(a->to, h->to);
        }
        bool gone = !ha_may_write(h->state) && h->state != ST_FENCING && !h->lease.held &&
                    !h->lease.names_us;
        if (h->freed || gone)
                h->cause = h->releasing = false;
        h->freed = false;
}

static void ask(struct ha *h, const struct ha_facts *f, msec_t now, struct ha_output *out)
{
        if (!ha_candidate(h, f, now) || !f->vrrp_master || h->free || !h->lease.known ||
            h->lease.names_us || !h->lease.row.holder[0] || !f->holder_answers || now < h->ask_at)
                return;
        h->ask_at = now + h->config.lease.ttl / 4;
        ha_copy_name(ha_add(out, ACTION_ASK)->to, h->lease.row.holder);
}

static void tell_stay(struct ha *h, const struct ha_facts *f, struct ha_output *out)
{
        if (h->state == ST_MASTER && ha_unfit_for_good(h, f))
                ha_alert(h, out, ALERT_STAY);
        else
                ha_calm(h, ALERT_STAY);
}

static void levels(const struct ha *h, const struct ha_facts *f, msec_t now, struct ha_output *out)
{
        if (h->state == ST_INIT)
                out->track = HA_TRACK_KEEP;
        else if (h->state == ST_PROMOTING || (h->state == ST_MASTER && !ha_unfit_for_good(h, f)))
                out->track = HA_TRACK_HOLDER;
        else
                out->track = h->state == ST_CLAIMING || ha_candidate(h, f, now) ? HA_TRACK_FIT
                                                                                : HA_TRACK_UNFIT;

        out->guard = GUARD_OFF;
        if (ha_may_write(h->state)) {
                out->guard = GUARD_ARM;
                out->guard_deadline = h->lease.valid_until + h->config.lease.margin / 2;
        } else if (h->state == ST_INIT || h->state == ST_FENCING || f->mounted) {
                out->guard = GUARD_KEEP;
        }
}

/* When something here changes by time alone. Whatever is forgotten here comes a second late. */
static msec_t next_wake(const struct ha *h, const struct ha_facts *f, msec_t now)
{
        struct lease_wish w = ha_wish(h, f, now);
        msec_t at = now + least(1000, lease_wait(&h->lease, &w, now));

        if (h->killing)
                at = least(at, h->kill_at > now ? h->kill_at : now + 1);
        else if (h->hook_due)
                at = least(at, most(h->hook_at, h->quiet_at));
        at = least(at, ha_claim_at(h, f, now));
        return at > now ? at - now : 0;
}

void ha_step(struct ha *h, const struct ha_facts *f, msec_t now, struct ha_output *out)
{
        out->n = 0;
        memset(out->seen, 0, sizeof out->seen);
        gather(h, f, now);
        for (int i = 0; i < MOST_TURNS && turn(h, f, now, out); i++)
                ;
        if (h->order != ORDER_NONE)
                answer_order(h, out, false, "no node that is fit to take over, or no provider");
        h->asked = h->gap = h->lost = h->won = false;

        ha_run_hooks(h, f, now, out);
        settle_release(h, out);
        ask(h, f, now, out);
        tell_stay(h, f, out);
        levels(h, f, now, out);
        h->why_not = ha_why_not(h, f, now);

        struct lease_wish w = ha_wish(h, f, now);
        out->statement = lease_next(&h->lease, &w, now);
        if (out->statement.op == OP_RELEASE)
                h->released_epoch = out->statement.epoch;
        out->next = next_wake(h, f, now);
}

void ha_answer(struct ha *h, enum lease_answer a, const struct lease_row *row, msec_t now)
{
        enum lease_op op = h->lease.op;

        switch (lease_done(&h->lease, a, row, now)) {
        case LEASE_WON:
                h->won = true;
                h->lead_epoch = h->lease.epoch;
                break;
        case LEASE_LOST:
        case LEASE_EXPIRED:
                h->lost = true;
                break;
        case LEASE_FREED:
                h->freed = true;
                break;
        case LEASE_ACKED:
                h->ack = false;
                break;
        case LEASE_SAME:
                break;
        }
        if (op == OP_READ && a == ANSWER_DONE)
                breaker_see(&h->breaker, &h->config.breaker, row, h->lease.me, now);
}

/* ---- the interface ---- */

void ha_config_fill(struct ha_config *c)
{
        msec_t ttl = c->lease.ttl;

        c->lease.look = least(c->lease.renew / 2 + 1, ttl / 8);
        c->lease.margin = ttl / 5;
        c->breaker.pause = 3 * ttl;
        c->breaker.most = 30 * ttl;
        c->stagger = least(300, ttl / 16);
        c->give_up = 3 * ttl;
        c->settle = 2000;
        c->in_flight = 1500;
        c->retry = 1000;
        c->assert_every = 5000;
        c->assert_first = 1000;
        c->fence_timeout = ttl;
}

void ha_init(struct ha *h, const struct ha_config *c, const char *me, uint64_t incarnation,
             msec_t now)
{
        static const struct ha EMPTY;

        *h = EMPTY;
        h->config = *c;
        h->state = ST_INIT;
        h->state_since = now;
        h->why_not = "";
        lease_init(&h->lease, me, incarnation, c->lease, now);
}

bool ha_reconfigure(struct ha *h, const struct ha_config *c, msec_t now)
{
        const struct lease *l = &h->lease;
        bool ours = l->held || l->claiming || l->names_us || l->op == OP_TAKE ||
                    h->state == ST_CLAIMING || ha_may_write(h->state);

        if (ours && c->lease.ttl > h->config.lease.ttl)
                return false;
        h->config = *c;
        lease_set_rule(&h->lease, c->lease);
        lease_hurry(&h->lease, now);
        return true;
}

struct ha_permit ha_permit(const struct ha *h, uint64_t epoch, msec_t now)
{
        struct ha_permit p = { .epoch = h->lease.epoch };

        if (!lease_valid(&h->lease, now))
                p.reason = "this node does not hold the lease";
        else if (!ha_may_write(h->state))
                p.reason = "this node is not to lead";
        else if (epoch && epoch != h->lease.epoch)
                p.reason = "the lease is of another epoch";
        else
                p.ok = true;
        if (p.ok) {
                p.valid = h->lease.valid_until - now;
                p.renewed = lease_renewed(&h->lease, now);
        }
        return p;
}

void ha_hurry(struct ha *h, msec_t now)
{
        lease_hurry(&h->lease, now);
}
