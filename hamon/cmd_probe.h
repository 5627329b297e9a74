/* `hamon probe [NAME...] [--json] [--wait SECONDS]`: ask this node's services once, or until all
 * answer. */
#pragma once

/* Exit 0: all pass, 75: some do not. */
int probe_command(const char *file, int argc, char **argv);
