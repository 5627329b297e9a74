/* Pace, and the bar before a restart of Docker. */
#include "hamon/core/warm.h"

/* Nothing is lost by it: the node serves nobody, and could not take over as it is. Once in a boot:
 * if another container really has the port, it does not help. */
static bool may_restart(const struct warm *w, const struct warm_view *v)
{
        return w->stuck && !w->restarted && v->allowed && v->standby && !v->lease && !v->mounted &&
               !v->candidate;
}

enum warm_deed warm_step(struct warm *w, const struct warm_view *v, msec_t now)
{
        if (v->busy)
                return WARM_REST;
        if (!v->left || v->maintenance) {
                *w = (struct warm){ .restarted = w->restarted };
                return WARM_REST;
        }
        if (w->next_at == 0) {
                w->next_at = now + WARM_FIRST_MS;
                return WARM_REST;
        }
        if (may_restart(w, v)) {
                w->restarted = w->restarting = true;
                return WARM_RESTART;
        }
        if (now < w->next_at)
                return WARM_REST;
        w->next_at = now + WARM_AGAIN_MS;
        return WARM_START;
}

bool warm_ended(struct warm *w, bool helped, bool allocated, msec_t now)
{
        if (w->restarting) {
                w->restarting = w->stuck = false;
                w->next_at = 0; /* Docker starts them all, and has the time to */
                return true;
        }
        bool news = helped || !w->told;

        w->next_at = now + (helped ? 0 : WARM_AGAIN_MS);
        w->stuck = !helped && allocated;
        w->told = !helped;
        return news;
}
