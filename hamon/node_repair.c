/* Which service runs and does not work? One that is dead is missing, and started again anyway; this
 * one needs to be ended first. And which one did Docker leave behind? */
#include "hamon/node.h"

#include <string.h>

enum { HUNG_MAX = 2 };

/* What failed before it was started, and until it has answered once, proves nothing. */
static bool is_starting(const struct node *n, const struct service *s, msec_t now)
{
        return s->facts.state == CTR_RUNNING && s->runs.yes && !s->runs.answered &&
               now - s->runs.seen_at < n->config->check.start_period;
}

bool node_is_starting(const struct node *n, const char *service, msec_t now)
{
        for (size_t i = 0; i < n->n_services; i++)
                if (str_eq(n->services[i].name, service))
                        return is_starting(n, &n->services[i], now);
        return false;
}

bool node_awaits_start(const struct node *n, msec_t now)
{
        const msec_t most = n->rule.grace + n->config->check.start_period;
        bool any = false;

        for (size_t i = 0; i < node_n_checks(n); i++) {
                const struct check_state *c = node_check_state(n, i);
                enum probe p = node_check_probe(n, i);
                if (c->verdict != V_DOWN || !node_check_required(n, i))
                        continue;
                if (p == PROBE_COUNT_ || now - c->bad_since >= most ||
                    !node_is_starting(n, PROBES[p].service, now))
                        return false;
                any = true;
        }
        return any;
}

/* Somebody may pause a container for a moment, to copy its files: half of grace is theirs. */
static bool is_hung(const struct node *n, const struct service *s, msec_t now)
{
        if (s->set != SET_ACTIVE || s->optional || s->ended)
                return false;
        if (s->facts.state == CTR_PAUSED)
                return check_counts(&s->state) && now - s->state.bad_since >= n->rule.grace / 2;
        if (s->facts.state != CTR_RUNNING || !s->runs.yes)
                return false;
        enum voucher v = node_probes_vouch(n, s);
        if (v == VOUCH_NONE) /* its healthcheck, which has a start period of its own */
                return check_counts(&s->state) && now - s->runs.seen_at >= n->rule.grace / 2;
        return v == VOUCH_HUNG && !is_starting(n, s, now);
}

const struct service *node_hung(const struct node *n, msec_t now)
{
        const struct service *first = NULL;
        unsigned hung = 0;

        if (!n->led || !n->probing || !n->synced || n->docker.verdict != V_UP ||
            check_counts(&n->probes[PROBE_VOLUME].state))
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

static bool is_left_stopped(const struct service *s)
{
        return s->set == SET_WARM && s->present && s->facts.no_start;
}

const struct service *node_left_stopped(const struct node *n, const char *after)
{
        const struct service *first = NULL;

        if (!n->synced || n->docker.verdict != V_UP)
                return NULL;
        for (size_t i = 0; i < n->n_services; i++) { /* sorted by name */
                const struct service *s = &n->services[i];
                if (!is_left_stopped(s))
                        continue;
                if (strcmp(s->name, after) > 0)
                        return s;
                first = first ? first : s;
        }
        return first;
}
