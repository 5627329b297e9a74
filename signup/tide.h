/* How many in the last minute, roughly: two half minutes, the current one and the one before it. */
#pragma once

#include "lib/util.h"

#include <pthread.h>

struct tide {
        pthread_mutex_t lock;
        int64_t slot;
        uint64_t now, before;
};

#define TIDE                                      \
        {                                         \
                .lock = PTHREAD_MUTEX_INITIALIZER \
        }

uint64_t tide_count(struct tide *t, msec_t now); /* counts one more */
