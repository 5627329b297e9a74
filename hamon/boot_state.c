/* One line: boot id, incarnation. The boot id is there because /run may be no tmpfs. */
#include "hamon/boot_state.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/random.h>

enum { LINE = 128 };

int boot_random(uint64_t *ret)
{
        uint64_t v = 0;

        while (v == 0)
                if (getrandom(&v, sizeof v, 0) != (ssize_t)sizeof v)
                        return -EIO;
        *ret = v;
        return 0;
}

static int boot_id(char *dst, size_t size)
{
        CLEANUP(freep) char *text = NULL;

        int r = read_file("/proc/sys/kernel/random/boot_id", LINE, &text, NULL);
        if (r < 0)
                return r;
        text[strcspn(text, "\n")] = '\0';
        return str_copy(dst, size, text) ? 0 : -EINVAL;
}

static bool kept(const char *path, const char *boot, uint64_t *ret)
{
        CLEANUP(freep) char *text = NULL;
        size_t len = strlen(boot);

        if (read_file(path, LINE, &text, NULL) < 0)
                return false;
        text[strcspn(text, "\n")] = '\0';
        return strncmp(text, boot, len) == 0 && text[len] == ' ' &&
               parse_uint(text + len + 1, 1, UINT64_MAX, ret) == 0;
}

int boot_incarnation(const char *path, uint64_t *ret, bool *ret_same)
{
        char boot[LINE], line[2 * LINE];
        uint64_t v;

        int r = boot_id(boot, sizeof boot);
        if (r < 0)
                return r;
        *ret_same = kept(path, boot, &v);
        if (!*ret_same) {
                r = boot_random(&v);
                if (r < 0)
                        return r;
                int len = snprintf(line, sizeof line, "%s %" PRIu64 "\n", boot, v);
                r = write_file_atomic(path, 0600, line, (size_t)len);
                if (r < 0)
                        return r;
        }
        *ret = v;
        return 0;
}
