/* The keys of the channel, derived from the cluster's secret: one for each pair of nodes and each
 * direction. While the secret is being changed its file has the one before on its second line; both
 * are known then. */
#pragma once

#include "lib/buf.h"

enum { KEY_BYTES = 48, KEY_SECRETS = 2, KEY_IDENTITY = 192 };

struct key_ring {
        char *secrets[KEY_SECRETS]; /* the new one first */
        size_t n;
};

/* With the rules of lib/secret for the file. -errno and a sentence in `error`. */
int key_ring_load(const char *file, struct key_ring *ret, struct buf *error);
void key_ring_done(struct key_ring *k); /* wipes */

/* What a client says it is: "hamon-sync 1 CLIENT SERVER MARK". MARK tells which secret. */
int key_identity(const struct key_ring *k, size_t which, const char *client, const char *server,
                 char ret[KEY_IDENTITY]);
int key_derive(const struct key_ring *k, size_t which, const char *client, const char *server,
               unsigned char ret[KEY_BYTES]);
/* The server's side: the key of that identity if it speaks to `server` with one of our secrets.
 * -ENOKEY: none. `ret_client` has `size` bytes. */
int key_of(const struct key_ring *k, const char *server, const void *identity, size_t len,
           unsigned char ret[KEY_BYTES], char *ret_client, size_t size);
