/* The database of the master was away and is back: who remembers that it was away is to begin anew.
 * When, and how often that is tried. Pure. Why: ARCHITECTURE.md, "What remembers an outage". */
#pragma once

#include "hamon/core/verdict.h"

enum { OUTAGE_AGAIN_MS = 5000, OUTAGE_TRIES = 3 };

struct outage { /* zeroed = none was seen */
        bool seen;
        unsigned tries;
        msec_t next_at; /* no sooner than that */
};

/* `database` is its check, `busy`: the deed is under way. True: do it now, and tell its end to
 * outage_ended(). Another outage meanwhile is another reason. */
bool outage_step(struct outage *o, bool master, const struct check_state *database, bool busy,
                 msec_t now);

/* Returns true if this is the end of it: it helped, or is not tried any more. */
bool outage_ended(struct outage *o, bool helped, msec_t now);
