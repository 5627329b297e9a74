/* `hamon takeover --force`: the break-glass, for one healthy server among dead ones. */
#pragma once

/* The words after the verb. Returns the exit code: 0 this node leads; 75 the database has no quorum
 * yet, and what to do was said; 1 refused. */
int takeover_command(const char *file, int argc, char **argv);
