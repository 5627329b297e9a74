/* hamon.conf says which set a service belongs to, SERVICES[] what it needs. */
#include "hamon/stack_sets.h"

#include "hamon/services.h"
#include <string.h>

void stack_sets_classify(void *arg, const char *service, struct stack_service *ret)
{
        const struct config *c = arg;
        const struct service_row *row = service_find(service);

        *ret = (struct stack_service){ .set = SET_ACTIVE, .needs = row ? row->needs : "" };
        if (strlist_has(&c->stack.ignore, service))
                ret->set = SET_IGNORED;
        else if (strlist_has(&c->stack.warm, service))
                ret->set = SET_WARM;
        ret->optional = ret->set == SET_IGNORED || strlist_has(&c->stack.optional, service);
        ret->first = row && row->part == SERVICE_FIRST;
        ret->early = row && row->part == SERVICE_EARLY;
        ret->slow = row && row->part == SERVICE_SLOW;
        ret->mail = ret->first || ret->early || ret->slow || (row && row->part == SERVICE_MAIL);
        ret->volume = c->volume.mount;
        ret->port = row ? row->port : 0;
        ret->rival = row && row->part == SERVICE_RIVAL && ret->set == SET_IGNORED;
}

int stack_sets_new(struct loop *l, const struct config *c, struct stack **ret)
{
        const struct stack_config sc = { .socket = c->docker.socket,
                                         .project = c->docker.project,
                                         .stop_timeout = c->stack.stop_timeout,
                                         .classify = stack_sets_classify,
                                         .arg = (void *)(uintptr_t)c };

        return stack_new(l, &sc, ret);
}

static bool has_container(const struct stack_plan *p, const char *service)
{
        for (size_t i = 0; i < p->n; i++)
                if (strcmp(p->v[i].service, service) == 0)
                        return true;
        return false;
}

void stack_sets_missing(const struct config *c, const struct stack_plan *p, enum set set,
                        bool optional, struct buf *out)
{
        const struct strlist *list = set == SET_WARM ? &c->stack.warm : &c->stack.active;

        for (size_t i = 0; i < list->n; i++) {
                const char *service = list->v[i];
                if (has_container(p, service) || strlist_has(&c->stack.ignore, service) ||
                    strlist_has(&c->stack.optional, service) != optional)
                        continue;
                buf_addf(out, "%s%s", out->len > 0 ? ", " : "", service);
        }
}
