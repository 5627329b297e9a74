/* `hamon status`: the node model as JSON for programs and as text for people. */
#pragma once

#include "hamon/node.h"

/* The JSON contract (docs/status-json.md) with a newline; -ENOMEM, -EFBIG. */
int status_json(const struct node *n, msec_t now, struct buf *out);
/* For a terminal of 80 columns, without colour. */
int status_text(const struct node *n, msec_t now, struct buf *out);
