/* From hamon.conf and SERVICES[] to what the stack adapter wants to know of a service. */
#pragma once

#include "hamon/config.h"
#include "hamon/stack.h"

/* A stack_classify_fn; arg is a const struct config *. */
void stack_sets_classify(void *arg, const char *service, struct stack_service *ret);

/* The adapter with the values of the configuration, which must outlive it. */
int stack_sets_new(struct loop *l, const struct config *c, struct stack **ret);

#define STACK_NO_CONTAINER                                                               \
        "no container: %s: create them (docker compose up --no-start), or name them in " \
        "stack.ignore"

/* Services that hamon.conf names for the set and that have no container, with ", " between them.
 * `optional`: those, else the others. */
void stack_sets_missing(const struct config *c, const struct stack_plan *p, enum set set,
                        bool optional, struct buf *out);
