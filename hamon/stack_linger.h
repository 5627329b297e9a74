/* Does a container that was told to end still have something to write? Dovecot's master waits a
 * second for its own logger when all that had to do with mail is gone; in that second nothing
 * happens that a kill could spoil. */
#pragma once

#include <sys/types.h>

/* Looks at all processes in the pid namespace of `pid`, the container's first one. 1: one of them
 * has a regular file open for writing that still has a name, or maps one; 0: none has; -ESRCH: it
 * has ended; -ENOTSUP: it has no pid namespace of its own; else what the kernel said. */
int stack_linger_look(pid_t pid);
