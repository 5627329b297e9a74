/* `hamon sync`, `hamon sync now`, `hamon sync status`. */
#pragma once

int sync_command(const char *file, int argc, char **argv);
