/* Mistakes across the keys of hamon.conf. A mistake names a key by its place in struct config; its
 * row, and with it the line it stands in, are found by that. */
#include "hamon/config_check.h"

#include "hamon/core/probes.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>

enum { WATCHDOG_TTL_MS = 2500 };

struct check {
        const struct config *c;
        const struct config_files *files;
        const struct conf_source *sources;
        struct buf *errors;
        unsigned mistakes;
};

/* The row whose value this is. */
static size_t row_of(const struct check *k, const void *value)
{
        return conf_row_at(&CONFIG_SPEC, (size_t)((const char *)value - (const char *)k->c));
}

/* What a person wrote comes before what is built in: there is the line to be changed. */
static size_t culprit(const struct check *k, const void *const *values)
{
        size_t first = row_of(k, values[0]);

        for (; *values; values++) {
                size_t row = row_of(k, *values);
                if (k->sources[row].origin != ORIGIN_DEFAULT)
                        return row;
        }
        return first;
}

static PRINTF(3, 4) void mistake_at(struct check *k, const void *const *values, const char *fmt,
                                    ...)
{
        char text[512];
        va_list ap;
        size_t row = culprit(k, values);

        va_start(ap, fmt);
        vsnprintf(text, sizeof text, fmt, ap);
        va_end(ap);
        conf_where(&CONFIG_SPEC, row, k->sources[row], k->files->file, k->files->mailcow,
                   k->errors);
        buf_addf(k->errors, ": %s\n", text);
        k->mistakes++;
}

/* KEYS(): the keys a mistake is about, the one to be changed first. */
#define KEYS(...) ((const void *const[]){ __VA_ARGS__, NULL })

/* ---- shapes of words ---- */

static bool is_name(const char *s)
{
        return *s &&
               s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")] ==
                       '\0';
}

static bool is_address(const char *s)
{
        unsigned char address[sizeof(struct in6_addr)];

        return inet_pton(AF_INET, s, address) == 1 || inet_pton(AF_INET6, s, address) == 1;
}

static bool is_network(const char *s)
{
        char address[64];
        uint64_t prefix;
        const char *slash = strchr(s, '/');

        if (!slash || !str_copy(address, sizeof address, s))
                return false;
        address[slash - s] = '\0';
        return is_address(address) &&
               parse_uint(slash + 1, 0, strchr(address, ':') ? 128 : 32, &prefix) == 0;
}

static bool is_number(const char *s)
{
        size_t len = strlen(s);

        return len > 0 && len <= 16 && *s != '0' && strspn(s, "0123456789") == len;
}

/* ---- the checks ---- */

/* A service may stand in one of warm, active and ignore only. */
static void check_lists(struct check *k)
{
        static const char *const NAMES[] = { "warm", "active", "ignore" };
        const struct strlist *lists[] = { &k->c->stack.warm, &k->c->stack.active,
                                          &k->c->stack.ignore };

        for (size_t a = 0; a < ARRAY_SIZE(lists); a++)
                for (size_t b = a + 1; b < ARRAY_SIZE(lists); b++)
                        for (size_t i = 0; i < lists[a]->n; i++)
                                if (strlist_has(lists[b], lists[a]->v[i]))
                                        mistake_at(k, KEYS(lists[b], lists[a]),
                                                   "[stack] %s stands in both %s and %s; take it "
                                                   "out of one",
                                                   lists[a]->v[i], NAMES[a], NAMES[b]);
}

static void check_times(struct check *k)
{
        const struct config *c = k->c;

        if (c->check.stale <= c->check.interval + c->check.timeout)
                mistake_at(k, KEYS(&c->check.stale, &c->check.interval, &c->check.timeout),
                           "[check] stale must be longer than interval + timeout, or a healthy "
                           "node would count as unknown");
}

/* The database is asked without a resolver: a name would need one. */
static void check_galera(struct check *k)
{
        const struct config *c = k->c;

        if (!*c->galera.user)
                mistake_at(k, KEYS(&c->galera.user), "[galera] user must not be empty");
        if (!*c->galera.socket && !is_address(c->galera.host))
                mistake_at(k, KEYS(&c->galera.host, &c->galera.socket),
                           "[galera] host: \"%s\" is not a numeric address (IPv4 or IPv6), and "
                           "socket is empty",
                           c->galera.host);
}

