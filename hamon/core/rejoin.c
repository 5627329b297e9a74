/* Patience first, for a member that is about to go back needs no help; then fewer and fewer tries,
 * for each may cost another node a full copy. */
#include "hamon/core/rejoin.h"

static msec_t pause(unsigned tries)
{
        msec_t p = REJOIN_AGAIN_MS;

        while (tries-- > 1 && p < (msec_t)REJOIN_SLOWEST_MS)
                p *= 2;
        return p;
}

static void since(msec_t *at, bool is, msec_t now)
{
        if (!is)
                *at = 0;
        else if (*at == 0)
                *at = now;
}

/* Out for good, as far as time can tell. */
static bool is_out(const struct rejoin *r, msec_t now)
{
        return r->left_since && now - r->left_since >= (msec_t)REJOIN_LEFT_MS;
}

enum rejoin_deed rejoin_step(struct rejoin *r, const struct rejoin_view *v, msec_t now)
{
        since(&r->left_since, v->left, now);
        since(&r->well_since, v->well, now);
        if (r->well_since && now - r->well_since >= (msec_t)REJOIN_WELL_MS)
                r->tries = 0;
        if (v->busy)
                return REJOIN_REST;
        if (r->trying && (v->well || is_out(r, now))) {
                r->trying = false;
                return v->well ? REJOIN_HELPED : REJOIN_FAILED;
        }
        if (!is_out(r, now) || !v->others || !v->idle || (r->tries > 0 && now < r->next_at))
                return REJOIN_REST;
        r->tries++;
        r->next_at = now + pause(r->tries);
        r->left_since = 0; /* of this start, anew */
        r->trying = true;
        return REJOIN_START;
}
