/* The protocol of Documentation/watchdog/watchdog-api.rst. */
#include "hamon/watchdog.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/watchdog.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* A driver may round what it is asked for, or know one timeout only: what it says then counts. */
static int set_timeout(int fd, unsigned seconds, unsigned *ret)
{
        int timeout = (int)seconds;

        if (ioctl(fd, WDIOC_SETTIMEOUT, &timeout) < 0) {
                if (errno == ENOTTY)
                        return -ENOTTY; /* no watchdog at all: /dev/null takes every write, too */
                if (ioctl(fd, WDIOC_GETTIMEOUT, &timeout) < 0)
                        return -errno;
        }
        *ret = timeout > 0 ? (unsigned)timeout : seconds;
        return 0;
}

int watchdog_open(const char *device, unsigned seconds, unsigned *ret_seconds, int *ret_fd)
{
        CLEANUP(closep) int fd = open(device, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
        unsigned real = seconds;
        struct stat st;
        int r = 0;

        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (S_ISCHR(st.st_mode))
                r = set_timeout(fd, seconds, &real);
        else if (!S_ISFIFO(st.st_mode)) /* somebody made a file where the device should be */
                r = -ENOTTY;
        if (r < 0) {
                if (r != -ENOTTY)
                        watchdog_close(&fd); /* opening it has started it */
                return r;
        }
        *ret_seconds = real;
        *ret_fd = take_fd(&fd);
        return 0;
}

int watchdog_pet(int fd)
{
        return write(fd, "", 1) == 1 ? 0 : -errno; /* anything but 'V' */
}

void watchdog_close(int *fd)
{
        if (*fd >= 0 && write(*fd, "V", 1) < 0)
                errno = 0; /* then it resets us: nothing more can be done from here */
        closep(fd);
}
