/* `hamon status`: the node model as JSON for programs and as text for people. */
#pragma once

#include "hamon/core/ha.h"
#include "hamon/node.h"

/* The JSON of hamon(8) with a newline; -ENOMEM, -EFBIG. `ha`: NULL = this node is of no cluster. */
int status_json(const struct node *n, const struct ha *ha, msec_t now, struct buf *out);
/* For a terminal of 80 columns, without colour. */
int status_text(const struct node *n, const struct ha *ha, msec_t now, struct buf *out);
