/* Inside lead*.c only: this node's member of the database left its group, and is started anew. */
#pragma once

#include "hamon/lead_impl.h"

int lead_rejoin_start(struct lead *l);
void lead_rejoin_free(struct lead *l);
void lead_rejoin_tick(struct lead *l);
bool lead_rejoining(const struct lead *l); /* it was, and is not well yet */
