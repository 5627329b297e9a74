/* mailcow.conf is shell syntax, read as data: Mailcow's own values have no expansions. */
#include "hamon/mailcow_conf.h"

#include "lib/secret.h"
#include "lib/util.h"
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_MAX = 1024 * 1024 };

int mailcow_conf_value(const char *dir, const char *key, char **ret)
{
        CLEANUP(secret_wipe) char *text = NULL;
        const char *value = NULL;
        char path[PATH_MAX];
        size_t n = strlen(key), len = 0;

        if (snprintf(path, sizeof path, "%s/mailcow.conf", dir) >= (int)sizeof path)
                return -ENAMETOOLONG;
        int r = read_file(path, FILE_MAX, &text, NULL);
        if (r < 0)
                return r;
        for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
                if (strncmp(line, key, n) != 0 || line[n] != '=')
                        continue;
                value = line + n + 1;
                len = strcspn(value, "\r\n");
        }
        if (!value)
                return -ENOENT;
        if (len >= 2 && (*value == '"' || *value == '\'') && value[len - 1] == *value) {
                value++;
                len -= 2;
        }
        *ret = strndup(value, len);
        return *ret ? 0 : -ENOMEM;
}
