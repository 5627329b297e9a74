/* The probes' part of the node: answers in, and what they count for. They are samples that come
 * when they come, so each counts once, as Galera's do. */
#include "hamon/node.h"

/* Alive for as long as an answer may take, and then for as long as any other result. */
struct rule node_probe_rule(const struct node *n)
{
        const struct config *c = n->config;
        struct rule rule = n->rule;

        rule.stale += c->probe.interval + c->probe.timeout;
        return rule;
}

void node_probes_forget(struct node *n)
{
        for (size_t i = 0; i < PROBE_COUNT_; i++)
                n->probes[i] = (struct node_probed){ .text = "" };
}

void node_probing(struct node *n, bool on)
{
        if (n->probing != on)
                node_probes_forget(n);
        n->probing = on;
}

void node_probe(struct node *n, enum probe which, struct finding f, const char *text, msec_t now)
{
        struct rule rule = node_probe_rule(n);
        struct node_probed *p = &n->probes[which];

        if (!n->probing || !n->led || !config_probe_on(n->config, which))
                return;
        if (f.result != RES_SKIP)
                str_copy(p->text, sizeof p->text, text);
        verdict_step(&p->state, &rule, f, now);
}

/* A vital question to this service, that is asked. */
static bool is_asked(const struct node *n, const struct service *s, enum probe p)
{
        return str_eq(PROBES[p].service, s->name) && config_probe_on(n->config, p) &&
               config_probe_vital(n->config, p);
}

enum voucher node_probes_vouch(const struct node *n, const struct service *s)
{
        enum voucher v = VOUCH_NONE;

        if (!n->probing || !n->led)
                return v;
        for (size_t i = 0; i < PROBE_COUNT_; i++) {
                const struct check_state *c = &n->probes[i].state;
                if (!is_asked(n, s, (enum probe)i))
                        continue;
                if (check_counts(c))
                        return VOUCH_HUNG;
                bool works = c->verdict == V_UP && c->last == RES_PASS && !c->bad;
                v = works && v != VOUCH_UNSURE ? VOUCH_WORKS : VOUCH_UNSURE;
        }
        return v;
}

bool node_probes_answered(const struct node *n, const struct service *s)
{
        if (node_probes_vouch(n, s) != VOUCH_WORKS)
                return false;
        for (size_t i = 0; i < PROBE_COUNT_; i++)
                if (is_asked(n, s, (enum probe)i) && n->probes[i].state.fresh_at <= s->runs.seen_at)
                        return false;
        return true;
}

void node_probes_step(struct node *n, msec_t now, node_change_fn fn, void *arg)
{
        struct rule rule = node_probe_rule(n);

        if (!n->led) {
                node_probes_forget(n);
                return;
        }
        for (size_t i = 0; i < PROBE_COUNT_; i++) {
                struct node_probed *p = &n->probes[i];
                verdict_step(&p->state, &rule, (struct finding){ RES_SKIP, REASON_OK }, now);
                if (p->state.verdict != p->told && fn)
                        fn(arg, &(struct node_change){ PROBES[i].name, p->told, p->state.verdict,
                                                       p->state.reason });
                p->told = p->state.verdict;
        }
}
