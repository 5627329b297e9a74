/* From the Docker adapter into the node model: what the daemon and `hamon check --direct` both do
 * with what the engine told. */
#pragma once

#include "hamon/core/target.h"
#include "hamon/docker.h"
#include "hamon/node.h"

/* Take over the engine's state and, as far as they are facts, its containers. */
void feed_docker(struct node *n, const struct docker *d);

/* The containers of the active set: what the guard must be able to stop. */
void feed_target(const struct node *n, const struct docker *d, struct fence_target *t);
