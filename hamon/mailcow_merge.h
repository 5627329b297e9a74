/* mailcow.conf of this node with the values all nodes share: passwords, names, limits. Pure. */
#pragma once

#include "lib/buf.h"

/* The keys that are a node's own, NULL-terminated: addresses, networks, how Docker is called. */
extern const char *const MAILCOW_NODE_OWN[];

/* `own` with each value of `shared` in place of its own; what `own` lacks comes at the end.
 * Comments, order, and the node's own keys stay. Nothing but KEY=VALUE lines is looked at. */
int mailcow_merge(const char *own, const char *shared, struct buf *out);

/* Values of keys that hold a password or a key as "(hidden)": for people's eyes. */
void mailcow_mask(const char *text, struct buf *out);
