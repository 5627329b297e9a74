/* What every connection of ours to MariaDB has in common, blocking or not. */
#pragma once

#include <stdbool.h>

struct st_mysql;

/* For a handle that is not connected yet. No file is ever sent, no connection is made anew behind
 * our back, no password is said in clear, all text is utf8mb4. `begin` is said on each new
 * connection; NULL: nothing. */
void sql_options(struct st_mysql *my, bool socket, const char *begin);
