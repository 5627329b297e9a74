/* Where this node listens: for the other nodes, for monitors. */
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

static int where(const char *word, unsigned port, char *ret_address, size_t size,
                 unsigned *ret_port)
{
        char copy[128], *at, *port_text;
        uint64_t number = port;

        if (!str_copy(copy, sizeof copy, word) || cut(copy, &at, &port_text) < 0 ||
            (port_text && parse_uint(port_text, 1, 65535, &number) < 0) || !is_address(at) ||
            !str_copy(ret_address, size, at))
                return -EINVAL;
        *ret_port = (unsigned)number;
        return 0;
}

int config_web_listen(const char *word, char *ret_address, size_t size, unsigned *ret_port)
{
        return where(word, WEB_PORT, ret_address, size, ret_port);
}

/* `listen`, or else the node's own address. */
static int where_or(const char *listen, const char *address, unsigned port, char *ret_address,
                    size_t size, unsigned *ret_port)
{
        if (*listen)
                return where(listen, port, ret_address, size, ret_port);
        if (!is_address(address) || !str_copy(ret_address, size, address))
                return -EINVAL;
        *ret_port = port;
        return 0;
}

int config_peer_listen(const char *listen, const char *address, char *ret_address, size_t size,
                       unsigned *ret_port)
{
        return where_or(listen, address, PEER_PORT, ret_address, size, ret_port);
}

int config_sync_listen(const char *listen, const char *address, char *ret_address, size_t size,
                       unsigned *ret_port)
{
        return where_or(listen, address, SYNC_PORT, ret_address, size, ret_port);
}

bool config_address_private(const char *address)
{
        static const struct {
                uint32_t net;
                unsigned bits;
        } V4[] = { { 0x7f000000, 8 },  { 0x0a000000, 8 },  { 0xac100000, 12 },
                   { 0xc0a80000, 16 }, { 0xa9fe0000, 16 }, { 0x64400000, 10 } };
        struct in_addr v4;
        struct in6_addr v6;

        if (inet_pton(AF_INET, address, &v4) == 1) {
                for (size_t i = 0; i < ARRAY_SIZE(V4); i++)
                        if ((ntohl(v4.s_addr) ^ V4[i].net) >> (32 - V4[i].bits) == 0)
                                return true;
                return false;
        }
        return inet_pton(AF_INET6, address, &v6) == 1 &&
               (IN6_IS_ADDR_LOOPBACK(&v6) || IN6_IS_ADDR_LINKLOCAL(&v6) ||
                (v6.s6_addr[0] & 0xfe) == 0xfc);
}

bool config_needs_watchdog(const struct config *c)
{
        bool cannot_fence = c->volume.provider == CONFIG_LOCAL && !*c->local.fence_command;

        return c->watchdog.mode == CONFIG_WATCHDOG_REQUIRED ||
               (c->watchdog.mode == CONFIG_WATCHDOG_AUTO && cannot_fence);
}
