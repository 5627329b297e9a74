/* What came to this node by a sync: path and content. Only that is ever deleted again, and only if
 * it still is what came; what was changed here is told of before it is replaced. */
#pragma once

#include "hamon/sync/item.h"

struct ledger {
        struct items items; /* path and sha only */
};

/* A ledger that is not there is empty; one that makes no sense is too, and `error` says so. */
int ledger_read(const char *file, struct ledger *ret, struct buf *error);
int ledger_write(const char *file, const struct ledger *l);
void ledger_done(struct ledger *l);
