/* `hamon web`: what this node knows over HTTP, for monitors and people. A process of its own and
 * only a client of the daemon: whatever happens here, lease and verdict do not notice. */
#pragma once

int web_main(const char *file);
