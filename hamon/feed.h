/* From the Docker adapter into the node model: what the daemon and `hamon check --direct` both do
 * with what the engine told. */
#pragma once

#include "hamon/docker.h"
#include "hamon/node.h"

/* Take over the engine's state and, as far as they are facts, its containers. */
void feed_docker(struct node *n, const struct docker *d);
