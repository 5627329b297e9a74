/* Containers that Docker could not start, and leaves stopped: when each is tried again, and when
 * Docker itself is restarted for them. Pure. Why it happens: ARCHITECTURE.md, "What Docker left
 * stopped". */
#pragma once

#include "hamon/core/verdict.h"

enum {
        WARM_FIRST_MS = 3000, /* what starts at boot beside it may still be what it collides with */
        WARM_AGAIN_MS = 20000,
};

enum warm_deed {
        WARM_REST,    /* nothing now */
        WARM_START,   /* the next container that was left */
        WARM_RESTART, /* Docker, with all its containers: it keeps a port for nobody */
};

struct warm {            /* zeroed = nothing is known to be left */
        msec_t next_at;  /* of the next try; 0 = none is due, for nothing was left */
        bool stuck;      /* the last try met a port that Docker has "already allocated" */
        bool told;       /* a failure, since nothing was left */
        bool restarted;  /* Docker, in this boot: the caller's to keep for as long */
        bool restarting; /* the deed under way is WARM_RESTART */
};

struct warm_view {
        bool left;        /* there is such a container */
        bool busy;        /* a deed is under way */
        bool maintenance; /* a person works on the node: afterwards it begins anew */
        bool allowed;     /* to restart Docker at all */
        bool standby;     /* or held back by the breaker: no master, nor about to be one */
        bool lease;
        bool mounted;   /* the volume is */
        bool candidate; /* it could take over as it is */
};

/* What is to be done now. The caller does it, and tells its end to warm_ended(). */
enum warm_deed warm_step(struct warm *w, const struct warm_view *v, msec_t now);

/* `allocated`: it failed because Docker has the port "already allocated". Returns true if the end
 * is news: success always, failure once until all is well. */
bool warm_ended(struct warm *w, bool helped, bool allocated, msec_t now);
