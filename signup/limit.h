/* How often something may happen: one bucket per kind and key, in this process. A bucket is a
 * single time (the generic cell rate algorithm): at most `count` at once, refilled evenly over
 * `period`. Memory is fixed; when a set is full, the bucket that is nearest to full is forgotten.
 * Thread-safe. */
#pragma once

#include "lib/util.h"
#include "signup/config.h"

enum limit_kind {
        LIMIT_PAGES,
        LIMIT_ATTEMPTS,
        LIMIT_ADDRESS,
        LIMIT_NETWORK,
        LIMIT_DOMAIN,
        LIMIT_GLOBAL,
};

struct limit;

int limit_new(size_t buckets, struct limit **ret);
void limit_free(struct limit *l); /* NULL is fine */

/* Take one. False: none left; *ret_wait says after how long there is one again. A rate without
 * count is no limit. Key: at most LIMIT_KEY bytes count, longer ones are hashed. */
enum { LIMIT_KEY = 16 };
bool limit_take(struct limit *l, enum limit_kind kind, const void *key, size_t len,
                const struct rate *rate, msec_t now, msec_t *ret_wait);
/* What was taken did not happen. */
void limit_give(struct limit *l, enum limit_kind kind, const void *key, size_t len,
                const struct rate *rate);
