/* Putting items in their place on this node. What is fetched lies in a directory of its own beneath
 * Mailcow's (ITEM_STAGE) until it is whole and right; then it is renamed over the old. Nothing is
 * written through a symbolic link. All may hang with a dead disk: for a process of its own. */
#pragma once

#include "hamon/sync/item.h"

struct place {
        int root, stage; /* root: borrowed */
};

/* Makes the stage, and clears what a killed one left there. */
int place_begin(int root, struct place *ret);
void place_end(struct place *p); /* takes the stage away */

/* A new file in the stage, by its number. */
int place_stage(struct place *p, size_t number, int *ret_fd);
/* Its content is whole: owner, mode, fsync, and over the old one. */
int place_file(struct place *p, size_t number, const struct item *it);
int place_dir(struct place *p, const struct item *it);
int place_link(struct place *p, size_t number, const struct item *it);
/* mailcow.conf with these values of its shared keys; the names of those that changed go to `keys`.
 */
int place_conf(struct place *p, size_t number, const char *shared, struct buf *keys);
/* Takes a file away if its content is still `sha`. 1 = done, 0 = it is another one, or gone. */
int place_remove(struct place *p, const char *path, const unsigned char sha[ITEM_SHA]);
/* A copy of what is there now into the directory `kept`, which is made; the name is the path with
 * %2F for "/". At most 1 MiB; what is larger is not kept. */
int place_keep(struct place *p, const char *path, const char *kept);
