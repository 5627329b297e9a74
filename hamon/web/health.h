/* Is it well? The verdicts of /health and its kin as {"ok", "reason", "message"}. Pure. */
#pragma once

#include "hamon/web/routes.h"

/* What: NULL = this node. Fills `into`. */
bool health_of(const struct view *v, const char *what, cJSON *into);
