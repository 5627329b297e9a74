/* mailcow.conf: most of its keys are the cluster's (names, passwords, limits), some each node's
 * own. Pure. */
#pragma once

#include "lib/buf.h"
#include "lib/conf.h"

enum { MAILCOW_CONF_MAX = 256 * 1024 };

/* The keys that are a node's own, NULL-terminated: addresses, networks, how Docker is called. */
extern const char *const MAILCOW_NODE_OWN[];

/* The lines KEY=value of `text` whose key is neither in `own` (NULL: none more) nor in
 * MAILCOW_NODE_OWN, sorted by key, the last of each key. -EBADMSG: a value that cannot be taken
 * over (a control character), or too many lines. */
int mailcow_shared(const char *text, const struct strlist *own, struct buf *out);
/* `text` with the values of `shared`, as of mailcow_shared(): in the last line of each key, new
 * ones at the end. All else stays, byte by byte. `keys`, unless NULL, gets the names of those that
 * were changed or added, separated by blanks. */
int mailcow_merge(const char *text, const char *shared, struct buf *out, struct buf *keys);

/* Values of keys that hold a password or a key as "(hidden)": for people's eyes. */
void mailcow_mask(const char *text, struct buf *out);
