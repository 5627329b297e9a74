/* Names and addresses: the host name is what people call a server, an address is what it has. */
#include "hamon/setup/self.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ADDRESSES_MAX = 64, ADDRESS = 64, ROUTES_MAX = 256 * 1024 };

struct node_word { /* name=address */
        char name[64], address[64];
};

static bool parse(const char *word, struct node_word *ret)
{
        size_t len = strcspn(word, "=");

        if (len == 0 || len >= sizeof ret->name || !word[len])
                return false;
        memcpy(ret->name, word, len);
        ret->name[len] = '\0';
        return str_copy(ret->address, sizeof ret->address, word + len + 1);
}

/* "n1.example.org" is n1. */
static bool same_host(const char *host, const char *name)
{
        size_t len = strlen(name);

        return strncmp(host, name, len) == 0 && (!host[len] || host[len] == '.');
}

static void list_nodes(const struct strlist *nodes, struct buf *errors)
{
        for (size_t i = 0; i < nodes->n; i++)
                buf_addf(errors, "%s%s", i > 0 ? ", " : "", nodes->v[i]);
}

static int nobody(const struct strlist *nodes, const char *what, const char *name,
                  struct buf *errors)
{
        buf_addf(errors, "%s \"%s\" is none of the nodes (", what, name);
        list_nodes(nodes, errors);
        buf_adds(errors, "): mend [cluster] nodes, or say which it is by --node NAME\n");
        return -EINVAL;
}

static void take(const struct node_word *w, size_t rank, struct self *ret)
{
        str_copy(ret->name, sizeof ret->name, w->name);
        str_copy(ret->address, sizeof ret->address, w->address);
        ret->rank = rank;
}

/* The i-th node is this one by its name (or what is forced), or by its address. */
static bool matches(const struct node_word *w, const char *forced, const char *host,
                    const struct strlist *addresses)
{
        if (*forced)
                return str_eq(forced, w->name);
        return addresses ? strlist_has(addresses, w->address) : same_host(host, w->name);
}

static size_t count(const struct strlist *nodes, const char *forced, const char *host,
                    const struct strlist *addresses, struct self *ret)
{
        struct node_word w;
        size_t n = 0;

        for (size_t i = 0; i < nodes->n; i++)
                if (parse(nodes->v[i], &w) && matches(&w, forced, host, addresses)) {
                        take(&w, i, ret);
                        n++;
                }
        return n;
}

int self_match(const struct strlist *nodes, const char *forced, const char *host,
               const struct strlist *addresses, struct self *ret, struct buf *errors)
{
        struct self by_name, by_address;
        size_t names = count(nodes, forced, host, NULL, &by_name);
        size_t own = *forced ? 0 : count(nodes, "", host, addresses, &by_address);

        if (*forced && names != 1)
                return nobody(nodes, "--node", forced, errors);
        if (names == 1 && own == 1 && by_name.rank != by_address.rank) {
                buf_addf(errors,
                         "this server is called %s, but has the address of %s: mend [cluster] "
                         "nodes, or say which it is by --node NAME\n",
                         by_name.name, by_address.name);
                return -EINVAL;
        }
        if (names != 1 && own != 1)
                return nobody(nodes, "this server,", host, errors);
        *ret = names == 1 ? by_name : by_address;
        return 0;
}

/* ---- what the server says ---- */

static void add_address(const struct sockaddr *sa, char store[][ADDRESS], char **v, size_t *n)
{
        const void *address = NULL;

        if (sa && sa->sa_family == AF_INET)
                address = &((const struct sockaddr_in *)(const void *)sa)->sin_addr;
        else if (sa && sa->sa_family == AF_INET6)
                address = &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr;
        if (!address || *n >= ADDRESSES_MAX ||
            !inet_ntop(sa->sa_family, address, store[*n], ADDRESS))
                return;
        v[*n] = store[*n];
        ++*n;
}

int self_find(const struct strlist *nodes, const char *forced, struct self *ret, struct buf *errors)
{
        char host[256] = "", store[ADDRESSES_MAX][ADDRESS], *v[ADDRESSES_MAX];
        struct strlist addresses = { .v = v, .n = 0 };
        struct ifaddrs *list;

        if (gethostname(host, sizeof host - 1) < 0)
                return -errno;
        if (getifaddrs(&list) < 0)
                return -errno;
        for (const struct ifaddrs *i = list; i; i = i->ifa_next)
                add_address(i->ifa_addr, store, v, &addresses.n);
        freeifaddrs(list);
        return self_match(nodes, forced, host, &addresses, ret, errors);
}

/* A row of /proc/net/route: interface, destination, gateway ..., mask in the eighth place. */
static bool is_default(const char *line, char *name, size_t size)
{
        char interface[IF_NAMESIZE], destination[16], mask[16];

        if (sscanf(line, "%15s %15s %*s %*s %*s %*s %*s %15s", interface, destination, mask) != 3 ||
            strcmp(destination, "00000000") != 0 || strcmp(mask, "00000000") != 0)
                return false;
        return str_copy(name, size, interface);
}

void self_interface(char *ret, size_t size)
{
        CLEANUP(freep) char *text = NULL;

        str_copy(ret, size, "eth0");
        if (read_file("/proc/net/route", ROUTES_MAX, &text, NULL) < 0)
                return;
        for (const char *p = text; *p; p += strcspn(p, "\n"), p += *p == '\n')
                if (is_default(p, ret, size))
                        return;
}
