/* `hamon stack status|start|stop|drain`: Mailcow's containers on this node, as sets. */
#pragma once

/* Exit 0: it is so, 75: not now, 1: it failed, with a sentence on stderr. */
int stack_command(const char *file, int argc, char **argv);
