/* `hamon fence`: stop what writes on the volume, and prove it. */
#pragma once

int fence_command(const char *file, int argc, char **argv);
