/* The notify protocol of systemd (sd_notify(3), sd_watchdog_enabled(3)) in one datagram. The socket
 * is opened for each message: they are rare, and nothing has to be kept or inherited. */
#include "lib/sdnotify.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A path, or '@' and an abstract name. Anything else (vsock:) is not for us. */
static int make_address(const char *name, struct sockaddr_un *ret, socklen_t *ret_len)
{
        size_t len = strlen(name);

        if ((name[0] != '/' && name[0] != '@') || len < 2)
                return -EAFNOSUPPORT;
        if (len >= sizeof ret->sun_path)
                return -ENAMETOOLONG;

        *ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
        memcpy(ret->sun_path, name, len);
        if (name[0] == '@')
                ret->sun_path[0] = '\0';
        *ret_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (name[0] == '/'));
        return 0;
}

int sd_notify_send(const char *state)
{
        const char *name = getenv("NOTIFY_SOCKET");
        struct sockaddr_un address;
        socklen_t address_len;

        if (!name || !*name)
                return 0;
        int r = make_address(name, &address, &address_len);
        if (r < 0)
                return r;

        CLEANUP(closep) int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return -errno;
        if (sendto(fd, state, strlen(state), MSG_DONTWAIT | MSG_NOSIGNAL,
                   (const struct sockaddr *)&address, address_len) < 0)
                return -errno;
        return 1;
}

msec_t sd_watchdog_interval(void)
{
        const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
        uint64_t us, id;

        if (!usec || parse_uint(usec, 1, INT64_MAX, &us) < 0)
                return 0;
        if (pid && (parse_uint(pid, 1, INT32_MAX, &id) < 0 || (pid_t)id != getpid()))
                return 0; /* meant for our parent */
        return MAX((msec_t)(us / 2000), 1);
}
