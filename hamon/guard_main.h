/* `hamond guard`: what fences this node when the daemon does not. */
#pragma once

int guard_main(const char *file);
