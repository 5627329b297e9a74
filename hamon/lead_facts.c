/* What core wants to know, gathered anew for every step. Nothing here may wait: the volume itself
 * is never touched (a dead disk would hold us), only the kernel's list of mounts is read. */
#include "hamon/lead_impl.h"

#include "hamon/boot_state.h"
#include "hamon/galera_facts.h"
#include "hamon/providers.h"
#include "lib/log.h"
#include <mntent.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
        LOOK_MS = 10000,
        LOOK_SOON_MS = 1000,
        LOOK_DEADLINE_MS = 8000,
        ODD_LOOKS = 2,
        STALE_LOOKS = 3
};

bool lead_looks_mounted(const char *where)
{
        char line[8192];
        struct mntent m;
        bool found = false;

        FILE *f = setmntent("/proc/self/mounts", "re");
        if (!f)
                return true; /* not known: the careful answer */
        while (!found && getmntent_r(f, &m, line, sizeof line))
                found = strcmp(m.mnt_dir, where) == 0;
        endmntent(f);
        return found;
}

/* ---- this node ---- */

static bool is_required_active(const struct service *s)
{
        return s->set == SET_ACTIVE && !s->optional;
}

static bool runs(const struct service *s)
{
        return s->facts.state == CTR_RUNNING || s->facts.state == CTR_PAUSED ||
               s->facts.state == CTR_RESTARTING;
}

static void containers(const struct lead *l, struct ha_facts *f)
{
        const struct node *n = l->needs.node;

        for (size_t i = 0; i < n->n_services; i++) {
                const struct service *s = &n->services[i];
                if (s->set == SET_ACTIVE && runs(s))
                        f->active = true;
                if (is_required_active(s) && (n->synced || s->ended) && !runs(s))
                        f->missing = true;
        }
        f->missing |= !l->mounted || lead_address_missing(l);
}

static void this_node(struct lead *l, struct ha_facts *f, msec_t now)
{
        struct node *n = l->needs.node;

        f->fitness = n->verdict.fitness;
        f->candidate = node_candidate(n);
        if (f->candidate == FIT && !guard_ready(l->guard))
                f->candidate = UNSURE; /* who would end what writes here? */
        f->age = n->verdict.age + now - n->judged_at;
        f->mounted = l->mounted;
        f->file = l->file;
        containers(l, f);
        f->hook = hook_facts(l->hook);
        if (l->is_held_back)
                f->hook = (struct ha_hook_facts){ HOOK_RUNNING, l->held_back.id, HOOK_OK };
        else if (l->hook_refused)
                f->hook = (struct ha_hook_facts){ HOOK_ENDED, l->hook_refused, HOOK_FAILED };
        lead_repair_facts(l, f, now); /* an unfit verdict has outlived its grace, but for these */
        f->same_boot = l->same_boot;
}

/* ---- the holder ---- */

/* Is the lease's holder surely missing in our view of the database's cluster? */
static bool gone_from_view(const struct lead *l)
{
        const struct config *c = l->needs.config;
        const char *holder = l->ha.lease.row.holder;

        for (size_t i = 0; i < c->cluster.nodes.n; i++) {
                struct cluster_node n = config_cluster_node(c, i);
                if (str_eq(n.name, holder))
                        return galera_member(&l->needs.node->galera_facts, n.address) == MEMBER_OUT;
        }
        return false;
}

static void hints(const struct lead *l, struct ha_facts *f)
{
        f->vrrp_master = l->vrrp == VRRP_MASTER && !l->vrrp_old;
        f->silent_vrrp = f->vrrp_master; /* with its priority raised it would be heard before us */
        f->silent_view = gone_from_view(l);
        f->fence_ok = l->provider && l->provider->ops->can_fence(l->provider);
}

void lead_facts(struct lead *l, struct ha_facts *f, msec_t now)
{
        *f = (struct ha_facts){ .gap = l->gap,
                                .poke = l->poke,
                                .order = l->order,
                                .maintenance = lead_in_maintenance(l) };
        if (boot_random(&f->token) < 0) {
                log_event(LOG_ERROR, "random", LS("error", "the kernel gives no random numbers"));
                abort(); /* a token that is not unique could make two winners */
        }
        str_copy(f->order_to, sizeof f->order_to, l->order_to);
        this_node(l, f, now);
        hints(l, f);
        lead_peer_facts(l, f, now);
        f->provider = l->provider_ok && now - l->provider_at < STALE_LOOKS * LOOK_MS;
        str_copy(f->volume_at, sizeof f->volume_at, l->volume_at);
        f->volume_lost = l->volume_odd >= ODD_LOOKS;
}

