/* Are the service addresses, and the way mail leaves by them, still as `ip assign` left them? Asked
 * of the kernel alone, each tick, so it waits for nobody: a firewall that was loaded anew, or a
 * person, takes them away without a word. */
#include "hamon/lead_impl.h"

#include "hamon/outbound.h"
#include "hamon/provider/local_net.h"
#include "hamon/step.h"
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { MEMORY_MAX = 4096 };

static void add(struct lead *l, const char *text)
{
        struct local_address a;

        if (l->n_addresses == STATUS_ADDRESSES || local_net_parse(text, &a) < 0)
                return;
        struct status_address *s = &l->addresses[l->n_addresses++];
        str_copy(s->text, sizeof s->text, a.text);
        s->here = local_net_has(&a, l->needs.config->ip.interface) == 1;
}

/* Without [ip] address only the provider knows them, and `ip assign` has written down what it said.
 */
static void recall(struct lead *l)
{
        CLEANUP(freep) char *text = NULL;
        char path[LEAD_PATH + 24], *rest = NULL;

        snprintf(path, sizeof path, "%s/" STEP_IP_MEMORY, l->dir);
        if (read_file(path, MEMORY_MAX, &text, NULL) < 0)
                return;
        for (char *w = strtok_r(text, "\n", &rest); w; w = strtok_r(NULL, "\n", &rest))
                add(l, w);
}

static bool any_address(const struct lead *l, int family)
{
        for (size_t i = 0; i < l->n_addresses; i++)
                if ((strchr(l->addresses[i].text, ':') != NULL) == (family == AF_INET6))
                        return true;
        return false;
}

static bool any_network(const struct lead *l, int family)
{
        const struct strlist *n = &l->needs.config->ip.outbound_networks;

        for (size_t i = 0; i < n->n; i++)
                if ((strchr(n->v[i], ':') != NULL) == (family == AF_INET6))
                        return true;
        return false;
}

/* Only a master has it. Not known is not missing: a kernel that cannot tell gets no hook every few
 * seconds. */
static bool lacks_outbound(const struct lead *l, int family)
{
        return l->ha.state == ST_MASTER && l->needs.config->ip.outbound && any_address(l, family) &&
               any_network(l, family) && outbound_table(family) == 0;
}

void lead_address_look(struct lead *l)
{
        const struct config *c = l->needs.config;

        l->n_addresses = 0;
        l->outbound_missing = false;
        if (c->ip.provider == CONFIG_NONE)
                return;
        for (size_t i = 0; i < c->ip.address.n; i++)
                add(l, c->ip.address.v[i]);
        if (c->ip.address.n == 0)
                recall(l);
        l->outbound_missing = lacks_outbound(l, AF_INET) || lacks_outbound(l, AF_INET6);
}

bool lead_address_missing(const struct lead *l)
{
        for (size_t i = 0; i < l->n_addresses; i++)
                if (!l->addresses[i].here)
                        return true;
        return l->outbound_missing;
}
