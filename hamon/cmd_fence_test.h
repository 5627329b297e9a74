/* `hamon fence-test`: would fencing work on this node? Looks only. */
#pragma once

/* The words after the verb. Returns an exit status: 0 every line is ok, 1 some are not. */
int fence_test_command(const char *file, int argc, char **argv);
