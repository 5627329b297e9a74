/* `hamon status` where standard output is a terminal. */
#pragma once

#include "hamon/config.h"
#include <stdbool.h>

/* One that can do more than print. */
bool is_terminal(void);
/* The daemon's text, in colour unless NO_COLOR is set, and as wide as there is room. */
void show_text(const char *text);
/* Again every second, until a signal ends it (and this process) or the terminal is gone. */
int watch_status(const struct config *config);
