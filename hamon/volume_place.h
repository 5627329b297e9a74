/* Where the volume is on this node, by hamon.conf alone: not from the provider, so that what ends
 * the writing here needs nobody. */
#pragma once

#include "hamon/config.h"

struct volume_place {
        char device[256]; /* [volume] device; with hetzner else where the API says its disks are */
        char where[4096]; /* [volume] mount, without symbolic links on the way to it */
        char id[256];     /* the provider's name for it */
};

/* -ENOENT: there is none in hamon.conf; -EINVAL: nothing can be mounted there. */
int volume_place_find(const struct config *c, struct volume_place *ret);
