/* What of it is on this node's disk. Symbolic links are never followed beneath Mailcow's directory,
 * nor is anything but files and directories opened: containers may write there. It may hang with a
 * dead disk: for a process of its own. */
#pragma once

#include "hamon/sync/item.h"

struct tree_wish {
        int root; /* Mailcow's directory, open */
        const struct strlist *paths, *exclude, *own_keys;
};

struct tree {
        struct items items;
        struct buf conf; /* the shared keys of mailcow.conf */
        unsigned
                left_out; /* what cannot be synchronised: sockets, links that lead out, odd names */
        char example[ITEM_PATH]; /* one of these */
};

/* -errno and a sentence in `error`. */
int tree_read(const struct tree_wish *w, struct tree *ret, struct buf *error);
void tree_done(struct tree *t);

/* Open beneath `root` without following any link; flags of open(2). -errno. */
int tree_open(int root, const char *path, int flags);
/* The directory in which `path` is, and in ret_name the rest of it. */
int tree_open_parent(int root, const char *path, const char **ret_name);
/* The item as it is here; -ENOENT: there is none. Mode, owner, size and content. */
int tree_look(int root, const char *path, struct item *ret);
/* The whole of a text file beneath root. */
int tree_text(int root, const char *path, size_t cap, struct buf *out);
/* SHA-256 of what is yet to be read, which must be `size` bytes: -EAGAIN if it is not. */
int tree_hash(int fd, uint64_t size, unsigned char ret[ITEM_SHA]);
