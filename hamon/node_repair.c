/* Which service runs and does not work? One that is dead is missing, and started again anyway; this
 * one needs to be ended first. And which one did Docker leave behind? */
#include "hamon/node.h"

#include <string.h>

enum { HUNG_MAX = 2 };

/* Somebody may pause a container for a moment, to copy its files: half of grace is theirs. */
static bool is_hung(const struct node *n, const struct service *s, msec_t now)
{
        if (s->set != SET_ACTIVE || s->optional || s->ended)
                return false;
        if (s->facts.state == CTR_PAUSED)
                return check_counts(&s->state) && now - s->state.bad_since >= n->rule.grace / 2;
        if (s->facts.state != CTR_RUNNING)
                return false;
        if (!s->runs.yes || now - s->runs.seen_at < n->rule.grace / 2)
                return false; /* it has only just been started: what failed before proves nothing */
        enum voucher v = node_probes_vouch(n, s);
        return v == VOUCH_HUNG || (v == VOUCH_NONE && check_counts(&s->state)); /* healthcheck */
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
