/* Who listens where a container is about to publish a port on this node. Reads /proc only; nothing
 * is bound, so it is in nobody's way. */
#pragma once

#include "hamon/stack_plan.h"
#include "lib/util.h"

/* 1: it could not be published, and who is in the way, as "exim4 (812)"; 0: it could. */
int stack_ports_taken(const struct stack_port *p, char *who, size_t size);

/* The inode of a socket in the text of /proc/net/tcp (tcp6: `six`) that is in its way; 0: none.
 * Pure.
 */
unsigned long stack_ports_find(const char *text, bool six, const struct stack_port *p);
