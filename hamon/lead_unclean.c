/* Who may still write on a disk that nobody can take away, where a fence is a power switch? Whoever
 * does not say itself that nothing writes there (R); but of an epoch in which somebody was seen to
 * be the master only that one: when it became the master all others were clean, or were fenced. So
 * a standby whose daemon is away for an upgrade is not switched off for it. */
#include "hamon/lead_impl.h"

enum { UNHEARD_MS = 60000 }; /* a node may boot for so long */

bool lead_fences_by_switch(const struct lead *l)
{
        const struct config *c = l->needs.config;

        return c->volume.provider == CONFIG_LOCAL && *c->local.fence_command;
}

void lead_settle(struct lead *l)
{
        if (l->ha.state == ST_MASTER)
                l->settled_epoch = l->ha.lead_epoch;
        else if (l->ha.lease.known && l->ha.lease.row.epoch < l->settled_epoch)
                l->settled_epoch = 0; /* the row was made anew: its numbers begin again */
}

/* The row as it was before we took it, or as it is. */
static const struct lease_row *row_before(const struct lead *l)
{
        return l->ha.lease.held ? &l->ha.lease.claim_from : &l->ha.lease.row;
}

/* Is it the row of the epoch in which a master was seen, or what its own release made of it? That
 * one has the next number and no holder; a take would have had the number and a name. */
static bool is_settled(const struct lead *l, const struct lease_row *row)
{
        if (l->settled_epoch == 0)
                return false;
        return row->epoch == l->settled_epoch + (*row->holder ? 0 : 1);
}

bool lead_unclean(const struct lead *l, size_t i, msec_t now)
{
        const struct config *c = l->needs.config;
        const struct lease_row *row = row_before(l);

        if ((int)i == config_cluster_rank(c) || lead_harmless(l, i, now) ||
            (l->ha.lease.held && l->ha.lease.epoch == l->settled_epoch))
                return false;
        return !is_settled(l, row) || str_eq(config_cluster_node(c, i).name, row->holder);
}

/* A node that boots beside this one, or whose daemon does, has the time to say that it is clean.
 * Who holds the lease is waited for otherwise: for its ttl. */
static bool is_unheard(const struct lead *l, size_t i, msec_t now)
{
        return lead_unclean(l, i, now) && !l->others[i].heard &&
               i != lead_index(l, row_before(l)->holder) && now - l->started < (msec_t)UNHEARD_MS;
}

bool lead_unclean_unknown(const struct lead *l, msec_t now)
{
        if (!lead_fences_by_switch(l))
                return false;
        for (size_t i = 0; i < l->needs.config->cluster.nodes.n; i++)
                if (is_unheard(l, i, now))
                        return true;
        return lead_fence_breaks_quorum(l, now);
}

bool lead_unclean_asked(struct lead *l, const char *from, msec_t since)
{
        msec_t now = loop_now(l->needs.loop);
        bool all = true;

        for (size_t i = 0; i < l->needs.config->cluster.nodes.n; i++) {
                const struct lead_other *o = &l->others[i];
                bool gone = o->end != PEER_ANSWERED && i == lead_index(l, from);
                if (!lead_unclean(l, i, now) || gone || o->done_at >= since)
                        continue;
                all = false;
                if (!o->asking)
                        lead_peer_ask(l, i);
        }
        return all;
}
