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
