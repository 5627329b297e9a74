/* The part "events": how many there were of each kind and level since we started. */
#pragma once

#include "hamon/web/parts.h"

extern const struct part_row TALLY_PART;
