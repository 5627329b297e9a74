/* May this file be run as root? The rule keepalived has for its scripts. */
#pragma once

#include "lib/buf.h"

/* An absolute path to a regular, executable file. It, whatever links lead to it, and all
 * directories on the way belong to root (or to us) and can be written by nobody else; a sticky
 * directory may be written by all. On failure -errno and a sentence that says what to do in
 * `error`. */
int hook_safe(const char *path, struct buf *error);

/* The same for every file of a directory that a hook runs, and for the directory. One that is not
 * there is fine. */
int hook_safe_dir(const char *path, struct buf *error);
