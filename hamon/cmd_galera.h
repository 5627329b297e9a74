/* `hamon galera …`: this node's member of the database cluster. */
#pragma once

/* The words after the verb. Returns the exit code. */
int galera_command(const char *file, int argc, char **argv);
