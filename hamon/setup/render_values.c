/* LISTS[] and VALUES[]: what a template needs that is no key of hamon.conf as it stands. */
#include "hamon/setup/render_values.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdint.h>
#include <string.h>

enum { PRIORITY = 100, PRIORITY_STEP = 5 };

/* One question of a template. */
struct ask {
        const struct config *c;
        const struct template_scope *scope; /* the list it is asked in */
        struct buf *out;
};

static bool is_v6(const char *address)
{
        return strchr(address, ':') != NULL;
}

/* A node of a cluster, or one alone. */
static const char *own_address(const struct config *c, struct cluster_node *space)
{
        int rank = config_cluster_rank(c);

        if (rank < 0)
                return c->node.address;
        *space = config_cluster_node(c, (size_t)rank);
        return space->address;
}

int render_interface(const char *address, char *ret, size_t size)
{
        unsigned char want[sizeof(struct in6_addr)];
        int family = is_v6(address) ? AF_INET6 : AF_INET, r = -ENOENT;
        struct ifaddrs *list;

        if (inet_pton(family, address, want) != 1)
                return -EINVAL;
        if (getifaddrs(&list) < 0)
                return -errno;
        for (struct ifaddrs *i = list; i && r < 0; i = i->ifa_next) {
                if (!i->ifa_addr || i->ifa_addr->sa_family != family)
                        continue;
                const void *have =
                        family == AF_INET
                                ? (const void *)&((struct sockaddr_in *)(void *)i->ifa_addr)
                                          ->sin_addr
                                : &((struct sockaddr_in6 *)(void *)i->ifa_addr)->sin6_addr;
                if (memcmp(have, want, family == AF_INET ? 4 : 16) == 0)
                        r = str_copy(ret, size, i->ifa_name) ? 0 : -ENAMETOOLONG;
        }
        freeifaddrs(list);
        return r;
}

/* ---- values of this node ---- */

static void get_address(const struct ask *a)
{
        struct cluster_node me;

        buf_adds(a->out, own_address(a->c, &me));
}

/* As it stands before a port. */
static void add_host(struct buf *out, const char *address)
{
        if (is_v6(address))
                buf_addf(out, "[%s]", address);
        else
                buf_adds(out, address);
}

static void get_host(const struct ask *a)
{
        struct cluster_node me;

        add_host(a->out, own_address(a->c, &me));
}

/* To listen on. */
static void get_any(const struct ask *a)
{
        struct cluster_node me;

        buf_adds(a->out, is_v6(own_address(a->c, &me)) ? "[::]" : "0.0.0.0");
}

static void get_name(const struct ask *a)
{
        buf_adds(a->out, a->c->node.name);
}

static void get_id(const struct ask *a)
{
        buf_addf(a->out, "%d", config_cluster_rank(a->c) + 1);
}

static void get_mount(const struct ask *a)
{
        buf_adds(a->out, a->c->volume.mount);
}

static void get_priority(const struct ask *a)
{
        buf_addf(a->out, "%d", PRIORITY - PRIORITY_STEP * MAX(0, config_cluster_rank(a->c)));
}

/* Where the other nodes are: not always the interface of the service address. */
static void get_interface(const struct ask *a)
{
        char name[IF_NAMESIZE];
        struct cluster_node me;

        if (*a->c->keepalived.interface)
                buf_adds(a->out, a->c->keepalived.interface);
        else if (render_interface(own_address(a->c, &me), name, sizeof name) == 0)
                buf_adds(a->out, name);
}

static void get_instance(const struct ask *a)
{
        buf_adds(a->out, *a->c->keepalived.instance ? a->c->keepalived.instance : "MAIL");
}

/* Of the same family as the nodes: keepalived takes that of an instance from its addresses. */
static void get_dummy(const struct ask *a)
{
        struct cluster_node me;

        buf_adds(a->out, is_v6(own_address(a->c, &me)) ? "2001:db8::51/128" : "192.0.2.51/32");
}

/* IPv6 has none. */
static void get_scope(const struct ask *a)
{
        struct cluster_node me;

        buf_adds(a->out, is_v6(own_address(a->c, &me)) ? "" : "host");
}

static void get_process(const struct ask *a)
{
        buf_adds(a->out, a->c->keepalived.track_process ? "yes" : "");
}

/* Longer than `hamon check` takes: whole seconds. */
static void get_check_seconds(const struct ask *a)
{
        buf_addf(a->out, "%lld", (long long)a->c->check.timeout / 1000 + 1);
}

static void get_peer_port(const struct ask *a)
{
        char address[64];
        struct cluster_node me;
        unsigned port = PEER_PORT;

        config_peer_listen(a->c->peer.listen, own_address(a->c, &me), address, sizeof address,
                           &port);
        buf_addf(a->out, "%u", port);
}

/* ---- lists ---- */

static bool is_any(const char *word)
{
        return *word != '\0';
}

static bool is_v4_node(const char *word)
{
        return !is_v6(word);
}

static bool is_udp(const char *word)
{
        const char *slash = strchr(word, '/');

        return slash && strcmp(slash, "/udp") == 0;
}

static bool is_tcp(const char *word)
{
        return !is_udp(word);
}

#define LIST(field) offsetof(struct config, field)

