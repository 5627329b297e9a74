/* Inside lead*.c only: what Docker could not start at boot, and leaves stopped. */
#pragma once

#include "hamon/lead_impl.h"

int lead_warm_start(struct lead *l);
void lead_warm_free(struct lead *l);
void lead_warm_tick(struct lead *l);
const char *lead_warm_trying(const struct lead *l); /* the service; "" = none */