/* What a provider needs to know. */
static void check_volume(struct check *k)
{
        const struct config *c = k->c;

        if (c->volume.provider == CONFIG_HETZNER && !is_number(c->volume.id))
                mistake_at(k, KEYS(&c->volume.id, &c->volume.provider),
                           "[volume] id must be the number of a Hetzner volume");
        if (c->volume.provider == CONFIG_LOCAL && !*c->volume.device)
                mistake_at(k, KEYS(&c->volume.device, &c->volume.provider),
                           "[volume] device must be set with provider = local");
}

static void check_ip(struct check *k)
{
        const struct config *c = k->c;

        if (c->ip.provider == CONFIG_HETZNER && c->ip.id.n == 0)
                mistake_at(k, KEYS(&c->ip.id, &c->ip.provider),
                           "[ip] id must name the Hetzner floating IPs");
        for (size_t i = 0; c->ip.provider == CONFIG_HETZNER && i < c->ip.id.n; i++)
                if (!is_number(c->ip.id.v[i]))
                        mistake_at(k, KEYS(&c->ip.id),
                                   "[ip] id: \"%s\" is no number of a floating IP", c->ip.id.v[i]);
        if (c->ip.provider == CONFIG_LOCAL && c->ip.address.n == 0)
                mistake_at(k, KEYS(&c->ip.address, &c->ip.provider),
                           "[ip] address must be set with provider = local");
        for (size_t i = 0; i < c->ip.outbound_networks.n; i++)
                if (!is_network(c->ip.outbound_networks.v[i]))
                        mistake_at(k, KEYS(&c->ip.outbound_networks),
                                   "[ip] outbound_networks: \"%s\" is no network",
                                   c->ip.outbound_networks.v[i]);
}

/* A disabled one is not looked at, so that a port that is switched off ("") hurts nobody. */
static void check_probe(struct check *k, size_t i)
{
        const struct config *c = k->c;
        char *const *value = config_probe_field(c, i);
        char address[64];
        unsigned port;

        if (!value || !**value || strlist_has(&c->probe.disabled, PROBES[i].name) ||
            config_probe_where(*value, c->probe.host, address, sizeof address, &port) == 0)
                return;
        mistake_at(k, KEYS(value), "[probe] %s: \"%s\" is neither a port nor address:port",
                   PROBES[i].name, *value);
}

static void check_probes(struct check *k)
{
        const struct config *c = k->c;

        if (!is_address(c->probe.host)) {
                mistake_at(k, KEYS(&c->probe.host), "[probe] host: \"%s\" is not a numeric address",
                           c->probe.host);
                return;
        }
        for (size_t i = 0; i < c->probe.disabled.n; i++)
                if (probe_by_name(c->probe.disabled.v[i]) == PROBE_COUNT_)
                        mistake_at(k, KEYS(&c->probe.disabled),
                                   "[probe] disabled: there is no probe \"%s\"",
                                   c->probe.disabled.v[i]);
        for (size_t i = 0; i < PROBE_COUNT_; i++)
                check_probe(k, i);
}

static void check_cluster_node(struct check *k, size_t i)
{
        const struct config *c = k->c;
        struct cluster_node n = config_cluster_node(c, i);

        if (!is_name(n.name) || !is_address(n.address)) {
                mistake_at(k, KEYS(&c->cluster.nodes),
                           "[cluster] nodes: \"%s\" is not name=address, as in n1=10.0.0.11",
                           c->cluster.nodes.v[i]);
                return;
        }
        for (size_t j = 0; j < i; j++) {
                struct cluster_node other = config_cluster_node(c, j);
                if (!str_eq(n.name, other.name) && !str_eq(n.address, other.address))
                        continue;
                mistake_at(k, KEYS(&c->cluster.nodes),
                           "[cluster] nodes: \"%s\" and \"%s\" are the same node",
                           c->cluster.nodes.v[j], c->cluster.nodes.v[i]);
                return;
        }
}

