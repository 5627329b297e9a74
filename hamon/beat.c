/* One number in one small file, written in place: a torn write is impossible at this size on tmpfs,
 * and a damaged one reads as "none", which is the careful answer. */
#include "hamon/beat.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { BEAT_BYTES = 20 }; /* zero-padded decimal and a newline */

int beat_open(struct beat *b, const char *path)
{
        b->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
        return b->fd < 0 ? -errno : 0;
}

void beat_close(struct beat *b)
{
        closep(&b->fd);
        b->fd = -1;
}

msec_t beat_last(const struct beat *b)
{
        char text[BEAT_BYTES + 1] = "";
        uint64_t v;

        if (pread(b->fd, text, BEAT_BYTES, 0) != BEAT_BYTES || text[BEAT_BYTES - 1] != '\n')
                return -1;
        text[BEAT_BYTES - 1] = '\0';
        return parse_uint(text, 0, INT64_MAX, &v) < 0 ? -1 : (msec_t)v;
}

int beat_write(const struct beat *b, msec_t now)
{
        char text[BEAT_BYTES + 1];

        snprintf(text, sizeof text, "%0*lld\n", BEAT_BYTES - 1, (long long)now);
        return pwrite(b->fd, text, BEAT_BYTES, 0) == BEAT_BYTES ? 0 : -errno;
}
