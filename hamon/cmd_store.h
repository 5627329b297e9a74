/* `hamon store init`: the database, its tables, the lease's row and the user of hamon. */
#pragma once

/* The words after `store`. Returns an exit status of sysexits.h; 1: the database refused, and
 * standard error says what. */
int store_command(const char *file, int argc, char **argv);
