/* `hamon canary`: one mail through this node's services and back, and their certificates, once. */
#pragma once

int canary_command(const char *file, int argc, char **argv);
