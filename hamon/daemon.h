/* `hamon run`: the daemon. */
#pragma once

/* Runs until SIGTERM or SIGINT. `file` is the configuration. Returns a sysexits code: 0, 78
 * (configuration), 69 (another daemon runs), 71 (the system refused something). */
int daemon_run(const char *file);
