/* The canary as a part of `hamon web`: on the master, every [canary] interval, and at once when it
 * has become master. "ok" in its report is whether the last one came through; "reason" names a
 * missed target too. */
#pragma once

#include "hamon/web/parts.h"

extern const struct part_row CANARY_PART;
