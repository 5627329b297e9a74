/* One local repair: a service of the master that runs and does not work is ended and started once,
 * by the recovering hook (HAMON_REPAIR), so that the lease, the deadline and "one hook at a time"
 * hold for it as for everything else. As long as it may still help, for check.grace at most and
 * while it starts, the verdict does not count as lasting. A service that was repaired lately is not
 * repaired again: what hangs twice is for another node, or for a person. */
#include "hamon/lead_impl.h"

#include <string.h>

/* Also where nothing holds a fail-over back: a restart that did not help is not made again before
 * the verdict could last. */
static msec_t lately(const struct config *c)
{
        msec_t least = 2 * (c->check.grace + c->check.start_period);

        return MAX(c->breaker.security_wait, least);
}

static struct lead_mended *mended(struct lead *l, const char *service, msec_t now)
{
        struct lead_mended *spare = NULL;

        for (size_t i = 0; i < ARRAY_SIZE(l->repair.mended); i++) {
                struct lead_mended *m = &l->repair.mended[i];
                bool fresh = *m->service && now - m->at < lately(l->needs.config);
                if (fresh && str_eq(m->service, service))
                        return NULL;
                if (!fresh && !spare)
                        spare = m;
        }
        return spare; /* none: that much repair is no repair */
}

static void tell(struct lead *l, const char *to, enum reason reason, msec_t took)
{
        lead_tell(l, &(struct happening){ .kind = EVENT_REPAIR,
                                          .bad = !str_eq(to, "helped"),
                                          .epoch = l->ha.lead_epoch,
                                          .from = l->repair.service,
                                          .to = to,
                                          .reason = reason_name(reason),
                                          .took = took });
}

/* What hangs now is to be restarted, if it may be. */
static void look(struct lead *l, msec_t now)
{
        struct lead_repair *r = &l->repair;
        const struct service *s = node_hung(l->needs.node, now);

        if (!s || now < r->pause_until || !mended(l, s->name, now)) {
                if (r->phase == REPAIR_DUE)
                        r->phase = REPAIR_NONE;
                return;
        }
        if (r->phase == REPAIR_DUE && str_eq(r->service, s->name))
                return;
        r->phase = REPAIR_DUE;
        r->until = now + l->needs.config->check.grace;
        str_copy(r->service, sizeof r->service, s->name);
}

/* It is over when the node is fit again, or when its time is; a service that starts has more. */
static void follow(struct lead *l, bool hook_runs, msec_t now)
{
        struct lead_repair *r = &l->repair;
        const struct node *n = l->needs.node;
        const struct node_verdict *v = &n->verdict;
        bool fit = v->fitness == FIT && v->reason == REASON_OK;
        msec_t until = r->until;

        if (hook_runs && now < until)
                return;
        if (node_is_starting(n, r->service, now))
                until += l->needs.config->check.start_period;
        if (!fit && now < until)
                return;
        tell(l, fit ? "helped" : "failed", v->reason, now - r->began);
        r->phase = REPAIR_NONE;
}

void lead_repair_facts(struct lead *l, struct ha_facts *f, msec_t now)
{
        struct lead_repair *r = &l->repair;
        bool runs = f->hook.state == HOOK_RUNNING;

        if (l->ha.state != ST_MASTER) {
                r->phase = REPAIR_NONE;
                r->hook_until = 0;
                f->lasting = f->fitness == UNFIT && !runs;
                return;
        }
        if (r->phase == REPAIR_RUNS)
                follow(l, runs, now);
        if (r->phase != REPAIR_RUNS)
                look(l, now);
        f->repair = r->phase == REPAIR_DUE;
        bool may_help =
                (r->phase != REPAIR_NONE && now < r->until) || (runs && now < r->hook_until);
        f->lasting = f->fitness == UNFIT && !may_help && !node_awaits_start(l->needs.node, now);
}

const char *lead_repair_due(struct lead *l, msec_t now)
{
        struct lead_repair *r = &l->repair;

        return r->phase == REPAIR_DUE && mended(l, r->service, now) ? r->service : "";
}

void lead_repair_begin(struct lead *l, bool started, msec_t now)
{
        struct lead_repair *r = &l->repair;
        struct lead_mended *m = *lead_repair_due(l, now) ? mended(l, r->service, now) : NULL;

        if (!started) { /* not tried again at once: what is wrong with the hook stays so */
                r->phase = REPAIR_NONE;
                r->pause_until = now + l->needs.config->check.grace;
                return;
        }
        r->hook_until = now + l->needs.config->check.grace;
        if (!m)
                return;
        str_copy(m->service, sizeof m->service, r->service);
        m->at = now;
        r->phase = REPAIR_RUNS;
        r->began = now;
        r->until = r->hook_until;
        tell(l, "begun", l->needs.node->verdict.reason, -1);
}

const char *lead_repairing(const struct lead *l)
{
        return l->repair.phase == REPAIR_NONE ? "" : l->repair.service;
}
