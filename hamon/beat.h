/* The daemon's pulse on tmpfs: when it last looked at the world, on this machine's own clock since
 * boot. A daemon that starts can tell a restart (a moment ago) from a node that was frozen and
 * whose watchdog killed its daemon on waking: only the first may go on from what was known. */
#pragma once

#include "lib/util.h"

struct beat {
        int fd; /* -1 = none */
};

/* Opens or makes `path` (0600, no symlink followed). Negative errno on failure. */
int beat_open(struct beat *b, const char *path);
void beat_close(struct beat *b); /* the file stays */

/* CLOCK_BOOTTIME of the last beat_write() in ms; -1 = none since boot, or not readable. */
msec_t beat_last(const struct beat *b);
int beat_write(const struct beat *b, msec_t now);
