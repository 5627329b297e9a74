/* Secrets come from files, one per file, first line. They are never formatted into a message and
 * are wiped when done with. */
#pragma once

#include "buf.h"

/* `path` "" = no secret (*ret = NULL). The file must be a regular one that only root or we own and
 * nobody else can read. On failure -errno and a sentence in `error`. */
int secret_read(const char *path, char **ret, struct buf *error);
/* The same, and the second line, which need not be there (*ret_second = NULL). */
int secret_read_two(const char *path, char **ret, char **ret_second, struct buf *error);
/* The same rules, but the whole file, of at most `cap` bytes: what is in it is the caller's matter.
 */
int secret_read_all(const char *path, size_t cap, char **ret, struct buf *error);
void secret_wipe(char **s); /* CLEANUP(secret_wipe): zeroes, then frees */
