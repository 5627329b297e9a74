/* Which service runs and does not work? One that is dead is missing, and started again anyway; this
 * one needs to be ended first. */
#include "hamon/node.h"

enum { HUNG_MAX = 2 };

/* Failing for long enough to count: only grace keeps it from being down, or it is. */
static bool counts(const struct check_state *c)
{
        return c->seen && c->bad && c->last == RES_FAIL &&
               (c->verdict == V_SUSPECT || c->verdict == V_DOWN);
}

/* Somebody may pause a container for a moment, to copy its files: half of grace is theirs. */
static bool is_hung(const struct node *n, const struct service *s, msec_t now)
{
        if (s->set != SET_ACTIVE || s->optional || s->ended)
                return false;
        if (s->facts.state == CTR_PAUSED)
                return counts(&s->state) && now - s->state.bad_since >= n->rule.grace / 2;
        if (s->facts.state != CTR_RUNNING)
                return false;
        if (counts(&s->state)) /* its own healthcheck says so */
                return true;
        for (size_t i = 0; i < node_n_checks(n); i++) {
                enum probe p = node_check_probe(n, i);
                if (p != PROBE_COUNT_ && str_eq(PROBES[p].service, s->name) &&
                    node_check_required(n, i) && counts(&n->probes[p].state))
                        return true;
        }
        return false;
}

const struct service *node_hung(const struct node *n, msec_t now)
{
        const struct service *first = NULL;
        unsigned hung = 0;

        if (!n->led || !n->synced || n->docker.verdict != V_UP ||
            counts(&n->probes[PROBE_VOLUME].state))
                return NULL;
        for (size_t i = 0; i < n->n_services; i++) {
                if (!is_hung(n, &n->services[i], now))
                        continue;
                if (!first)
                        first = &n->services[i];
                hung++;
        }
        return hung <= HUNG_MAX ? first : NULL;
}
