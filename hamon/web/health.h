/* Is it well? The verdicts of /health and its kin as {"ok", "reason", "message", "node", "role"}.
 * Pure. What was not said lately (view_silent) is never well. */
#pragma once

#include "hamon/web/routes.h"

bool health_node(const struct view *v, cJSON *into);    /* this node is fit */
bool health_master(const struct view *v, cJSON *into);  /* it leads, and its lease is valid now */
bool health_standby(const struct view *v, cJSON *into); /* it does not lead, and is fit */
bool health_ready(const struct view *v, cJSON *into); /* it leads and is fit, or could take over */

/* One of the things people ask about: smtp, imap, database, webmail, volume, galera. */
bool health_part(const struct view *v, const char *part, cJSON *into);
