/* What hamon init wrote on this server: path and SHA-256 of each file, in a small text file. By it
 * a file of ours is told from somebody's, and one that was changed by hand from one that was not.
 */
#pragma once

#include "lib/buf.h"

#define MANIFEST_FILE "/var/lib/mailcow-ha/init.manifest"

enum { MANIFEST_MAX = 64, MANIFEST_DIGEST = 65 };

struct manifest {
        struct manifest_entry {
                char digest[MANIFEST_DIGEST];
                char path[1024];
        } entries[MANIFEST_MAX];
        size_t n;
};

/* An absent file is an empty one. A line of another form: -EINVAL, and which in `errors`. */
int manifest_load(const char *file, struct manifest *ret, struct buf *errors);
int manifest_save(const char *file, const struct manifest *m);

/* NULL: not ours. */
const struct manifest_entry *manifest_find(const struct manifest *m, const char *path);
int manifest_set(struct manifest *m, const char *path, const char digest[MANIFEST_DIGEST]);
void manifest_drop(struct manifest *m, const char *path);

/* SHA-256 as 64 hex digits. */
void manifest_digest(const void *data, size_t len, char ret[MANIFEST_DIGEST]);
