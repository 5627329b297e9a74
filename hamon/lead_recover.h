/* Inside lead*.c only: the database is down on all nodes, and who may be its first member again. */
#pragma once

#include "hamon/lead_impl.h"

int lead_recover_start(struct lead *l);
void lead_recover_free(struct lead *l);
void lead_recover_tick(struct lead *l);
/* Another node said lately that its member is in a Primary component. Nobody is asked while ours
 * is. */
bool lead_recover_others_up(const struct lead *l);
/* `galera` on the peer channel, `recover` on the control socket. */
void lead_recover_peer(struct lead *l, const char *from, const char *words, struct buf *out);
void lead_recover_request(struct lead *l, const char *words, struct buf *out);
