/* `hamon events [--json] [-n N] [--since TIME]`. Returns the exit status. */
#pragma once

int events_command(const char *file, int argc, char **argv);
