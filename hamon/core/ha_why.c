/* Why does this node not lead? One sentence for every state, for `hamon status`; of several reasons
 * the one that somebody can do something about. A standby of a master that lives needs no reason.
 */
#include "hamon/core/ha_impl.h"

static const char TTL_DIFFERS[] =
        "the holder's lease.ttl is longer than this node's: it must be the same on all nodes";

static const char *why_standby(const struct ha *h, const struct ha_facts *f, msec_t now)
{
        const struct lease *l = &h->lease;

        if (f->candidate == UNFIT)
                return "this node is not fit to lead";
        if (f->candidate != FIT || f->age > h->config.stale)
                return "it is not known whether this node is fit to lead";
        if (f->outlasted)
                return TTL_DIFFERS;
        if (f->unheard)
                return "too few nodes say that nothing writes there: who is only late must not be "
                       "fenced";
        if (!f->provider)
                return "the provider of the volume does not answer";
        if (!l->known || l->must_read)
                return "the database does not say who holds the lease";
        if (l->names_us)
                return "the lease names this node, which gives it back";
        if (f->holder_answers || (l->row.holder[0] && now - l->still_since < l->rule.renew * 2))
                return "";
        return l->row.holder[0] ? "another node holds the lease, silently: it must run out first"
                                : "the lease is free: who takes it is about to be seen";
}

const char *ha_why_not(const struct ha *h, const struct ha_facts *f, msec_t now)
{
        switch (h->state) {
        case ST_INIT:
                return h->lease.known ? "what an earlier life left here is not known yet"
                                      : "the database does not say who holds the lease";
        case ST_STANDBY:
                return why_standby(h, f, now);
        case ST_CLAIMING:
                return f->outlasted ? TTL_DIFFERS : "this node is taking the lease";
        case ST_PROMOTING:
                return h->tries > 0 ? "master.sh did not succeed here yet; it is tried again"
                                    : "this node is being made the master";
        case ST_DEMOTING:
                return h->tries > 0 ? "backup.sh did not succeed here yet; it is tried again"
                                    : "this node gives the service up";
        case ST_FENCING:
                return h->tries > 0 ? "it is not proven that nothing writes on the volume here"
                                    : "this node lost the lease and stops what writes";
        case ST_HALTED:
                return "the breaker keeps this node from leading; hamon ack ends that";
        case ST_MAINTENANCE:
                return "this node is in maintenance";
        case ST_MASTER:
        case ST_COUNT_:
                break;
        }
        return "";
}