static bool same_address(const char *a, const char *b)
{
        unsigned char x[sizeof(struct in6_addr)], y[sizeof(struct in6_addr)];
        int family = strchr(a, ':') ? AF_INET6 : AF_INET;

        return inet_pton(family, a, x) == 1 && inet_pton(family, b, y) == 1 &&
               memcmp(x, y, family == AF_INET ? 4 : 16) == 0;
}

/* The others ask this node at its address in [cluster] nodes: what listens elsewhere hears nobody.
 */
static void check_listen(struct check *k)
{
        const struct config *c = k->c;
        const struct cluster_node me = config_cluster_node(c, (size_t)config_cluster_rank(c));
        char address[64];
        unsigned port;

        if (config_peer_listen(c->peer.listen, me.address, address, sizeof address, &port) < 0)
                mistake_at(k, KEYS(&c->peer.listen),
                           "[peer] listen: \"%s\" is not address:port, as in %s:%d", c->peer.listen,
                           me.address, PEER_PORT);
        else if (!same_address(address, me.address) && !same_address(address, "0.0.0.0") &&
                 !same_address(address, "::"))
                mistake_at(
                        k, KEYS(&c->peer.listen, &c->cluster.nodes),
                        "[peer] listen: the others ask this node at %s ([cluster] nodes), not at "
                        "%s",
                        me.address, address);
}

/* The watchdog must bite before another node may take the lease. Its timeout is a fifth of ttl in
 * whole seconds, and may be two fifths at most. */
static void check_watchdog(struct check *k)
{
        const struct config *c = k->c;

        if (config_needs_watchdog(c) && c->lease.ttl < WATCHDOG_TTL_MS)
                mistake_at(k, KEYS(&c->lease.ttl, &c->watchdog.mode),
                           "[lease] ttl must be at least 2500ms where a watchdog is required "
                           "([watchdog] mode): none bites in less than a second");
}

/* A cluster of nodes, and this one among them. */
static void check_cluster(struct check *k)
{
        const struct config *c = k->c;
        unsigned before = k->mistakes;

        if (c->lease.renew * 3 > c->lease.ttl)
                mistake_at(k, KEYS(&c->lease.renew, &c->lease.ttl),
                           "[lease] renew must be at most a third of ttl");
        if (c->cluster.nodes.n == 0)
                return;
        if (!is_name(c->cluster.name))
                mistake_at(k, KEYS(&c->cluster.name),
                           "[cluster] name may have letters, digits, '.', '_' and '-'");
        if (c->cluster.nodes.n > CLUSTER_MAX) {
                mistake_at(k, KEYS(&c->cluster.nodes), "[cluster] nodes: at most %d", CLUSTER_MAX);
                return;
        }
        for (size_t i = 0; i < c->cluster.nodes.n; i++)
                check_cluster_node(k, i);
        if (k->mistakes == before && config_cluster_rank(c) < 0)
                mistake_at(k, KEYS(&c->node.name, &c->cluster.nodes),
                           "[cluster] nodes: this node, \"%s\", is not among them; set [node] name",
                           c->node.name);
        if (k->mistakes == before &&
            (c->volume.provider == CONFIG_NONE || !*c->volume.uuid || !*c->volume.mount))
                mistake_at(k, KEYS(&c->volume.provider, &c->volume.uuid, &c->cluster.nodes),
                           "[volume] provider, uuid and mount must be set in a cluster");
        if (k->mistakes == before)
                check_listen(k);
        check_watchdog(k);
}

static bool is_open_port(const char *s)
{
        char port[16];
        uint64_t number;
        size_t len = strcspn(s, "/");

        if (s[len] && strcmp(s + len, "/udp") != 0 && strcmp(s + len, "/tcp") != 0)
                return false;
        snprintf(port, sizeof port, "%.*s", (int)MIN(len, sizeof port - 1), s);
        return parse_uint(port, 1, 65535, &number) == 0;
}

