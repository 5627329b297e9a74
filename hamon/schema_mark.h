/* `.hamon-schema` in the root of the volume: the newest Mailcow that has served from it, by the
 * shape it gives the database. A Mailcow that is older than that drops, at its start, each column
 * of the database that it does not know, so it is not started.
 *
 * All of it may hang as the volume may: call it in a child. */
#pragma once

#include "hamon/release.h"

#define SCHEMA_MARK ".hamon-schema"

/* -ENOENT: nobody has left one. -EBADMSG: it makes no sense. */
int schema_mark_read(const char *dir, char ret[24]);
/* Replaced by rename, durable when it returns. */
int schema_mark_write(const char *dir, const char *schema);
