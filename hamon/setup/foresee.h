/* What of mailcow.conf will hurt in a cluster, in words for the person who runs hamon init. Pure.
 */
#pragma once

#include "hamon/config.h"
#include "hamon/mailcow.h"

/* Each a line in `out`. `c`: hamon.conf as it is to be. */
void foresee(const struct mailcow *m, const struct config *c, struct buf *out);
