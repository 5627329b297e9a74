/* `hamon ip …`: the service addresses and what goes out by them. */
#pragma once

/* The words after the verb. Returns the exit code. */
int ip_command(const char *file, int argc, char **argv);
