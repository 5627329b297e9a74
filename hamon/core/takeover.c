/* The rules of takeover.h. Clean is only who says so itself: that a node is gone from our view of
 * the database, or silent on every channel, is what a cut looks like from here. */
#include "hamon/core/takeover.h"

const char *const TAKEOVER_OTHERS[OTHER_COUNT_] = {
        [OTHER_UNASKED] = "unasked", [OTHER_SILENT] = "silent", [OTHER_DIRTY] = "dirty",
        [OTHER_CLEAN] = "clean",     [OTHER_LEADS] = "leads",
};

const struct takeover_row BARS[BAR_COUNT_] = {
        [BAR_NONE] = { "none", "nothing stands against it" },
        [BAR_LEADS] = { "leads", "this node leads, or is about to" },
        [BAR_BUSY] = { "busy", "this node has not read the lease yet, or is still cleaning up" },
        [BAR_MAINTENANCE] = { "maintenance",
                              "this node is in maintenance; first: hamon maintenance off" },
        [BAR_NO_GUARD] = { "no_guard",
                           "the guard does not answer, or lacks the watchdog it needs; without it "
                           "no node leads" },
        [BAR_UNASKED] = { "unasked", "has not been asked yet; try again in a second" },
        [BAR_HOLDER_LIVES] = { "holder_lives",
                               "answers and leads: nothing is taken from it; there: hamon "
                               "switchover" },
        [BAR_BREAKS_QUORUM] = { "breaks_quorum",
                                "fencing every node that does not answer would leave the database "
                                "without its quorum: start hamon there, or stop the database "
                                "there in good order" },
        [BAR_UNFENCED] = { "unfenced",
                           "does not say that nothing writes there: it must be fenced" },
        [BAR_NO_QUORUM] = { "no_quorum", "the database here has no quorum" },
};

enum takeover_other takeover_classify(bool asked, bool answers, enum ha_state state, bool mounted,
                                      msec_t valid)
{
        if (!answers)
                return asked ? OTHER_SILENT : OTHER_UNASKED;
        switch (state) {
        case ST_PROMOTING:
        case ST_MASTER:
        case ST_DEMOTING:
                return OTHER_LEADS;
        case ST_STANDBY:
        case ST_CLAIMING:
        case ST_HALTED:
        case ST_MAINTENANCE:
                if (valid > 0)
                        return OTHER_LEADS;
                return mounted ? OTHER_DIRTY : OTHER_CLEAN;
        case ST_INIT:
        case ST_FENCING:
        case ST_COUNT_:
                break;
        }
        return valid > 0 ? OTHER_LEADS : OTHER_DIRTY;
}

bool takeover_needs_fence(const struct takeover_node *o)
{
        return o->is == OTHER_SILENT || o->is == OTHER_DIRTY;
}

static size_t find(const struct takeover_view *v, enum takeover_other is)
{
        size_t i = 0;

        while (i < v->n && v->others[i].is != is)
                i++;
        return i;
}

static size_t find_unfenced(const struct takeover_view *v)
{
        size_t i = 0;

        while (i < v->n && (!takeover_needs_fence(&v->others[i]) || v->others[i].fenced))
                i++;
        return i;
}

/* Those to be fenced that our component still counts go down in no good order. Who may be one of it
 * is taken for one, as far as there are members that nobody else is. */
bool takeover_breaks_quorum(const struct takeover_view *v)
{
        unsigned lost = 0, unclear = 0, known = 1; /* we are one */

        for (size_t i = 0; i < v->n; i++) {
                const struct takeover_node *o = &v->others[i];
                bool fence = takeover_needs_fence(o);
                known += o->in_view || (o->may_be_in_view && !fence);
                lost += fence && o->in_view;
                unclear += fence && o->may_be_in_view;
        }
        if (v->members > known)
                lost += unclear < v->members - known ? unclear : v->members - known;
        return v->quorum && lost > 0 && lost * 2 >= v->members;
}

static enum takeover_bar own_bar(const struct takeover_view *v)
{
        if (ha_may_write(v->state))
                return BAR_LEADS;
        if (v->state == ST_INIT || v->state == ST_FENCING)
                return BAR_BUSY;
        if (v->maintenance || v->state == ST_MAINTENANCE)
                return BAR_MAINTENANCE;
        return v->guard ? BAR_NONE : BAR_NO_GUARD;
}

enum takeover_bar takeover_bar(const struct takeover_view *v, size_t *ret_culprit)
{
        enum takeover_bar bar = own_bar(v);
        size_t leads = find(v, OTHER_LEADS), unasked = find(v, OTHER_UNASKED);
        size_t unfenced = find_unfenced(v);

        *ret_culprit = v->n;
        if (bar != BAR_NONE)
                return bar;
        if (leads < v->n)
                bar = BAR_HOLDER_LIVES;
        else if (unasked < v->n)
                bar = BAR_UNASKED;
        else if (takeover_breaks_quorum(v))
                bar = BAR_BREAKS_QUORUM;
        else if (unfenced < v->n)
                bar = BAR_UNFENCED;
        else if (!v->quorum)
                bar = BAR_NO_QUORUM;
        if (bar == BAR_HOLDER_LIVES)
                *ret_culprit = leads;
        else if (bar == BAR_UNASKED)
                *ret_culprit = unasked;
        else if (bar == BAR_UNFENCED)
                *ret_culprit = unfenced;
        return bar;
}
