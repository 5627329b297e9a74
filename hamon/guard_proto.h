/* What the daemon and the guard say to each other: one struct each way over a SEQPACKET unix
 * socket, both ends from the same build. The answer always comes, so that the asker knows that the
 * guard lives. */
#pragma once

#include "hamon/core/target.h"
#include "lib/util.h"

enum { GUARD_MAGIC = 0x67750001 }; /* the last digits: version of the structs */

enum guard_verb {
        GUARD_SAY_STATUS,
        GUARD_SAY_OFF,   /* nothing writes here */
        GUARD_SAY_ARM,   /* fence at `deadline`, unless told a later one before */
        GUARD_SAY_FENCE, /* now */
        GUARD_SAY_COUNT_
};

struct guard_message {
        uint32_t magic, verb; /* enum guard_verb */
        uint64_t seq;         /* comes back in the answer */
        uint64_t epoch;
        msec_t deadline; /* on CLOCK_BOOTTIME */
        struct fence_target target;
};

enum guard_mode { GUARD_IS_OFF, GUARD_IS_ARMED, GUARD_HAS_FENCED };

struct guard_answer {
        uint32_t magic, mode; /* enum guard_mode */
        uint64_t seq;
        int64_t error; /* 0: done. -ESTALE: an older epoch; -ERANGE: an earlier deadline (or one in
                          the far future); -EBUSY: it was told to fence and has not yet; -EBADMSG */
        uint64_t epoch;
        msec_t deadline;
        bool fencing;              /* at it */
        bool watchdog;             /* a watchdog device is being written to */
        bool tripped;              /* and is not any more: this node is about to be reset */
        bool lacks_watchdog;       /* one is required and there is none: this node must not lead */
        uint64_t fences, failures; /* deeds in this guard's life, and those that proved nothing */
        msec_t took;               /* the last one */
        char text[160];            /* and its words */
};
