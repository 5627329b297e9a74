/* `hamon alert test [TARGET]`, `hamon alert status [--json]`. */
#pragma once

int alert_command(const char *file, int argc, char **argv);
