/* The rules ssh has for private keys: a secret that others can read is refused, with the command
 * that mends it. */
#include "secret.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SECRET_MAX = 4096 };

void secret_wipe(char **s)
{
        if (!*s)
                return;
        explicit_bzero(*s, strlen(*s));
        free(*s);
        *s = NULL;
}

static int check_mode(const char *path, struct buf *error)
{
        struct stat st;

        if (stat(path, &st) < 0) {
                int r = -errno;
                buf_addf(error, "%s: %s", path, strerror(-r));
                return r;
        }
        if (!S_ISREG(st.st_mode)) {
                buf_addf(error, "%s: not a regular file", path);
                return -EINVAL;
        }
        if (st.st_uid != 0 && st.st_uid != geteuid()) {
                buf_addf(error, "%s: belongs to somebody else; chown root it", path);
                return -EPERM;
        }
        if (st.st_mode & 077) {
                buf_addf(error, "%s: others can read it; chmod 600 it", path);
                return -EPERM;
        }
        return 0;
}

int secret_read_all(const char *path, size_t cap, char **ret, struct buf *error)
{
        CLEANUP(secret_wipe) char *text = NULL;

        int r = check_mode(path, error);
        if (r < 0)
                return r;
        r = read_file(path, cap, &text, NULL);
        if (r < 0) {
                buf_addf(error, "%s: %s", path,
                         r == -EFBIG ? "longer than any password" : strerror(-r));
                return r;
        }
        *ret = take_ptr(text);
        return 0;
}

int secret_read_two(const char *path, char **ret, char **ret_second, struct buf *error)
{
        CLEANUP(secret_wipe) char *text = NULL;

        *ret = *ret_second = NULL;
        if (!*path)
                return 0;
        int r = secret_read_all(path, SECRET_MAX, &text, error);
        if (r < 0)
                return r;
        size_t len = strcspn(text, "\r\n");
        const char *rest = text + len + strspn(text + len, "\r\n");
        if (len == 0) {
                buf_addf(error, "%s: its first line is empty", path);
                return -EINVAL;
        }
        *ret_second = *rest ? strndup(rest, strcspn(rest, "\r\n")) : NULL;
        if (*rest && !*ret_second)
                return -ENOMEM;
        text[len] = '\0';
        *ret = take_ptr(text);
        return 0;
}

int secret_read(const char *path, char **ret, struct buf *error)
{
        char *second = NULL;
        int r = secret_read_two(path, ret, &second, error);

        secret_wipe(&second);
        return r;
}
