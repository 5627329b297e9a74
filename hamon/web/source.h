/* Where a snapshot comes from: once per check.interval the daemon is asked how it is and what it
 * did; what it did before this process started is read from the events file, once. A daemon that
 * does not answer is asked again; what it said last grows old. */
#pragma once

#include "hamon/config.h"
#include "hamon/web/snap.h"
#include "lib/loop.h"

struct source;

/* `fn`: after each round, whether or not there is news. */
int source_new(struct loop *l, const struct config *c, void (*fn)(void *arg), void *arg,
               struct source **ret);
void source_free(struct source *s);

/* Fill all of it but `extra`. */
void source_snap(struct source *s, struct snap *ret);
