/* From [volume] in hamon.conf to a device and a mount point. */
#include "hamon/volume_place.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* The way to the mount point without symbolic links, as mountinfo has it. The last step is not
 * looked at: it may be a dead disk. */
static bool straighten(const char *path, char *dst, size_t size)
{
        char parent[4096], real[PATH_MAX];
        size_t len = strlen(path);

        if (!str_copy(parent, sizeof parent, path))
                return false;
        while (len > 1 && parent[len - 1] == '/')
                parent[--len] = '\0';
        char *slash = strrchr(parent, '/');
        if (len < 2 || !slash)
                return false;
        const char *name = slash + 1;
        *slash = '\0';
        if (!realpath(*parent ? parent : "/", real)) /* not there yet: nor can it be mounted on */
                str_copy(real, sizeof real, parent);
        int n = snprintf(dst, size, "%s/%s", strcmp(real, "/") == 0 ? "" : real, name);
        return n > 0 && (size_t)n < size;
}

int volume_place_find(const struct config *c, struct volume_place *ret)
{
        bool hetzner = c->volume.provider == CONFIG_HETZNER;

        *ret = (struct volume_place){ .device = "" };
        if (c->volume.provider == CONFIG_NONE || !*c->volume.mount)
                return -ENOENT;
        str_copy(ret->id, sizeof ret->id, hetzner ? c->volume.id : c->volume.device);
        if (*c->volume.device)
                str_copy(ret->device, sizeof ret->device, c->volume.device);
        else
                snprintf(ret->device, sizeof ret->device, "/dev/disk/by-id/scsi-0HC_Volume_%s",
                         c->volume.id);
        return straighten(c->volume.mount, ret->where, sizeof ret->where) ? 0 : -EINVAL;
}
