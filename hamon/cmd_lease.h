/* `hamon lease status`: the lease's row, as the database has it now. */
#pragma once

/* The words after `lease`. Returns an exit status of sysexits.h; 1: there is no such row, 75: the
 * database did not answer. Nothing is changed. */
int lease_command(const char *file, int argc, char **argv);
