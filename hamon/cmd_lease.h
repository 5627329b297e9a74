/* `hamon lease`: the row as the database has it now, and the two steps of it by hand. */
#pragma once

/* The words after `lease`. Returns an exit status of sysexits.h; 1: there is no such row, 75: the
 * database did not answer. */
int lease_command(const char *file, int argc, char **argv);
