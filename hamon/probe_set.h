/* From hamon.conf to the set of probes: [probe], [volume] mount, and what mailcow.conf has. */
#pragma once

#include "hamon/config.h"
#include "hamon/probe.h"

int probe_set_new(struct loop *l, const struct config *c, probe_fn fn, void *arg,
                  struct probes **ret);
