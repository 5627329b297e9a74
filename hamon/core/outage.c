/* An outage ends when the check is up again: until then nothing new would know better. */
#include "hamon/core/outage.h"

bool outage_step(struct outage *o, bool master, const struct check_state *database, bool busy,
                 msec_t now)
{
        if (!master) { /* who writes is started anew with the next lead */
                *o = (struct outage){ 0 };
                return false;
        }
        if (database->bad && !o->seen)
                *o = (struct outage){ .seen = true, .next_at = o->next_at };
        if (!o->seen || busy || database->bad || database->verdict != V_UP || now < o->next_at)
                return false;
        o->seen = false;
        o->tries++;
        o->next_at = now + OUTAGE_AGAIN_MS;
        return true;
}

bool outage_ended(struct outage *o, bool helped, msec_t now)
{
        if (helped || o->seen || o->tries >= OUTAGE_TRIES)
                return true;
        o->seen = true;
        o->next_at = now + OUTAGE_AGAIN_MS;
        return false;
}