static const struct list {
        const char *name;
        size_t offset; /* of a struct strlist in the configuration */
        bool (*fits)(const char *word);
        bool others, backwards; /* without this node; the last first */
} LISTS[] = {
        { "nodes", LIST(cluster.nodes), is_any, false, false },
        { "peers", LIST(cluster.nodes), is_any, true, false },
        { "peers4", LIST(cluster.nodes), is_v4_node, true, false },
        { "peers6", LIST(cluster.nodes), is_v6, true, false },
        { "donors", LIST(cluster.nodes), is_any, true, true }, /* the first is the likely master */
        { "public.tcp", LIST(firewall.open), is_tcp, false, false },
        { "public.udp", LIST(firewall.open), is_udp, false, false },
        { "admin4", LIST(firewall.admin), is_v4_node, false, false },
        { "admin6", LIST(firewall.admin), is_v6, false, false },
};

static const struct list *list_named(const char *name)
{
        for (size_t i = 0; i < ARRAY_SIZE(LISTS); i++)
                if (strcmp(LISTS[i].name, name) == 0)
                        return &LISTS[i];
        return NULL;
}

static const struct strlist *list_words(const struct list *l, const struct config *c)
{
        return (const struct strlist *)(const void *)((const char *)c + l->offset);
}

/* The place of item `k` among the words; not found: how many items there are. */
static size_t list_place(const struct list *l, const struct config *c, size_t k, bool *ret_found)
{
        const struct strlist *words = list_words(l, c);
        int rank = l->others ? config_cluster_rank(c) : -1;
        size_t n = 0;

        *ret_found = true;
        for (size_t i = 0; i < words->n; i++) {
                size_t at = l->backwards ? words->n - 1 - i : i;
                if ((int)at == rank || !l->fits(words->v[at]))
                        continue;
                if (n++ == k)
                        return at;
        }
        *ret_found = false;
        return n;
}

int render_items(const void *arg, const char *name, size_t *ret_n)
{
        const struct list *l = list_named(name);
        bool found;

        if (!l)
                return -ENOENT;
        *ret_n = list_place(l, arg, SIZE_MAX, &found);
        return 0;
}

/* ---- values of an item ---- */

static size_t item_place(const struct ask *a)
{
        bool found;

        return list_place(list_named(a->scope->list), a->c, a->scope->i, &found);
}

static void get_item_name(const struct ask *a)
{
        buf_adds(a->out, config_cluster_node(a->c, item_place(a)).name);
}

static void get_item_address(const struct ask *a)
{
        buf_adds(a->out, config_cluster_node(a->c, item_place(a)).address);
}

static void get_item_host(const struct ask *a)
{
        add_host(a->out, config_cluster_node(a->c, item_place(a)).address);
}

/* "51820/udp" -> 51820 */
static void get_item_port(const struct ask *a)
{
        const char *word = a->c->firewall.open.v[item_place(a)];

        buf_add(a->out, word, strcspn(word, "/"));
}

static void get_item_network(const struct ask *a)
{
        buf_adds(a->out, a->c->firewall.admin.v[item_place(a)]);
}

static const char NODES[] = "[cluster] nodes", OPEN[] = "[firewall] open";
static const char ADMIN[] = "[firewall] admin";

static const struct value {
        const char *name, *from;
        void (*get)(const struct ask *);
        size_t list; /* offset of the list it is an item of, 0 = it is none */
} VALUES[] = {
        { "id", NODES, get_id, 0 },
        { "address", "[node] address", get_address, 0 },
        { "host", "[node] address", get_host, 0 },
        { "any", "[node] address", get_any, 0 },
        { "priority", NODES, get_priority, 0 },
        { "vrrp.interface", "[keepalived] interface", get_interface, 0 },
        { "vrrp.instance", "[keepalived] instance", get_instance, 0 },
        { "vrrp.dummy", "[node] address", get_dummy, 0 },
        { "vrrp.scope", "[node] address", get_scope, 0 },
        { "vrrp.process", "[keepalived] track_process", get_process, 0 },
        { "check.seconds", "[check] timeout", get_check_seconds, 0 },
        { "peer.port", "[peer] listen", get_peer_port, 0 },
        { "item.name", NODES, get_item_name, LIST(cluster.nodes) },
        { "item.address", NODES, get_item_address, LIST(cluster.nodes) },
        { "item.host", NODES, get_item_host, LIST(cluster.nodes) },
        { "item.port", OPEN, get_item_port, LIST(firewall.open) },
        { "item.network", ADMIN, get_item_network, LIST(firewall.admin) },
        /* for compose.override.yml */
        { "HAMON_NODE", "[node] name", get_name, 0 },
        { "HAMON_ADDRESS", "[node] address", get_address, 0 },
        { "HAMON_MOUNT", "[volume] mount", get_mount, 0 },
};

static const struct option *option_named(const char *name)
{
        const char *dot = strchr(name, '.');

        for (size_t i = 0; dot && i < CONFIG_SPEC.n_options; i++) {
                const struct option *o = &CONFIG_SPEC.options[i];
                if (strlen(o->section) == (size_t)(dot - name) &&
                    strncmp(o->section, name, (size_t)(dot - name)) == 0 &&
                    strcmp(o->key, dot + 1) == 0)
                        return o->secret ? NULL : o;
        }
        return NULL;
}

int render_value(const void *arg, const struct template_scope *scope, const char *name,
                 struct buf *out, const char **ret_from)
{
        const struct ask a = { arg, scope, out };

        for (size_t i = 0; i < ARRAY_SIZE(VALUES); i++) {
                if (strcmp(VALUES[i].name, name) != 0)
                        continue;
                if (VALUES[i].list && (!scope || list_named(scope->list)->offset != VALUES[i].list))
                        return -ENOENT; /* not in this list */
                *ret_from = VALUES[i].from;
                VALUES[i].get(&a);
                return 0;
        }
        const struct option *o = option_named(name);
        return o ? conf_format(o, arg, out) : -ENOENT;
}
