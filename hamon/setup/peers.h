/* Is there a cluster already? */
#pragma once

#include "hamon/config.h"

/* Another node takes a connection on its peer port, within a second: its name. False: none does. */
bool peers_answer(const struct config *c, char *ret_name, size_t size);
