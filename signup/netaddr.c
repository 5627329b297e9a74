/* The addresses of netaddr.h. */
#include "signup/netaddr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

enum { V4_AT = 12, FORWARDED_MAX = 16 };

static const unsigned char MAPPED[V4_AT] = { [10] = 0xff, [11] = 0xff };

int netaddr_parse(const char *text, struct netaddr *ret)
{
        struct netaddr a = { { 0 } };

        if (inet_pton(AF_INET6, text, a.b) != 1) {
                memcpy(a.b, MAPPED, sizeof MAPPED);
                if (inet_pton(AF_INET, text, a.b + V4_AT) != 1)
                        return -EINVAL;
        }
        *ret = a;
        return 0;
}

bool netaddr_is_v4(const struct netaddr *a)
{
        return memcmp(a->b, MAPPED, sizeof MAPPED) == 0;
}

struct netaddr netaddr_cut(const struct netaddr *a, unsigned v4, unsigned v6)
{
        unsigned keep = netaddr_is_v4(a) ? V4_AT * 8 + MIN(v4, 32U) : MIN(v6, 128U);
        struct netaddr cut = *a;

        for (unsigned i = 0; i < sizeof cut.b; i++) {
                unsigned bits = keep > i * 8 ? MIN(keep - i * 8, 8U) : 0;
                cut.b[i] &= (unsigned char)(0xff00U >> bits);
        }
        return cut;
}

static bool in_network(const struct netaddr *a, const char *network)
{
        char text[NETADDR_TEXT];
        struct netaddr base;
        uint64_t prefix = 128;

        if (!str_copy(text, sizeof text, network))
                return false;
        char *slash = strchr(text, '/');
        if (slash)
                *slash = '\0';
        if (netaddr_parse(text, &base) < 0 || netaddr_is_v4(&base) != netaddr_is_v4(a))
                return false;
        if (slash && parse_uint(slash + 1, 0, 128, &prefix) < 0)
                return false;
        struct netaddr x = netaddr_cut(a, (unsigned)prefix, (unsigned)prefix);
        struct netaddr y = netaddr_cut(&base, (unsigned)prefix, (unsigned)prefix);
        return memcmp(x.b, y.b, sizeof x.b) == 0;
}

bool netaddr_in(const struct netaddr *a, const struct strlist *networks)
{
        for (size_t i = 0; i < networks->n; i++)
                if (in_network(a, networks->v[i]))
                        return true;
        return false;
}

/* The word of a comma-separated list that ends at *end; moves *end before it. */
static int last_address(const char *list, size_t *end, struct netaddr *ret)
{
        char text[NETADDR_TEXT];
        size_t to = *end, from;

        while (to > 0 && (list[to - 1] == ' ' || list[to - 1] == ','))
                to--;
        for (from = to; from > 0 && list[from - 1] != ',' && list[from - 1] != ' ';)
                from--;
        *end = from;
        if (to == from || to - from >= sizeof text)
                return -EINVAL;
        memcpy(text, list + from, to - from);
        text[to - from] = '\0';
        return netaddr_parse(text, ret);
}

int netaddr_client(const char *remote, const char *forwarded, const struct strlist *trusted,
                   struct netaddr *ret)
{
        struct netaddr a, before;
        size_t end = forwarded ? strlen(forwarded) : 0;

        int r = netaddr_parse(remote, &a);
        if (r < 0)
                return r;
        for (int i = 0; i < FORWARDED_MAX && end > 0 && netaddr_in(&a, trusted); i++) {
                if (last_address(forwarded, &end, &before) < 0)
                        break;
                a = before;
        }
        *ret = a;
        return 0;
}

const char *netaddr_short(const struct netaddr *a, char dst[NETADDR_TEXT])
{
        struct netaddr cut = netaddr_cut(a, 24, 48);
        bool v4 = netaddr_is_v4(a);
        char text[INET6_ADDRSTRLEN] = "";

        inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? cut.b + V4_AT : cut.b, text, sizeof text);
        snprintf(dst, NETADDR_TEXT, "%s/%d", text, v4 ? 24 : 48);
        return dst;
}
