/* `hamon rehearse`: would a fail-over to this node work, step by step? Looks only. */
#pragma once

/* The words after the verb. Exit 0: nothing stands in the way; 1: something does. */
int rehearse_command(const char *file, int argc, char **argv);
