/* `hamon upgrade`: Mailcow's own update.sh over the cluster, one node at a time. */
#pragma once

int upgrade_command(const char *file, int argc, char **argv);