static void check_firewall(struct check *k)
{
        const struct config *c = k->c;

        for (size_t i = 0; i < c->firewall.open.n; i++)
                if (!is_open_port(c->firewall.open.v[i]))
                        mistake_at(k, KEYS(&c->firewall.open),
                                   "[firewall] open: \"%s\" is no port, as in 443 or 51820/udp",
                                   c->firewall.open.v[i]);
        for (size_t i = 0; i < c->firewall.admin.n; i++)
                if (!is_network(c->firewall.admin.v[i]) && !is_address(c->firewall.admin.v[i]))
                        mistake_at(k, KEYS(&c->firewall.admin),
                                   "[firewall] admin: \"%s\" is no network",
                                   c->firewall.admin.v[i]);
}

/* What everybody reaches must not answer everybody. */
static void check_web(struct check *k)
{
        const struct config *c = k->c;
        char address[64];
        unsigned port;

        if (c->web.listen.n == 0 || c->web.listen.n > CONFIG_WEB_LISTEN)
                mistake_at(k, KEYS(&c->web.listen), "[web] listen: want one to %d addresses",
                           CONFIG_WEB_LISTEN);
        for (size_t i = 0; i < c->web.listen.n; i++)
                if (config_web_listen(c->web.listen.v[i], address, sizeof address, &port) < 0)
                        mistake_at(k, KEYS(&c->web.listen),
                                   "[web] listen: \"%s\" is not address:port, as in "
                                   "127.0.0.1:%d",
                                   c->web.listen.v[i], WEB_PORT);
                else if (!config_address_private(address) && !*c->web.token_file)
                        mistake_at(k, KEYS(&c->web.listen, &c->web.token_file),
                                   "[web] listen: %s is no private address; set token_file, or "
                                   "listen elsewhere",
                                   address);
}

static bool is_relative(const char *s)
{
        return *s && *s != '/' && s[strlen(s) - 1] != '/' && !strstr(s, "//") && !strstr(s, "..") &&
               strncmp(s, "./", 2) != 0 && !strstr(s, "/./");
}

static void check_sync(struct check *k)
{
        const struct config *c = k->c;
        char address[64];
        unsigned port;

        for (size_t i = 0; i < c->sync.paths.n; i++)
                if (!is_relative(c->sync.paths.v[i]))
                        mistake_at(k, KEYS(&c->sync.paths),
                                   "[sync] paths: \"%s\" is no path beneath [mailcow] dir",
                                   c->sync.paths.v[i]);
        if (*c->sync.listen &&
            config_sync_listen(c->sync.listen, "", address, sizeof address, &port) < 0)
                mistake_at(k, KEYS(&c->sync.listen),
                           "[sync] listen: \"%s\" is not address:port, as in 10.0.0.1:%d",
                           c->sync.listen, SYNC_PORT);
        if (c->sync.patience < 2 * c->sync.interval)
                mistake_at(k, KEYS(&c->sync.patience, &c->sync.interval),
                           "[sync] patience must be at least twice the interval");
}

static void check_canary(struct check *k)
{
        const struct config *c = k->c;
        char *const *const addresses[] = { &c->canary.mailbox, &c->canary.from };

        for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
                const char *a = *addresses[i], *at = strrchr(a, '@');
                if (*a && (!at || at == a || !at[1] || strpbrk(a, " <>\",;\\")))
                        mistake_at(k, KEYS(addresses[i]), "[canary]: \"%s\" is no address", a);
        }
        if (*c->canary.mailbox && !*c->canary.password_file)
                mistake_at(k, KEYS(&c->canary.password_file, &c->canary.mailbox),
                           "[canary] password_file: it cannot be empty with a mailbox");
        if (!*c->canary.mailbox && c->canary.promote)
                mistake_at(k, KEYS(&c->canary.promote),
                           "[canary] promote: there is no canary without a mailbox");
}

int config_check(const struct config *c, const struct config_files *files,
                 const struct conf_source *sources, struct buf *errors)
{
        static void (*const CHECKS[])(struct check *) = {
                check_lists,   check_times, check_galera,   check_volume, check_ip,  check_probes,
                check_cluster, check_web,   check_firewall, check_canary, check_sync
        };
        struct check k = { .c = c, .files = files, .sources = sources, .errors = errors };

        for (size_t i = 0; i < ARRAY_SIZE(CHECKS); i++)
                CHECKS[i](&k);
        return k.mistakes > 0 ? -EINVAL : 0;
}
