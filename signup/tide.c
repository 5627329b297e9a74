/* The counter of tide.h. */
#include "signup/tide.h"

enum { SLOT_MS = 30000 };

uint64_t tide_count(struct tide *t, msec_t now)
{
        int64_t slot = now / SLOT_MS;

        pthread_mutex_lock(&t->lock);
        if (slot != t->slot) {
                t->before = slot == t->slot + 1 ? t->now : 0;
                t->now = 0;
                t->slot = slot;
        }
        uint64_t n = ++t->now + t->before;
        pthread_mutex_unlock(&t->lock);
        return n;
}
