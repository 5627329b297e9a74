/* How it is now, in one sentence: the last line of `hamon why`. The events before it say how it
 * came to that; this one says what the node waits for. */
#include "hamon/lead_rejoin.h"
#include "hamon/lead_warm.h"

#include "lib/log.h"
#include <inttypes.h>
#include <string.h>
#include <time.h>

enum { SENTENCE = 512 };

static char *seconds(msec_t ms, char *dst, size_t size)
{
        snprintf(dst, size, "%lld.%lld s", (long long)(ms / 1000), (long long)(ms % 1000 / 100));
        return dst;
}

/* Core knows what keeps this node from leading; here the same with names and numbers, where we have
 * any. "" = nothing. */
static void hindrance(struct lead *l, msec_t now, struct buf *out)
{
        const struct ha *h = &l->ha;
        struct node *n = l->needs.node;
        char text[320], time[32];

        if (h->state == ST_HALTED && breaker_banned(&h->breaker, now))
                buf_addf(out,
                         "this node lost the lead for cause and waits %s more; hamon ack ends "
                         "that",
                         seconds(h->breaker.banned_until - now, time, sizeof time));
        else if (h->state == ST_STANDBY && lead_peer_outlasts(l))
                buf_addf(out,
                         "the lease.ttl of %s is longer than that of this node, which would "
                         "not wait long enough",
                         h->lease.row.holder);
        else if (h->state != ST_STANDBY || node_candidate(n) == FIT)
                buf_adds(out, guard_ready(l->guard) || h->state != ST_STANDBY
                                      ? h->why_not
                                      : "the guard of this node is not ready");
        else
                buf_addf(out, "this node is not fit: %s", node_message(n, text, sizeof text));
}

static void idle(struct lead *l, msec_t now, struct buf *out)
{
        const struct lease *lease = &l->ha.lease;
        size_t before;

        if (!lease->known)
                buf_adds(out, "who leads is not known");
        else if (lease->row.holder[0])
                buf_addf(out, "%s leads", lease->row.holder);
        else
                buf_adds(out, "nobody leads");
        buf_adds(out, "; ");
        before = out->len;
        hindrance(l, now, out);
        if (out->len == before)
                buf_adds(out, "this node could take over");
}

static void hook_runs(const struct lead *l, msec_t now, struct buf *out)
{
        const struct ha *h = &l->ha;
        char time[32];

        if (l->is_held_back)
                buf_adds(out, "waits until the guard has said that it knows of the lease");
        else if (hook_busy(l->hook))
                buf_addf(out, "%s.sh runs (%s), for %s", HA_HOOKS[h->hook], HA_MODES[h->mode],
                         seconds(now - h->state_since, time, sizeof time));
        else
                buf_addf(out, "%s.sh has ended, and comes again", HA_HOOKS[h->hook]);
        if (h->state == ST_FENCING && l->mounted)
                buf_adds(out, "; the volume is still mounted");
}

static void leads(struct lead *l, msec_t now, struct buf *out)
{
        const struct ha *h = &l->ha;
        struct node *n = l->needs.node;
        char time[32], text[320];

        buf_addf(out, "leads; its lease is good for %s",
                 seconds(h->lease.valid_until - now, time, sizeof time));
        if (n->verdict.fitness != FIT)
                buf_addf(out, "; %s: %s", FITNESSES[n->verdict.fitness],
                         node_message(n, text, sizeof text));
        if (*lead_repairing(l))
                buf_addf(out, "; %s hangs, and is restarted once", lead_repairing(l));
        if (lead_in_maintenance(l))
                buf_adds(out, "; in maintenance, but no other node is fit to lead");
}

void lead_now(struct lead *l, struct buf *out)
{
        CLEANUP(buf_done) struct buf b = BUF(2 * SENTENCE);
        const struct ha *h = &l->ha;
        msec_t now = loop_now(l->needs.loop);

        switch (h->state) {
        case ST_MASTER:
                leads(l, now, &b);
                break;
        case ST_PROMOTING:
        case ST_DEMOTING:
        case ST_FENCING:
                hook_runs(l, now, &b);
                break;
        case ST_CLAIMING:
                buf_adds(&b, "is taking the lease");
                break;
        case ST_INIT:
        case ST_STANDBY:
        case ST_HALTED:
        case ST_MAINTENANCE:
        case ST_COUNT_:
                idle(l, now, &b);
                break;
        }
        if (*lead_warm_trying(l))
                buf_addf(&b, "; Docker could not start %s: it is tried again", lead_warm_trying(l));
        if (lead_rejoining(l))
                buf_adds(&b, "; the database had left its group: it is started anew");
        events_now(l->needs.events,
                   &(struct happening){ .kind = EVENT_NOW,
                                        .epoch = h->lease.held ? h->lease.epoch : 0,
                                        .to = HA_STATES[h->state],
                                        .reason = reason_name(l->needs.node->verdict.reason),
                                        .detail = buf_str(&b),
                                        .took = -1 },
                   out);
}
