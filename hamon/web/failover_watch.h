/* The part "failovers": those of this node by its events, those of other nodes as seen from here,
 * and how long all since our start took. */
#pragma once

#include "hamon/web/parts.h"

extern const struct part_row FAILOVER_PART;
