/* inet_pton(3) and the few socket options a listener wants. */
#include "lib/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int address_parse(const char *text, unsigned port, union address *ret)
{
        union address a = { .any = { .sa_family = AF_UNSPEC } };

        if (port > UINT16_MAX)
                return -EINVAL;
        if (inet_pton(AF_INET, text, &a.v4.sin_addr) == 1) {
                a.v4.sin_family = AF_INET;
                a.v4.sin_port = htons((uint16_t)port);
        } else if (inet_pton(AF_INET6, text, &a.v6.sin6_addr) == 1) {
                a.v6.sin6_family = AF_INET6;
                a.v6.sin6_port = htons((uint16_t)port);
        } else {
                return -EINVAL;
        }
        *ret = a;
        return 0;
}

socklen_t address_len(const union address *a)
{
        return a->any.sa_family == AF_INET ? sizeof a->v4 : sizeof a->v6;
}

bool address_same_host(const union address *a, const struct sockaddr *b)
{
        if (a->any.sa_family != b->sa_family)
                return false;
        if (b->sa_family == AF_INET)
                return a->v4.sin_addr.s_addr == ((const struct sockaddr_in *)b)->sin_addr.s_addr;
        return b->sa_family == AF_INET6 &&
               memcmp(&a->v6.sin6_addr, &((const struct sockaddr_in6 *)b)->sin6_addr,
                      sizeof a->v6.sin6_addr) == 0;
}

int address_listen(const union address *a, int backlog, int *ret)
{
        bool v4 = a->any.sa_family == AF_INET;
        CLEANUP(closep)
        int fd = socket(a->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        int one = 1;

        if (fd < 0)
                return -errno;
        if (setsockopt(fd, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_FREEBIND : IPV6_FREEBIND, &one,
                       sizeof one) < 0 ||
            setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) < 0 ||
            bind(fd, &a->any, address_len(a)) < 0 || listen(fd, backlog) < 0)
                return -errno;
        *ret = take_fd(&fd);
        return 0;
}
