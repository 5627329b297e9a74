/* How long a nonce must be remembered: as long as any node, however its clock is off, may still
 * take the ticket for valid. */
#include "signup/gate/spent.h"

int spent_take(struct spent *s, const struct ticket *t, int64_t ttl, int64_t now)
{
        return s->ops->take(s, t->nonce, t->issued + ttl + 2 * TICKET_SKEW + 1, now);
}

void spent_free(struct spent *s)
{
        if (s)
                s->ops->free(s);
}
