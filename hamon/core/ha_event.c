/* Which events are there: one predicate each, no memory of its own. Levels are looked at anew every
 * time; edges were put into struct ha by ha_step() and ha_answer(). */
#include "hamon/core/ha_impl.h"

#include <string.h>

enum { CLAIM_TTLS = 2, ORDERED_TTLS = 4, FAILED_TRIES = 3, LONELY = 2 };

/* ---- helpers ---- */

bool ha_epoch_mountable(const struct ha_epoch *file, const struct ha_epoch *mine)
{
        if (!file->known || file->epoch < mine->epoch)
                return true;
        return file->epoch == mine->epoch && file->incarnation == mine->incarnation &&
               strcmp(file->holder, mine->holder) == 0;
}

bool ha_may_write(enum ha_state s)
{
        return s == ST_PROMOTING || s == ST_MASTER || s == ST_DEMOTING;
}

static bool is_idle(enum ha_state s)
{
        return s == ST_STANDBY || s == ST_HALTED || s == ST_MAINTENANCE;
}

static bool is_me(const struct ha *h, const char *name)
{
        return strcmp(name, h->lease.me) == 0;
}

static bool can_move(const struct ha_facts *f)
{
        return f->provider && f->other[0];
}

static struct lease_row row_now(const struct lease *l, msec_t now)
{
        struct lease_row row = l->row;

        row.since_age += now - l->row_at;
        return row;
}

static bool is_fresh(const struct ha *h, const struct ha_facts *f)
{
        return f->age <= h->config.stale;
}

/* UNSURE and stale never justify taking the lead (R). */
static bool could_lead(const struct ha *h, const struct ha_facts *f)
{
        return f->candidate == FIT && is_fresh(h, f) && f->provider && !f->maintenance &&
               !f->outlasted && !f->unheard;
}

bool ha_unfit_for_good(const struct ha *h, const struct ha_facts *f)
{
        return f->fitness == UNFIT && f->lasting && is_fresh(h, f);
}

static bool is_blocked(const struct ha *h, msec_t now)
{
        struct lease_row row = row_now(&h->lease, now);

        return breaker_banned(&h->breaker, now) ||
               (h->lease.known &&
                breaker_open(&h->config.breaker, &row, lease_take_counts(&h->lease)));
}

bool ha_candidate(const struct ha *h, const struct ha_facts *f, msec_t now)
{
        return h->state == ST_STANDBY && could_lead(h, f) && !is_blocked(h, now);
}

/* The volume's file is ahead of the lease we hold. */
bool ha_file_ahead(const struct ha *h, const struct ha_facts *f)
{
        struct ha_epoch mine = { .known = true,
                                 .epoch = h->lease.epoch,
                                 .incarnation = h->lease.incarnation };

        memcpy(mine.holder, h->lease.me, sizeof mine.holder);
        return h->lease.held && !ha_epoch_mountable(&f->file, &mine);
}

static bool row_known(const struct ha *h)
{
        return h->lease.known && !h->lease.must_read;
}

/* R: adopt only what boot, mount, epoch file and row agree on. */
static bool can_adopt(const struct ha *h, const struct ha_facts *f)
{
        return f->same_boot && f->mounted && f->file.known && is_me(h, f->file.holder) &&
               f->file.incarnation == h->lease.incarnation && h->lease.names_us &&
               h->lease.row.epoch == f->file.epoch;
}

/* ---- the lease ---- */

/* R: the wait for ttl is skipped only for a holder that nobody hears, and that storage can fence.
 * Not before a request to the provider that it may have sent has arrived: it renews right before
 * each one, so that is so long after the row's last move. */
static bool may_skip(const struct ha *h, const struct ha_facts *f, msec_t now)
{
        return f->silent_vrrp && f->silent_view && f->silent_peer && f->fence_ok && f->provider &&
               now - h->lease.still_since >= h->config.in_flight;
}

struct lease_wish ha_wish(const struct ha *h, const struct ha_facts *f, msec_t now)
{
        struct lease_wish w = { .token = f->token,
                                .min_epoch = h->min_epoch,
                                .ack = h->ack,
                                .cause = h->cause,
                                .window = h->config.breaker.wait };

