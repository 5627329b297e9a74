/* When a step on the stack closes the door to newcomers, how long it waits, and when it opens it.
 * Failures are told, no more: a switchover must not stop at a missing nft(8). Inside cmd_stack*.c
 * only. */
#pragma once

#include "hamon/step.h"

enum door { DOOR_MAIL /* SMTP and submission */, DOOR_ALL /* and IMAP, POP3, sieve, web */ };

void door_close(struct step *s, enum door which);
void door_open(struct step *s);
/* Nobody listens at the SMTP port of this node: a newcomer would be refused. */
bool door_is_bare(const struct step *s);

/* `pid`: postfix's first process. Wait until no session stands; returns how many still do. */
size_t door_await_quiet(struct step *s, pid_t pid);
/* Wait until postfix listens. */
void door_await_listener(struct step *s, pid_t pid);
