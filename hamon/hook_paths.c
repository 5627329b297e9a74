/* As hooks/README.md promises it, and as the hooks look for it: beside $HAMON_CONFIG. */
#include "hamon/hook_paths.h"

#include <errno.h>
#include <string.h>

int hook_paths(const char *dir, const char *config_file, const char *name, struct hook_paths *ret)
{
        const char *slash = strrchr(config_file, '/');
        size_t len = slash ? (size_t)(slash - config_file) : strlen(config_file);
        int a = snprintf(ret->hook, sizeof ret->hook, "%s/%s.sh", dir, name);
        int b = snprintf(ret->also, sizeof ret->also, "%.*s/%s.d", (int)len, config_file, name);

        return a < (int)sizeof ret->hook && b < (int)sizeof ret->also ? 0 : -ENAMETOOLONG;
}
