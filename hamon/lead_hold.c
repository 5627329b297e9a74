/* What master.sh waits for before it starts: the guard's word that it knows of this lease; and,
 * where a fence is a power switch, a word of everyone who would be fenced, asked for since the
 * lease was won: who gave it away says a moment before that he still demotes. And so many are never
 * fenced that the database would lose its quorum. */
#include "hamon/lead_impl.h"

enum {
        GUARD_MS = 3000,
        OTHERS_MS = 30000, /* they live: our component of the database has them */
};

static const char NO_GUARD[] = "the guard has not said that it knows of this lease: this node must "
                               "not lead without it";
static const char TOO_MANY[] =
        "so many do not say that nothing writes there that fencing them would "
        "end the quorum of the database: does hamon run there?";

/* Only a promotion fences. */
static bool fences(const struct lead *l)
{
        return l->held_back.mode == MODE_PROMOTE && lead_fences_by_switch(l);
}

/* NULL: nothing stands against it. */
static const char *bar(struct lead *l, msec_t now)
{
        if (!lead_guarded(l, now))
                return NO_GUARD;
        if (!fences(l) || (lead_unclean_asked(l, l->held_back.from, l->held_at) &&
                           !lead_fence_breaks_quorum(l, now)))
                return NULL;
        return TOO_MANY;
}

void lead_hold(struct lead *l, const struct ha_action *a, msec_t now)
{
        l->held_back = *a;
        l->is_held_back = true;
        l->held_at = now;
}

static void refuse(struct lead *l, const char *why)
{
        l->is_held_back = false;
        l->hook_refused = l->held_back.id;
        if (why)
                lead_tell_hook(l, &l->held_back, why);
        lead_wake(l);
}

void lead_hold_look(struct lead *l, msec_t now)
{
        const char *why = l->is_held_back ? bar(l, now) : NULL;

        if (!l->is_held_back)
                return;
        if (!why) {
                l->is_held_back = false;
                lead_start_hook(l, &l->held_back);
        } else if (now - l->held_at >= (why == NO_GUARD ? (msec_t)GUARD_MS : (msec_t)OTHERS_MS)) {
                refuse(l, why);
        }
}

void lead_hold_drop(struct lead *l)
{
        if (l->is_held_back)
                refuse(l, NULL);
}