/* ---- the provider, asked now and then ---- */

/* Once per change of what it says. */
static void tell_provider(struct lead *l, bool answers, const char *text)
{
        if (l->provider_told && l->provider_said == answers)
                return;
        l->provider_told = true;
        l->provider_said = answers;
        log_event(answers ? LOG_INFO : LOG_WARN, "provider", LS("answers", answers ? "yes" : "no"),
                  LS("msg", text));
}

/* Which node has the provider's id `server`; "" = none of ours. */
static const char *node_of(const struct lead *l, const char *server, struct cluster_node *scratch)
{
        for (size_t i = 0; *server && i < l->needs.config->cluster.nodes.n; i++) {
                *scratch = config_cluster_node(l->needs.config, i);
                if (str_eq(l->servers[i], server))
                        return scratch->name;
        }
        return "";
}

static void see_volume(struct lead *l, const struct provider_volume *v)
{
        struct cluster_node scratch;

        if (l->needs.config->volume.provider == CONFIG_LOCAL)
                return; /* a shared device is everywhere: that it is here means nothing */
        str_copy(l->volume_at, sizeof l->volume_at, node_of(l, v->server, &scratch));
        bool here = str_eq(l->volume_at, l->needs.config->node.name);
        l->volume_odd = here || l->ha.state != ST_MASTER ? 0 : l->volume_odd + 1;
}

static void on_look(void *arg, const struct provider_outcome *o)
{
        struct lead *l = arg;

        l->asking = NULL;
        l->provider_ok = o->result == PROVIDER_DONE || o->result == PROVIDER_ALREADY;
        l->provider_asked = true;
        l->provider_at = loop_now(l->needs.loop);
        tell_provider(l, l->provider_ok, o->text);
        if (l->provider_ok && o->seen->have_volume)
                see_volume(l, &o->seen->volume);
        timer_set(&l->look, l->provider_ok && l->volume_odd == 0 ? LOOK_MS : LOOK_SOON_MS);
        lead_wake(l);
}

/* The first node whose id is not known yet; n = all are. */
static size_t unknown_server(const struct lead *l)
{
        size_t i = 0;

        while (i < l->needs.config->cluster.nodes.n && l->servers[i][0])
                i++;
        return i;
}

static void on_server(void *arg, const struct provider_outcome *o)
{
        struct lead *l = arg;
        size_t i = unknown_server(l);
        bool ok = o->result == PROVIDER_DONE && o->seen->have_server;

        l->asking = NULL;
        if (ok)
                str_copy(l->servers[i], sizeof l->servers[i], o->seen->server.id);
        else
                tell_provider(l, false, o->text);
        timer_set(&l->look, ok ? 0 : LOOK_SOON_MS);
}

/* First who is who, one node after the other, then where the volume is. Servers of a shared device
 * are our nodes themselves: there is nobody to ask. */
void lead_look(struct lead *l)
{
        const struct config *c = l->needs.config;
        const struct provider_ops *ops = l->provider->ops;
        size_t i = unknown_server(l);
        bool known = i == c->cluster.nodes.n || c->volume.provider == CONFIG_LOCAL;
        struct cluster_node n = { .name = "" };

        if (l->asking)
                return;
        if (!known)
                n = config_cluster_node(c, i);
        const struct provider_request rq = { .id = c->volume.provider == CONFIG_LOCAL
                                                           ? c->volume.device
                                                           : c->volume.id,
                                             .server = n.name,
                                             .deadline = LOOK_DEADLINE_MS,
                                             .arg = l,
                                             .done = known ? on_look : on_server };
        if ((known ? ops->volume_get : ops->server_get)(l->provider, &rq, &l->asking) < 0)
                timer_set(&l->look, LOOK_MS);
}

static void on_time(void *arg)
{
        lead_look(arg);
}

int lead_look_start(struct lead *l)
{
        CLEANUP(buf_done) struct buf error = BUF(4096);
        const struct config *c = l->needs.config;

        int r = timer_init(&l->look, l->needs.loop, on_time, l);
        if (r < 0)
                return r;
        r = providers_new(l->needs.loop, c, (enum config_provider)c->volume.provider, &l->provider,
                          &error);
        if (r < 0) {
                log_event(LOG_ERROR, "provider", LS("error", buf_str(&error)));
                return r;
        }
        timer_set(&l->look, 0);
        return 0;
}
