/* The cluster as this node sees it, for `hamon status`: each node by its freshest word, which is
 * its own answer on the peer channel, or else its row in the database. */
#include "hamon/lead_impl.h"

#include <string.h>

static const char *const PROVIDERS[] = {
        [CONFIG_NONE] = "none", [CONFIG_HETZNER] = "hetzner", [CONFIG_LOCAL] = "local"
};

static void self(const struct lead *l, struct status_node *s, msec_t now)
{
        const struct node *n = l->needs.node;

        s->self = true;
        s->age = n->verdict.age + now - n->judged_at;
        s->mounted = l->mounted;
        s->candidate = l->candidate;
        s->mailcow = l->mailcow;
        s->sync = l->sync;
        str_copy(s->role, sizeof s->role, ROLES[n->role]);
        str_copy(s->state, sizeof s->state, HA_STATES[l->ha.state]);
        str_copy(s->verdict, sizeof s->verdict, FITNESSES[n->verdict.fitness]);
        str_copy(s->reason, sizeof s->reason, reason_name(n->verdict.reason));
}

static void by_peer(const struct lead_other *o, struct status_node *s, msec_t now)
{
        s->age = now - o->heard_at;
        s->mounted = o->state.mounted;
        s->candidate = o->state.candidate;
        str_copy(s->mailcow.version, sizeof s->mailcow.version, o->state.mailcow);
        str_copy(s->mailcow.schema, sizeof s->mailcow.schema, o->state.schema);
        str_copy(s->mailcow.images, sizeof s->mailcow.images, o->state.images);
        str_copy(s->sync.reason, sizeof s->sync.reason, o->state.sync);
        str_copy(s->sync.digest, sizeof s->sync.digest, o->state.digest);
        s->sync.out_ms = o->state.out_ms;
        str_copy(s->role, sizeof s->role, o->state.role);
        str_copy(s->state, sizeof s->state, o->state.state);
        str_copy(s->verdict, sizeof s->verdict, o->state.verdict);
        str_copy(s->reason, sizeof s->reason, o->state.reason);
}

static void by_row(const struct rows_node *r, struct status_node *s, msec_t now)
{
        s->age = now - r->moved_at;
        str_copy(s->role, sizeof s->role, r->role);
        str_copy(s->verdict, sizeof s->verdict, r->verdict);
        str_copy(s->reason, sizeof s->reason, r->reason);
}

/* What a node said long ago is no word on how it is: it might have been the master. */
static void forget(struct status_node *s)
{
        s->state[0] = '\0';
        s->mounted = s->candidate = false;
        s->sync = (struct sync_word){ .reason = "" };
        str_copy(s->role, sizeof s->role, "unknown");
        str_copy(s->verdict, sizeof s->verdict, FITNESSES[UNSURE]);
        str_copy(s->reason, sizeof s->reason, reason_name(REASON_STALE));
}

static void see_node(const struct lead *l, size_t i, struct status_node *s, msec_t now)
{
        const struct config *c = l->needs.config;
        const struct cluster_node n = config_cluster_node(c, i);
        const struct lead_other *o = &l->others[i];
        const struct rows_node *r = &l->rows_seen[i];
        const struct lease *lease = &l->ha.lease;

        *s = (struct status_node){ .age = -1 };
        if ((int)i == config_cluster_rank(c))
                self(l, s, now);
        else if (o->heard &&
                 (!r->moved || o->heard_at >= r->moved_at || now - o->heard_at <= c->check.stale))
                by_peer(o, s, now);
        else if (r->moved)
                by_row(r, s, now);
        if (s->age < 0 || s->age > c->check.stale)
                forget(s);
        str_copy(s->name, sizeof s->name, n.name);
        str_copy(s->address, sizeof s->address, n.address);
        s->leads = lease->held ? s->self : lease->known && str_eq(lease->row.holder, n.name);
}

void lead_status(const struct lead *l, struct status_cluster *ret)
{
        const struct config *c = l->needs.config;
        msec_t now = loop_now(l->needs.loop);

        *ret = (struct status_cluster){ .ha = &l->ha,
                                        .repair = lead_repairing(l),
                                        .n_nodes = c->cluster.nodes.n };
        for (size_t i = 0; i < ret->n_nodes; i++)
                see_node(l, i, &ret->nodes[i], now);
        ret->volume.provider = PROVIDERS[c->volume.provider];
        ret->volume.mount = c->volume.mount;
        ret->volume.mounted = l->mounted;
        ret->volume.answers = l->provider_ok;
        ret->volume.age = l->provider_asked ? now - l->provider_at : -1;
        str_copy(ret->volume.at, sizeof ret->volume.at, l->volume_at);
        ret->ip.provider = PROVIDERS[c->ip.provider];
        ret->ip.interface = c->ip.interface;
        ret->ip.outbound_missing = l->outbound_missing;
        ret->ip.n = l->n_addresses;
        memcpy(ret->ip.addresses, l->addresses, sizeof ret->ip.addresses);
}
