/* When a step on the stack closes the door to newcomers, how long it waits, and when it opens it.
 * Failures are told, no more: a switchover must not stop at a missing nft(8). Inside cmd_stack*.c
 * only. */
#pragma once

#include "hamon/stack_plan.h"
#include "hamon/step.h"

enum door {
        DOOR_MAIL,  /* SMTP and submission */
        DOOR_LOGIN, /* all but SMTP: mail is taken, people wait */
        DOOR_ALL,
};

void door_close(struct step *s, enum door which);
void door_open(struct step *s);
/* Nobody listens at the SMTP port of this node: a newcomer would be refused. */
bool door_is_bare(const struct step *s);

/* `pid`: postfix's first process. Wait until no session stands; returns how many still do. */
size_t door_await_quiet(struct step *s, pid_t pid);
/* Does all that taking mail needs listen? Who is gone is not waited for. */
bool door_all_listen(struct step *s, const struct stack_plan *p);
/* Wait until that, at most until `end`. */
void door_await_listeners(struct step *s, const struct stack_plan *p, msec_t end);
