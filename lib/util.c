/* The small helpers of util.h. Nothing here keeps state or logs. */
#include "lib/util.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

void freep(void *p)
{
        free(*(void **)p); /* p points to a pointer of any type: -fno-strict-aliasing */
}

void closep(int *fd)
{
        if (*fd >= 0)
                close(*fd);
        *fd = -1;
}

int take_fd(int *fd)
{
        int taken = *fd;

        *fd = -1;
        return taken;
}

void fclosep(FILE **f)
{
        if (*f)
                fclose(*f);
}

msec_t clock_ms(void)
{
        struct timespec ts;

        clock_gettime(CLOCK_BOOTTIME, &ts); /* cannot fail: the clock exists since Linux 2.6.39 */
        return (msec_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Digits from s on; *end is the first other character. */
static int parse_digits(const char *s, const char **end, uint64_t *ret)
{
        uint64_t v = 0;
        const char *p = s;

        for (; *p >= '0' && *p <= '9'; p++) {
                uint64_t digit = (uint64_t)(*p - '0');
                if (v > (UINT64_MAX - digit) / 10)
                        return -ERANGE;
                v = v * 10 + digit;
        }
        if (p == s)
                return -EINVAL;
        *end = p;
        *ret = v;
        return 0;
}

int parse_uint(const char *s, uint64_t min, uint64_t max, uint64_t *ret)
{
        const char *end;
        uint64_t v;

        int r = parse_digits(s, &end, &v);
        if (r < 0)
                return r;
        if (*end)
                return -EINVAL;
        if (v < min || v > max)
                return -ERANGE;
        *ret = v;
        return 0;
}

static const struct unit {
        const char *name;
        msec_t ms;
} UNITS[] = { { "h", 3600000 }, { "m", 60000 }, { "s", 1000 }, { "ms", 1 } };

int parse_duration(const char *s, msec_t *ret)
{
        const msec_t longest = (msec_t)10000 * 3600000;
        const char *end;
        uint64_t v;

        int r = parse_digits(s, &end, &v);
        if (r < 0)
                return r;
        for (size_t i = 0; i < ARRAY_SIZE(UNITS); i++) {
                if (strcmp(end, UNITS[i].name) != 0)
                        continue;
                if (v > (uint64_t)(longest / UNITS[i].ms))
                        return -ERANGE;
                *ret = (msec_t)v * UNITS[i].ms;
                return 0;
        }
        return -EINVAL;
}

char *format_duration(msec_t ms, char *dst, size_t size)
{
        size_t i = ms == 0 ? 2 : 0; /* 0 is "0s" */

        while (ms % UNITS[i].ms != 0)
                i++;
        snprintf(dst, size, "%lld%s", (long long)(ms / UNITS[i].ms), UNITS[i].name);
        return dst;
}

void hex_text(const void *data, size_t n, char *dst)
{
        static const char DIGITS[] = "0123456789abcdef";
        const unsigned char *p = data;

        for (size_t i = 0; i < n; i++) {
                *dst++ = DIGITS[p[i] >> 4];
                *dst++ = DIGITS[p[i] & 15];
        }
        *dst = '\0';
}

bool str_copy(char *dst, size_t size, const char *src)
{
        size_t len = strnlen(src, size - 1);

        memcpy(dst, src, len);
        dst[len] = '\0';
        return src[len] == '\0';
}

bool str_eq(const char *a, const char *b)
{
        return a == b || (a && b && strcmp(a, b) == 0);
}

/* Read to the end, or to cap + 1 bytes. */
static int read_all(int fd, char *dst, size_t cap, size_t *ret_len)
{
        size_t len = 0;

        while (len <= cap) {
                ssize_t n = read(fd, dst + len, cap + 1 - len);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        break;
                len += (size_t)n;
        }
        if (len > cap)
                return -EFBIG;
        *ret_len = len;
        return 0;
}

int read_file(const char *path, size_t cap, char **ret, size_t *ret_len)
{
        CLEANUP(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd < 0)
                return -errno;

        CLEANUP(freep) char *data = malloc(cap + 2);
        if (!data)
                return -ENOMEM;

        size_t len = 0;
        int r = read_all(fd, data, cap, &len);
        if (r < 0)
                return r;
        data[len] = '\0';

        char *fit = realloc(data, len + 1); /* give back what the cap reserved */
        if (fit)
                data = fit;
        *ret = take_ptr(data);
        if (ret_len)
                *ret_len = len;
        return 0;
}

int write_all(int fd, const char *data, size_t len)
{
        while (len > 0) {
                ssize_t n = write(fd, data, len);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                data += n;
                len -= (size_t)n;
        }
        return 0;
}

/* The directory, so that the rename in it is on disk. */
static int sync_parent(const char *path)
{
        char dir[4096];

        if (!str_copy(dir, sizeof dir, path))
                return -ENAMETOOLONG;
        char *slash = strrchr(dir, '/');
        if (slash)
                slash[slash == dir] = '\0';
        CLEANUP(closep) int fd = open(slash ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

static int write_file(const char *path, mode_t mode, const char *data, size_t len, bool durable)
{
        char tmp[4096];

        int n = snprintf(tmp, sizeof tmp, "%s.tmp.%ld", path, (long)getpid());
        if (n < 0 || (size_t)n >= sizeof tmp)
                return -ENAMETOOLONG;

        unlink(tmp); /* of a crashed namesake; also never follows a planted link */
        int fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
        if (fd < 0)
                return -errno;

        int r = fchmod(fd, mode) < 0 ? -errno : write_all(fd, data, len); /* whatever the umask */
        if (r == 0 && durable && fsync(fd) < 0)
                r = -errno;
        if (close(fd) < 0 && r == 0)
                r = -errno;
        if (r == 0 && rename(tmp, path) < 0)
                r = -errno;
        if (r < 0)
                unlink(tmp);
        return r == 0 && durable ? sync_parent(path) : r;
}

int write_file_atomic(const char *path, mode_t mode, const char *data, size_t len)
{
        return write_file(path, mode, data, len, false);
}

int write_file_durable(const char *path, mode_t mode, const char *data, size_t len)
{
        return write_file(path, mode, data, len, true);
}

int make_parents(const char *path)
{
        char copy[4096];

        if (!str_copy(copy, sizeof copy, path) || !*copy)
                return -ENAMETOOLONG;
        for (char *p = strchr(copy + 1, '/'); p; p = strchr(p + 1, '/')) {
                *p = '\0';
                if (mkdir(copy, 0755) < 0 && errno != EEXIST)
                        return -errno;
                *p = '/';
        }
        return 0;
}
