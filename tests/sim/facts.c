/* What a daemon sees of the world, true or not: the levels of struct ha_facts. Where a mutant makes
 * it believe what is not so, it is here. */
#include "tests/sim/world.h"

#include <string.h>

enum { PROVIDER_EVERY = 2000, LASTING = 3000 };

static void put_name(char *to, int i)
{
        memcpy(to, name_of(i), strlen(name_of(i)) + 1);
}

static bool in_view(const struct world *w, const struct sim_node *n)
{
        return n->member && w->view & 1u << n->index;
}

/* ---- the truth ---- */

bool facts_ill(const struct world *w, const struct sim_node *n)
{
        return n->sick || (w->now < w->poison_until && n->ha.state == ST_MASTER &&
                           local_time(w, n) - n->ha.state_since >= LASTING);
}

bool facts_serves(const struct world *w, const struct sim_node *n)
{
        return n->alive && !n->frozen && n->mounted && n->live && n->running &&
               w->address == n->index && !facts_ill(w, n);
}

bool facts_fit(const struct world *w, const struct sim_node *n)
{
        return n->alive && in_view(w, n) && w->now >= n->unfit_until && w->now >= n->disk_until;
}

bool facts_sick(const struct world *w, const struct sim_node *n)
{
        return n->bad_at >= 0 && w->now - n->bad_at >= LASTING;
}

static void look_at_myself(struct world *w, struct sim_node *n, struct ha_facts *f)
{
        bool bad = facts_ill(w, n) || !in_view(w, n) || !n->running || (n->mounted && !n->live);
        bool leads = n->ha.state == ST_MASTER;

        if (!bad || !leads)
                n->bad_at = -1;
        else if (n->bad_at < 0)
                n->bad_at = w->now;

        f->candidate = facts_fit(w, n) ? FIT : UNFIT;
        if (w->now < n->unsure_until)
                f->candidate = w->mutant == MUTANT_UNKNOWN_LEADS ? FIT : UNSURE;
        f->fitness = !leads ? f->candidate : w->now < n->unsure_until ? UNSURE : bad ? UNFIT : FIT;
        f->lasting = facts_sick(w, n);
        f->mounted = n->mounted;
        f->active = n->running;
        f->missing = leads && w->mutant != MUTANT_NO_ASSERT &&
                     (!n->running || !n->mounted || w->address != n->index);
        if (w->mutant == MUTANT_NO_FENCE && !ha_may_write(n->ha.state) && n->ha.state != ST_INIT)
                f->mounted = f->active = false;
        if (w->mutant == MUTANT_EARLY_RELEASE && n->zombie.live)
                f->mounted = f->active = false;
}

/* ---- others ---- */

static int best_other(const struct world *w, const struct sim_node *n)
{
        if (!db_reaches(w, n))
                return NOBODY;
        for (int k = 1; k < w->n_nodes; k++) {
                int j = (n->index + k) % w->n_nodes;
                const struct sim_node *o = &w->nodes[j];
                if (o->published && w->now - o->published_at <= ROW_STALE)
                        return j;
        }
        return NOBODY;
}

static int priority(const struct sim_node *n)
{
        return n->track == HA_TRACK_UNFIT ? -1 : (int)n->track * 100 - n->index;
}

static bool vrrp_master(const struct world *w, const struct sim_node *n)
{
        if (!n->keepalived || priority(n) < 0)
                return false;
        for (int j = 0; j < w->n_nodes; j++) {
                const struct sim_node *o = &w->nodes[j];
                if (j != n->index && o->alive && !o->frozen && o->keepalived &&
                    !w->blocked[j][n->index] && priority(o) > priority(n))
                        return false;
        }
        return true;
}

