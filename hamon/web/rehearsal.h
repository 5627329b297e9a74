/* What the last `hamon rehearse` on this node found, as "rehearsal" among what the parts report:
 * {"ok", "at", "ago_ms", "took_ms", "findings": [{"check", "verdict", "message"}]}. Nothing is
 * reported where none was made since the boot. */
#pragma once

#include "hamon/web/parts.h"

extern const struct part_row PART_REHEARSAL;
