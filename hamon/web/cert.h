/* The certificates of this node's services as a part of `hamon web`: looked at on the master, at
 * once and then every hour. */
#pragma once

#include "hamon/web/cert_look.h"
#include "hamon/web/parts.h"

extern const struct part_row CERT_PART;

/* One certificate as it stands in /status.json. */
void cert_report(const struct cert_facts *f, cJSON *list);
