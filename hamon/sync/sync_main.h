/* `hamond sync`, a process of its own: answers the other nodes while this one leads, and takes from
 * who leads while it does not. */
#pragma once

int sync_main(const char *file);
