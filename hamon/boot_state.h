/* Who this node is in this boot: the lease's incarnation, random, kept on tmpfs over restarts of
 * the daemon and gone with a reboot. R: a copied configuration, or a copied disk, makes no twin. */
#pragma once

#include "lib/util.h"

/* The incarnation kept in `path` if it is of this boot, else a fresh one, which is then kept there.
 * *ret_same: it was kept. Never 0. Negative errno if it cannot be kept. */
int boot_incarnation(const char *path, uint64_t *ret, bool *ret_same);

/* Random, never 0. -EIO: the kernel gives none. */
int boot_random(uint64_t *ret);
