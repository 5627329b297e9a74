/* The containers of this node, looked at as if they had to be started now. */
#pragma once

#include "hamon/stack_plan.h"
#include "hamon/step.h"

/* Findings about a plan that was looked at, images and all. */
void stack_rehearse(struct step *s, const struct stack_plan *p);
