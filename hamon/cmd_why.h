/* `hamon why [--json]`. Returns the exit status. */
#pragma once

int why_command(const char *file, int argc, char **argv);
