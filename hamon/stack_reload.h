/* What `postfix reload` does, from outside of Postfix's container. */
#pragma once

#include <sys/types.h>

/* SIGHUP to Postfix's master(8) in the container whose first process is `pid`, wherever among its
 * processes it is: running ones "are allowed to terminate as soon as is convenient", master(8), and
 * new ones know nothing of what these remember. 0; -ESRCH: there is none, or that container has
 * ended; -errno. */
int stack_reload_postfix(pid_t pid);
