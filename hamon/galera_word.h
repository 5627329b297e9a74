/* What a node tells the others of its member when the database is down, as one line of key=value:
 * the answer to `galera` on the peer channel. Pure. */
#pragma once

#include "hamon/core/recover.h"
#include "lib/buf.h"

void galera_word_write(struct buf *out, const struct recover_node *n);
/* `known` of it is set. -EBADMSG: not of ours. */
int galera_word_parse(const char *text, struct recover_node *ret);
