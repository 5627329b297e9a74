/* `.hamon-epoch` in the root of the volume: who had it last. The lease row says who may try, this
 * says who wrote: if the row is lost, restored from a backup, or a stale actor thaws, the file
 * still knows. One line of text with a checksum; replaced by rename, durable when write returns.
 *
 * Read it only when the attachment is proven. All of it may hang as the volume may: call it in a
 * child. */
#pragma once

#include "lib/util.h"

#define EPOCH_FILE ".hamon-epoch"

struct epoch_mark {
        uint64_t epoch;
        uint64_t incarnation;
        char holder[64]; /* letters, digits, '.', '_', '-' */
};

enum { EPOCH_LINE = 192 };

enum epoch_order {
        EPOCH_OLDER, /* the file is behind us: ours may be written */
        EPOCH_SAME,  /* it is ours already */
        EPOCH_AHEAD, /* it is as new as ours or newer, and not ours: we must not write */
};

enum epoch_order epoch_file_compare(const struct epoch_mark *file, const struct epoch_mark *ours);

/* The line, with its newline. -EINVAL: a holder that cannot be one. */
int epoch_file_format(const struct epoch_mark *m, char dst[EPOCH_LINE]);
int epoch_file_parse(const char *text, size_t len, struct epoch_mark *ret); /* -EBADMSG */

/* -ENOENT: a fresh volume. -EBADMSG: there is one, and it is damaged. */
int epoch_file_read(const char *dir, struct epoch_mark *ret);

/* Write a temporary file, fsync it, rename, fsync the directory: whenever the power goes, the old
 * or the new line is there. A leftover of an earlier try is replaced. */
int epoch_file_write(const char *dir, const struct epoch_mark *m);

/* Rename a damaged one to EPOCH_FILE.bad, as durable. */
int epoch_file_set_aside(const char *dir);
