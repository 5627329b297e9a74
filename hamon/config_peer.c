/* Where the nodes of a cluster ask one another. */
#include "hamon/config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

static bool is_address(const char *s)
{
        unsigned char bytes[sizeof(struct in6_addr)];

        return inet_pton(AF_INET, s, bytes) == 1 || inet_pton(AF_INET6, s, bytes) == 1;
}

/* Cut "[v6]:port" or "v4:port" in two; a v6 address alone has more than one colon. */
static int cut(char *copy, char **ret_address, char **ret_port)
{
        char *colon = strrchr(copy, ':'), *end = strchr(copy, ']');

        *ret_address = copy;
        *ret_port = NULL;
        if (*copy == '[') {
                if (!end || (end[1] && end[1] != ':'))
                        return -EINVAL;
                *ret_address = copy + 1;
                *ret_port = end[1] ? end + 2 : NULL;
                *end = '\0';
        } else if (colon && colon == strchr(copy, ':')) {
                *ret_port = colon + 1;
                *colon = '\0';
        }
        return 0;
}

int config_peer_listen(const char *listen, const char *address, char *ret_address, size_t size,
                       unsigned *ret_port)
{
        char copy[128], *at = copy, *port_text = NULL;
        uint64_t number = PEER_PORT;

        if (!str_copy(copy, sizeof copy, *listen ? listen : address))
                return -EINVAL;
        if (*listen) {
                int r = cut(copy, &at, &port_text);
                if (r < 0 || (port_text && parse_uint(port_text, 1, 65535, &number) < 0))
                        return -EINVAL;
        }
        if (!is_address(at) || !str_copy(ret_address, size, at))
                return -EINVAL;
        *ret_port = (unsigned)number;
        return 0;
}

bool config_needs_watchdog(const struct config *c)
{
        bool cannot_fence = c->volume.provider == CONFIG_LOCAL && !*c->local.fence_command;

        return c->watchdog.mode == CONFIG_WATCHDOG_REQUIRED ||
               (c->watchdog.mode == CONFIG_WATCHDOG_AUTO && cannot_fence);
}
