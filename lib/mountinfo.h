/* The lines of /proc/self/mountinfo: looking at mounts without touching what is mounted. */
#pragma once

#include "util.h"

struct mountinfo { /* words point into the text; escapes are undone */
        dev_t dev; /* of the file system; btrfs has numbers of its own here: see source */
        char *path, *options, *type, *source, *super;
};

/* The next mount; *text goes on behind it and is cut up on the way. False at the end. Lines that
 * make no sense are left out. What was mounted last stands last. */
bool mountinfo_next(char **text, struct mountinfo *ret);

int mountinfo_read(char **ret_text); /* the caller frees it */