static void look_at_holder(struct world *w, struct sim_node *n, struct ha_facts *f)
{
        int i = index_of(w, n->ha.lease.row.holder);

        if (i == NOBODY || i == n->index)
                return;
        struct sim_node *h = &w->nodes[i];
        f->silent_vrrp = !h->alive || h->frozen || !h->keepalived || w->blocked[i][n->index];
        f->silent_view = in_view(w, n) && !(w->view & 1u << i);
        f->holder_answers = node_answers(w, h, n);
        f->silent_peer = !f->holder_answers;
        if (f->silent_vrrp && f->silent_view && f->silent_peer)
                h->cause_until = w->now + TTL * 3 / 2; /* may be robbed */
        f->fence_ok = w->storage != STORAGE_WATCHDOG || w->mutant == MUTANT_SKIP_FENCE;
        f->silent_vrrp |= w->mutant == MUTANT_SKIP_VRRP;
        f->silent_view |= w->mutant == MUTANT_SKIP_VIEW && in_view(w, n);
        f->silent_peer |= w->mutant == MUTANT_SKIP_PEER;
}

static void look_at_others(struct world *w, struct sim_node *n, struct ha_facts *f)
{
        int other = best_other(w, n);

        if (w->mutant == MUTANT_JUMP && other == NOBODY)
                other = (n->index + 1) % w->n_nodes;
        put_name(f->other, other);
        f->vrrp_master = vrrp_master(w, n) || w->now < n->wrong_until;
        look_at_holder(w, n, f);
        memcpy(f->release_to, n->release_to, LEASE_NAME);
        f->release_epoch = n->release_epoch;
        f->poke = n->poke;
        f->asked = n->asked;
        put_name(f->asker, n->asked ? n->asker : NOBODY);
        n->poke = n->asked = false;
}

/* ---- provider ---- */

static void look_at_provider(struct world *w, struct sim_node *n, struct ha_facts *f)
{
        f->provider = cloud_answers(w, n);
        if (f->provider && w->now - n->looked_at >= PROVIDER_EVERY) {
                n->looked_at = w->now;
                n->seen_at = w->attached;
        }
        f->provider |= w->mutant == MUTANT_JUMP;
        if (w->storage != STORAGE_EXCLUSIVE)
                return;
        put_name(f->volume_at, n->seen_at);
        f->volume_lost = n->ha.state == ST_MASTER && n->seen_at != n->index && !cloud_busy(w) &&
                         local_time(w, n) - n->ha.state_since > w->now - n->looked_at;
}

/* ---- all of it ---- */

static void forge_adoption(const struct sim_node *n, struct ha_facts *f)
{
        f->mounted = true;
        f->file = (struct ha_epoch){ .known = true,
                                     .epoch = n->ha.lease.row.epoch,
                                     .incarnation = n->ha.lease.incarnation };
        memcpy(f->file.holder, n->ha.lease.me, LEASE_NAME);
}

void facts_fill(struct world *w, struct sim_node *n, struct ha_facts *f)
{
        *f = (struct ha_facts){ .gap = n->gap, .token = rng_next(&w->rng) };
        n->gap = 0;
        f->same_boot = true; /* the incarnation is kept on tmpfs: a boot makes a new one */
        if (n->file.known)
                f->file = n->file;
        if (w->mutant == MUTANT_NO_MIN_EPOCH && n->file.incarnation != n->incarnation)
                f->file.known = false;
        look_at_myself(w, n, f);
        look_at_others(w, n, f);
        look_at_provider(w, n, f);
        if (w->mutant == MUTANT_ADOPT_ANYTHING && n->ha.state == ST_INIT && n->ha.lease.names_us)
                forge_adoption(n, f);

        f->hook.state = n->proc.live ? HOOK_RUNNING : n->proc.ended ? HOOK_ENDED : HOOK_IDLE;
        f->hook.id = n->proc.leftover ? 0 : n->proc.id;
        f->hook.end = n->proc.end;

        f->order = n->order;
        if (n->order != ORDER_NONE) {
                put_name(f->order_to, n->order_to);
                f->order_fit = n->order_to != NOBODY && w->nodes[n->order_to].published &&
                               w->now - w->nodes[n->order_to].published_at <= ROW_STALE;
                n->order = ORDER_NONE;
        }
        f->maintenance = n->maintenance;
}
