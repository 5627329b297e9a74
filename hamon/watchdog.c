/* The protocol of Documentation/watchdog/watchdog-api.rst. */
#include "hamon/watchdog.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/watchdog.h>
#include <sys/ioctl.h>
#include <unistd.h>

int watchdog_open(const char *device, unsigned seconds, int *ret_fd)
{
        CLEANUP(closep) int fd = open(device, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
        int timeout = (int)seconds;

        if (fd < 0)
                return -errno;
        if (ioctl(fd, WDIOC_SETTIMEOUT, &timeout) < 0 && errno != ENOTTY && errno != EOPNOTSUPP &&
            errno != EINVAL) { /* EINVAL: out of its range, so it keeps its own */
                int r = -errno;
                watchdog_close(&fd); /* opening it has started it */
                return r;
        }
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
