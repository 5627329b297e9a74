/* `takeover` over the control socket, the break-glass. hamon/core/takeover.h has the rules; here
 * they get what this node knows of the others, and an order is given only if nothing stands against
 * it. Line by line:
 *
 *     takeover look            ok bar=unfenced node=n2 state=standby database=primary members=3 …
 *                              node name=n2 is=silent heard_ms=-1 in_view=yes fenced=no
 *     takeover fenced n2 word  the provider has proven it (poweroff, off), or a person swears
 *     takeover go              ok NUMBER of the operation
 *
 * What was fenced counts for FENCED_MS, or for as long as the operation runs: who is off may be
 * switched on again. */
#include "hamon/lead_impl.h"

#include "hamon/galera_facts.h"
#include <inttypes.h>
#include <string.h>

enum { FENCED_MS = 300000 };

static const char *const WAYS[] = { "poweroff", "off", "word" };

/* ---- the view ---- */

static enum ha_state state_of(const char *name)
{
        enum ha_state s = ST_INIT;

        while (s < ST_COUNT_ && !str_eq(HA_STATES[s], name))
                s++;
        return s;
}

/* R: until it speaks again: then somebody has switched it on. */
static bool stays_fenced(const struct lead *l, size_t i)
{
        return l->fenced[i].how && !(l->others[i].heard && l->others[i].heard_at > l->fenced[i].at);
}

static bool was_fenced(const struct lead *l, size_t i, msec_t now)
{
        return stays_fenced(l, i) &&
               (l->fenced[i].in_force || now - l->fenced[i].at <= (msec_t)FENCED_MS);
}

static struct takeover_node see(const struct lead *l, size_t i, msec_t now)
{
        const struct galera_facts *g = &l->needs.node->galera_facts;
        const struct lead_other *o = &l->others[i];
        struct cluster_node node = config_cluster_node(l->needs.config, i);
        bool answers = lead_peer_answers(l, node.name, now);
        enum galera_member member = galera_member(g, node.address);

        return (struct takeover_node){
                .is = takeover_classify(o->ended_at > 0, answers, state_of(o->state.state),
                                        o->state.mounted, o->state.valid_ms),
                .in_view = member == MEMBER_IN,
                .may_be_in_view = member == MEMBER_UNKNOWN,
                .fenced = was_fenced(l, i, now),
        };
}

/* `nodes`: all of [cluster] nodes; what we are ourselves stands against nothing. */
static struct takeover_view view(const struct lead *l, msec_t now,
                                 struct takeover_node nodes[CLUSTER_MAX])
{
        const struct galera_facts *g = &l->needs.node->galera_facts;
        struct takeover_view v = { .state = l->ha.state,
                                   .maintenance = lead_in_maintenance(l),
                                   .guard = guard_ready(l->guard),
                                   .quorum = g->reach == DB_OK && g->primary && g->ready,
                                   .members = g->size,
                                   .n = l->needs.config->cluster.nodes.n,
                                   .others = nodes };

        for (size_t i = 0; i < v.n; i++)
                nodes[i] = see(l, i, now);
        nodes[config_cluster_rank(l->needs.config)] = (struct takeover_node){ .is = OTHER_CLEAN };
        return v;
}

static enum takeover_bar look(const struct lead *l, msec_t now,
                              struct takeover_node nodes[CLUSTER_MAX], size_t *ret_culprit)
{
        struct takeover_view v = view(l, now, nodes);

        return takeover_bar(&v, ret_culprit);
}

bool lead_fence_breaks_quorum(const struct lead *l, msec_t now)
{
        struct takeover_node nodes[CLUSTER_MAX];
        struct takeover_view v = view(l, now, nodes);

        for (size_t i = 0; i < v.n; i++)
                if ((int)i != config_cluster_rank(l->needs.config))
                        nodes[i].is = lead_unclean(l, i, now) ? OTHER_DIRTY : OTHER_CLEAN;
        return takeover_breaks_quorum(&v);
}

static const char *name_of(const struct lead *l, size_t i, struct cluster_node *scratch)
{
        if (i >= l->needs.config->cluster.nodes.n)
                return "";
        *scratch = config_cluster_node(l->needs.config, i);
        return scratch->name;
}

/* ---- the requests ---- */

static const char *database(const struct galera_facts *g)
{
        if (g->reach != DB_OK)
                return "silent";
        return !g->primary ? "no_quorum" : g->ready ? "primary" : "not_ready";
}