        w.lead = h->state == ST_CLAIMING && !f->outlasted;
        w.look = h->state == ST_MASTER && ha_unfit_for_good(h, f); /* was the breaker acked? */
        w.skip_wait = may_skip(h, f, now);
        /* R: also what we never claimed; never while something may write, or is on its way */
        w.release = is_idle(h->state) && !f->mounted && now >= h->quiet_at;
        if (h->state == ST_INIT && row_known(h) && can_adopt(h, f) && !ha_hook_runs(h, f))
                w.adopt = h->lease.row.epoch;
        return w;
}

enum hint { HINT_NONE, HINT_US, HINT_OTHER };

static enum hint hint_of(const struct ha *h, const struct ha_facts *f)
{
        if (h->lease.row.holder[0] || !f->release_to[0] ||
            h->lease.row.epoch != f->release_epoch + 1)
                return HINT_NONE;
        return is_me(h, f->release_to) ? HINT_US : HINT_OTHER;
}

/* Who claims when: the hinted one at once, the others by rank, so that they do not collide. */
static msec_t stagger(const struct ha *h, const struct ha_facts *f)
{
        msec_t turn = (h->config.rank + 1) * h->config.stagger;
        enum hint hint = hint_of(h, f);

        if (h->eager || hint == HINT_US)
                return 0;
        if (hint == HINT_OTHER)
                return (h->config.n_nodes + h->config.rank + 2) * h->config.stagger;
        if (f->vrrp_master || is_me(h, f->volume_at))
                return 0;
        return turn;
}

msec_t ha_claim_at(const struct ha *h, const struct ha_facts *f, msec_t now)
{
        struct lease_row row = row_now(&h->lease, now);
        bool lost_it = is_me(h, row.loser); /* then another one first */

        if (!h->free || !row_known(h) || h->lease.names_us || h->lease.held || !could_lead(h, f))
                return INT64_MAX;
        if (h->state == ST_STANDBY && !is_blocked(h, now))
                return h->free_since + stagger(h, f);
        if (h->state == ST_HALTED)
                return h->free_since + breaker_pause(&h->config.breaker, &row) * (lost_it ? 2 : 1) +
                       (h->config.rank + 1) * h->config.stagger;
        return INT64_MAX;
}

/* A claim by order waits for a holder to stand still for ttl, and gives way to one that moves. */
static bool is_beaten(const struct ha *h, const struct ha_facts *f, msec_t now)
{
        const struct lease *l = &h->lease;
        struct lease_wish w = ha_wish(h, f, now);

        if (h->ordered && l->still_since <= h->state_since)
                return false;
        return row_known(h) && !l->claiming && l->op != OP_TAKE && l->row.holder[0] &&
               !l->names_us && !lease_free(l, &w, now);
}

/* ---- hooks ---- */

static enum ha_event hook_event(const struct ha *h, const struct ha_facts *f, msec_t now)
{
        enum ha_hook_end end = h->hook_end;
        bool leaving = h->state == ST_DEMOTING || h->state == ST_FENCING;

        if (end == HOOK_OK && leaving && f->mounted)
                end = HOOK_TEMP; /* it says so, but it is not so */
        if (end == HOOK_OK)
                return EV_HOOK_OK;
        if (h->state == ST_DEMOTING && h->led && f->mounted && lease_valid(&h->lease, now))
                return EV_WAY_BACK;
        if (end == HOOK_TEMP)
                return EV_HOOK_TEMP;
        if (h->state == ST_PROMOTING && !can_move(f) && h->tries < FAILED_TRIES)
                return EV_HOOK_TEMP; /* nobody would do it at once: go on trying for a while */
        return EV_HOOK_FAILED;
}

/* ---- the rest ---- */

static bool is_dirty(const struct ha *h, const struct ha_facts *f, msec_t now)
{
        bool dirty = f->mounted || (h->active && now - h->active_since >= h->config.settle);

        if (h->state == ST_INIT)
                return dirty && row_known(h) && !can_adopt(h, f);
        return dirty;
}

