/* What master.sh waits for before it starts: the guard's word that it knows of this lease; and,
 * where a fence is a power switch, a word of everyone who would be fenced, asked for since the
 * lease was won. Who gave it away says a moment before that he still demotes. */
#include "hamon/lead_impl.h"

enum { WAIT_MS = 3000 };

static bool is_due(struct lead *l, msec_t now)
{
        if (!lead_guarded(l, now))
                return false;
        return lead_peer_settled(l, l->held_back.from, l->held_at) || now >= l->held_until;
}

void lead_hold(struct lead *l, const struct ha_action *a, msec_t now)
{
        l->held_back = *a;
        l->is_held_back = true;
        l->held_at = now;
        l->held_until = now + WAIT_MS;
}

void lead_hold_look(struct lead *l, msec_t now)
{
        if (!l->is_held_back)
                return;
        if (is_due(l, now)) {
                l->is_held_back = false;
                lead_start_hook(l, &l->held_back);
        } else if (now >= l->held_until) {
                l->is_held_back = false;
                l->hook_refused = l->held_back.id;
                lead_tell_hook(l, &l->held_back,
                               "the guard has not said that it knows of this lease: this node must "
                               "not lead without it");
                lead_wake(l);
        }
}

void lead_hold_drop(struct lead *l)
{
        if (!l->is_held_back)
                return;
        l->is_held_back = false;
        l->hook_refused = l->held_back.id;
        lead_wake(l);
}
