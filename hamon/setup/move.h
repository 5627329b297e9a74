/* `hamon move in|out`: Mailcow's data onto the shared volume, and back. */
#pragma once

int move_command(const char *file, int argc, char **argv);
