/* Inside lead*.c only: the database was away, and who remembers that. */
#pragma once

#include "hamon/lead_impl.h"

int lead_outage_start(struct lead *l);
void lead_outage_free(struct lead *l);
void lead_outage_tick(struct lead *l);