static void tell(const struct lead *l, msec_t now, struct buf *out)
{
        const struct galera_facts *g = &l->needs.node->galera_facts;
        struct takeover_node nodes[CLUSTER_MAX];
        struct cluster_node scratch;
        size_t culprit;
        enum takeover_bar bar = look(l, now, nodes, &culprit);

        buf_addf(out, "ok bar=%s node=%s state=%s database=%s members=%u nodes=%zu holder=%s\n",
                 BARS[bar].name, name_of(l, culprit, &scratch), HA_STATES[l->ha.state], database(g),
                 g->reach == DB_OK ? g->size : 0, l->needs.config->cluster.nodes.n,
                 l->ha.lease.row.holder);
        for (size_t i = 0; i < l->needs.config->cluster.nodes.n; i++) {
                const struct lead_other *o = &l->others[i];
                if ((int)i == config_cluster_rank(l->needs.config))
                        continue;
                buf_addf(out, "node name=%s is=%s heard_ms=%lld in_view=%s fenced=%s\n",
                         name_of(l, i, &scratch), TAKEOVER_OTHERS[nodes[i].is],
                         o->heard ? (long long)(now - o->heard_at) : -1LL,
                         nodes[i].in_view ? "yes" : "no", nodes[i].fenced ? "yes" : "no");
        }
}

static void fenced(struct lead *l, const char *words, msec_t now, struct buf *out)
{
        size_t len = strcspn(words, " "), way = 0, i = 0;
        size_t n = l->needs.config->cluster.nodes.n;
        const char *how = words + len + (words[len] == ' ');
        char detail[LEASE_NAME + 16];
        struct cluster_node node;

        for (; i < n; i++) {
                node = config_cluster_node(l->needs.config, i);
                if (strlen(node.name) == len && strncmp(node.name, words, len) == 0)
                        break;
        }
        while (way < ARRAY_SIZE(WAYS) && !str_eq(WAYS[way], how))
                way++;
        if (i == n || (int)i == config_cluster_rank(l->needs.config) || way == ARRAY_SIZE(WAYS)) {
                buf_adds(out, "error: want takeover fenced NODE poweroff|off|word\n");
                return;
        }
        l->fenced[i].at = now;
        l->fenced[i].how = WAYS[way];
        snprintf(detail, sizeof detail, "%s: %s", node.name, WAYS[way]);
        lead_tell_order(l, "takeover_fenced", detail, true);
        buf_adds(out, "ok\n");
}

static void go(struct lead *l, msec_t now, struct buf *out)
{
        struct takeover_node nodes[CLUSTER_MAX];
        CLEANUP(buf_done) struct buf words = BUF(1024);
        struct cluster_node scratch;
        size_t culprit;
        enum takeover_bar bar = look(l, now, nodes, &culprit);

        if (bar != BAR_NONE) {
                const char *name = name_of(l, culprit, &scratch);
                buf_addf(out, "error: %s%s%s\n", name, *name ? " " : "", BARS[bar].sentence);
                return;
        }
        if (!lead_order(l, ORDER_TAKEOVER, "", out))
                return;
        for (size_t i = 0; i < l->needs.config->cluster.nodes.n; i++) {
                l->fenced[i].in_force = nodes[i].fenced && takeover_needs_fence(&nodes[i]);
                if (l->fenced[i].in_force)
                        buf_addf(&words, "%s%s=%s", words.len > 0 ? " " : "",
                                 name_of(l, i, &scratch), l->fenced[i].how);
        }
        lead_tell_order(l, "takeover_forced",
                        words.len > 0 ? buf_str(&words) : "nobody had to be fenced", true);
}

void lead_takeover(struct lead *l, const char *words, struct buf *out)
{
        msec_t now = loop_now(l->needs.loop);

        if (str_eq(words, "look"))
                tell(l, now, out);
        else if (strncmp(words, "fenced ", 7) == 0)
                fenced(l, words + 7, now, out);
        else if (str_eq(words, "go"))
                go(l, now, out);
        else
                buf_adds(out, "error: want takeover look, fenced NODE HOW, or go\n");
}

void lead_takeover_over(struct lead *l)
{
        for (size_t i = 0; i < ARRAY_SIZE(l->fenced); i++)
                if (l->fenced[i].in_force)
                        l->fenced[i] = (struct lead_fenced){ .how = NULL };
}

bool lead_harmless(const struct lead *l, size_t i, msec_t now)
{
        return see(l, i, now).is == OTHER_CLEAN || (l->fenced[i].in_force && stays_fenced(l, i));
}
