/* A member of the database that left its group and does not go back: Galera closes its connection
 * for good when it gives up a copy, or is voted to have other rows than the rest ("node restart
 * required"), and its server runs on. When it is started anew. Pure. Why: ARCHITECTURE.md, "The
 * database's life". */
#pragma once

#include "hamon/core/verdict.h"

enum {
        REJOIN_LEFT_MS = 10000,  /* out for so long is out for good */
        REJOIN_AGAIN_MS = 60000, /* doubled with each try that did not help */
        REJOIN_SLOWEST_MS = 16 * REJOIN_AGAIN_MS,
        REJOIN_WELL_MS = 600000, /* in the group for so long: the tries before are forgotten */
};

enum rejoin_deed {
        REJOIN_REST,   /* nothing now */
        REJOIN_START,  /* start it anew */
        REJOIN_HELPED, /* the last start did, tell it */
        REJOIN_FAILED, /* it left again, tell it */
};

struct rejoin {                        /* zeroed = it is in its group */
        msec_t left_since, well_since; /* 0 = is not */
        msec_t next_at;                /* no sooner than that */
        unsigned tries;
        bool trying; /* it was started anew, and how that ended is not told yet */
};

struct rejoin_view {
        bool left;   /* the server answers, and has no connection to its group */
        bool well;   /* its check passes */
        bool others; /* another node's member is in a Primary component: there is a group */
        bool idle;   /* this node does not lead, is not about to, and nobody works on it */
        bool busy;   /* the deed is under way */
};

enum rejoin_deed rejoin_step(struct rejoin *r, const struct rejoin_view *v, msec_t now);
