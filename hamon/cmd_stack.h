/* `hamon stack status|start|stop|restart|drain|reload`: Mailcow's containers on this node, as sets.
 */
#pragma once

/* Exit 0: it is so, 75: not now, 1: it failed, with a sentence on stderr. */
int stack_command(const char *file, int argc, char **argv);

/* What `stack start` would find (hamon/rehearsal.h). */
struct step;
void stack_start_rehearse(struct step *s);