static bool timed_out(const struct ha *h, const struct ha_facts *f, msec_t now)
{
        const struct ha_config *c = &h->config;
        msec_t in_state = now - h->state_since;

        switch (h->state) {
        case ST_INIT:
                return (f->mounted || f->active) && !row_known(h) &&
                       in_state >= c->lease.ttl - c->lease.margin;
        case ST_CLAIMING:
                return in_state >= c->lease.ttl * (h->ordered ? ORDERED_TTLS : CLAIM_TTLS);
        case ST_PROMOTING:
                return in_state >= c->give_up * (f->other[0] ? 1 : LONELY) && h->tries > 0 &&
                       !ha_hook_runs(h, f) && f->provider;
        case ST_DEMOTING:
                return in_state >= c->backup_timeout && !ha_hook_runs(h, f);
        default:
                return false;
        }
}

/* Worth a move for cause? The breaker keeps a service that nobody can run where it is. */
static bool should_go(const struct ha *h, const struct ha_facts *f, msec_t now)
{
        struct lease_row row = row_now(&h->lease, now);

        return ha_unfit_for_good(h, f) && f->provider && now >= h->hold_off &&
               !breaker_open(&h->config.breaker, &row, true);
}

static bool is_unfit(const struct ha *h, const struct ha_facts *f, msec_t now)
{
        if (h->state == ST_CLAIMING)
                return !h->ordered && !could_lead(h, f);
        return h->state == ST_MASTER && should_go(h, f, now) && f->other[0];
}

static bool is_asked(const struct ha *h, const struct ha_facts *f, msec_t now)
{
        if (!h->asked)
                return false;
        if (h->state == ST_MASTER)
                return should_go(h, f, now) && f->asker[0];
        return h->lease.held || h->lease.names_us;
}

static bool may_switch(const struct ha *h, const struct ha_facts *f)
{
        return h->order == ORDER_SWITCHOVER && f->provider &&
               (f->order_to[0] ? f->order_fit && !is_me(h, f->order_to) : f->other[0] != '\0');
}

bool ha_event_there(const struct ha *h, const struct ha_facts *f, enum ha_event e, msec_t now)
{
        switch (e) {
        case EV_LEASE_LOST:
                return h->lost || (ha_may_write(h->state) && !lease_valid(&h->lease, now));
        case EV_CLOCK_GAP:
                return h->gap;
        case EV_STORAGE:
                if (h->state == ST_MASTER)
                        return ha_file_ahead(h, f) || f->volume_lost;
                return h->state == ST_PROMOTING && h->min_epoch >= h->lease.epoch &&
                       !ha_hook_runs(h, f);
        case EV_TAKEOVER:
                return h->order == ORDER_TAKEOVER;
        case EV_SWITCHOVER:
                return may_switch(h, f);
        case EV_MAINTENANCE_ON:
                return f->maintenance &&
                       (!ha_may_write(h->state) || (can_move(f) && now >= h->hold_off));
        case EV_MAINTENANCE_OFF:
                return !f->maintenance;
        case EV_ACK:
                return h->order == ORDER_ACK;
        case EV_LEASE_WON:
                /* R: an adoption's proof must still stand (the guard may have been faster) */
                return h->won && h->lease.held &&
                       (h->state != ST_INIT || (f->mounted && f->file.known));
        case EV_LEASE_BEATEN:
                return h->state == ST_CLAIMING && is_beaten(h, f, now);
        case EV_HOOK_OK:
        case EV_WAY_BACK:
        case EV_HOOK_TEMP:
        case EV_HOOK_FAILED:
                return h->hook_ended && hook_event(h, f, now) == e;
        case EV_ASKED:
                return is_asked(h, f, now);
        case EV_HALT:
                return h->state == ST_STANDBY && is_blocked(h, now);
        case EV_UNHALT:
                return h->state == ST_HALTED && !is_blocked(h, now);
        case EV_CLAIM:
                return now >= ha_claim_at(h, f, now);
        case EV_DIRTY:
                return !ha_may_write(h->state) && is_dirty(h, f, now);
        case EV_UNFIT:
                return is_unfit(h, f, now);
        case EV_MISSING:
                return h->state == ST_MASTER && !h->hook_due && !ha_hook_runs(h, f) &&
                       (f->repair || (f->missing && now >= h->assert_at));
        case EV_TIMEOUT:
                return timed_out(h, f, now);
        case EV_READY:
                return h->state == ST_INIT && row_known(h) && !f->mounted && !f->active &&
                       !ha_hook_runs(h, f);
        case EV_COUNT_:
                break;
        }
        return false;
}
