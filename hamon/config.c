/* Loading hamon.conf: the rows of config_options.c, and what no single row can check: keys that
 * must fit each other, lists whose words have a shape. */
#include "hamon/config.h"

#include "hamon/core/probes.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

void config_free(struct config *c)
{
        conf_free(&CONFIG_SPEC, c);
}

static int default_node_name(struct config *c)
{
        char host[64] = "";

        if (*c->node.name)
                return 0;
        if (gethostname(host, sizeof host - 1) < 0 || !*host)
                str_copy(host, sizeof host, "node");
        char *name = strdup(host);
        if (!name)
                return -ENOMEM;
        freep(&c->node.name);
        c->node.name = name;
        return 0;
}

/* A service may stand in one of warm, active and ignore only. */
static int check_lists(const struct config *c, const char *file, struct buf *errors)
{
        static const char *const NAMES[] = { "warm", "active", "ignore" };
        const struct strlist *lists[] = { &c->stack.warm, &c->stack.active, &c->stack.ignore };
        int r = 0;

        for (size_t a = 0; a < ARRAY_SIZE(lists); a++)
                for (size_t b = a + 1; b < ARRAY_SIZE(lists); b++)
                        for (size_t i = 0; i < lists[a]->n; i++) {
                                if (!strlist_has(lists[b], lists[a]->v[i]))
                                        continue;
                                buf_addf(errors,
                                         "%s: [stack] %s stands in both %s and %s; take it out of "
                                         "one\n",
                                         file, lists[a]->v[i], NAMES[a], NAMES[b]);
                                r = -EINVAL;
                        }
        return r;
}

static int check_times(const struct config *c, const char *file, struct buf *errors)
{
        if (c->check.stale > c->check.interval + c->check.timeout)
                return 0;
        buf_addf(
                errors,
                "%s: [check] stale must be longer than interval + timeout, or a healthy node would "
                "count as unknown\n",
                file);
        return -EINVAL;
}

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

/* The database is asked without a resolver: a name would need one. */
static int check_galera(const struct config *c, const char *file, struct buf *errors)
{
        int r = 0;

        if (!*c->galera.user) {
                buf_addf(errors, "%s: [galera] user must not be empty\n", file);
                r = -EINVAL;
        }
        if (!*c->galera.socket && !is_address(c->galera.host)) {
                buf_addf(errors,
                         "%s: [galera] host: \"%s\" is not a numeric address (IPv4 or IPv6), and "
                         "socket is empty\n",
                         file, c->galera.host);
                r = -EINVAL;
        }
        return r;
}

static bool is_number(const char *s)
{
        size_t len = strlen(s);

        return len > 0 && len <= 16 && *s != '0' && strspn(s, "0123456789") == len;
}

/* What a provider needs to know. */
static int check_providers(const struct config *c, const char *file, struct buf *errors)
{
        int r = 0;

        if (c->volume.provider == CONFIG_HETZNER && !is_number(c->volume.id)) {
                buf_addf(errors, "%s: [volume] id must be the number of a Hetzner volume\n", file);
                r = -EINVAL;
        }
        if (c->volume.provider == CONFIG_LOCAL && !*c->volume.device) {
                buf_addf(errors, "%s: [volume] device must be set with provider = local\n", file);
                r = -EINVAL;
        }
        if (c->ip.provider == CONFIG_HETZNER && c->ip.id.n == 0) {
                buf_addf(errors, "%s: [ip] id must name the Hetzner floating IPs\n", file);
                r = -EINVAL;
        }
        for (size_t i = 0; c->ip.provider == CONFIG_HETZNER && i < c->ip.id.n; i++)
                if (!is_number(c->ip.id.v[i])) {
                        buf_addf(errors, "%s: [ip] id: \"%s\" is no number of a floating IP\n",
                                 file, c->ip.id.v[i]);
                        r = -EINVAL;
                }
        if (c->ip.provider == CONFIG_LOCAL && c->ip.address.n == 0) {
                buf_addf(errors, "%s: [ip] address must be set with provider = local\n", file);
                r = -EINVAL;
        }
        for (size_t i = 0; i < c->ip.outbound_networks.n; i++)
                if (!is_network(c->ip.outbound_networks.v[i])) {
                        buf_addf(errors, "%s: [ip] outbound_networks: \"%s\" is no network\n", file,
                                 c->ip.outbound_networks.v[i]);
                        r = -EINVAL;
                }
        return r;
}

/* A disabled one is not looked at, so that a port that is switched off ("") hurts nobody. */
static int check_probes(const struct config *c, const char *file, struct buf *errors)
{
        char address[64];
        unsigned port;
        int r = 0;

        if (!is_address(c->probe.host)) {
                buf_addf(errors, "%s: [probe] host: \"%s\" is not a numeric address\n", file,
                         c->probe.host);
                return -EINVAL;
        }
        for (size_t i = 0; i < c->probe.disabled.n; i++)
                if (probe_by_name(c->probe.disabled.v[i]) == PROBE_COUNT_) {
                        buf_addf(errors, "%s: [probe] disabled: there is no probe \"%s\"\n", file,
                                 c->probe.disabled.v[i]);
                        r = -EINVAL;
                }
        for (size_t i = 0; i < PROBE_COUNT_; i++) {
                const char *value = config_probe_value(c, i);
                if (!*value || strlist_has(&c->probe.disabled, PROBES[i].name) ||
                    config_probe_where(value, c->probe.host, address, sizeof address, &port) == 0)
                        continue;
                buf_addf(errors, "%s: [probe] %s: \"%s\" is neither a port nor address:port\n",
                         file, PROBES[i].name, value);
                r = -EINVAL;
        }
        return r;
}

struct cluster_node config_cluster_node(const struct config *c, size_t i)
{
        struct cluster_node n = { .name = "" };
        const char *word = c->cluster.nodes.v[i];
        size_t len = strcspn(word, "=");

        if (len >= sizeof n.name || !word[len])
                return n;
        memcpy(n.name, word, len);
        if (!str_copy(n.address, sizeof n.address, word + len + 1))
                n.address[0] = '\0';
        return n;
}

int config_cluster_rank(const struct config *c)
{
        for (size_t i = 0; i < c->cluster.nodes.n; i++)
                if (str_eq(config_cluster_node(c, i).name, c->node.name))
                        return (int)i;
        return -1;
}

static int check_cluster_node(const struct config *c, size_t i, const char *file,
                              struct buf *errors)
{
        struct cluster_node n = config_cluster_node(c, i);

        if (!is_name(n.name) || !is_address(n.address)) {
                buf_addf(errors,
                         "%s: [cluster] nodes: \"%s\" is not name=address, as in n1=10.0.0.11\n",
                         file, c->cluster.nodes.v[i]);
                return -EINVAL;
        }
        for (size_t k = 0; k < i; k++) {
                struct cluster_node other = config_cluster_node(c, k);
                if (!str_eq(n.name, other.name) && !str_eq(n.address, other.address))
                        continue;
                buf_addf(errors, "%s: [cluster] nodes: \"%s\" and \"%s\" are the same node\n", file,
                         c->cluster.nodes.v[k], c->cluster.nodes.v[i]);
                return -EINVAL;
        }
        return 0;
}

/* A cluster of nodes, and this one among them. */
static int check_cluster(const struct config *c, const char *file, struct buf *errors)
{
        int r = 0;

        if (c->lease.renew * 3 > c->lease.ttl) {
                buf_addf(errors, "%s: [lease] renew must be at most a third of ttl\n", file);
                r = -EINVAL;
        }
        if (c->cluster.nodes.n == 0)
                return r;
        if (!is_name(c->cluster.name)) {
                buf_addf(errors, "%s: [cluster] name may have letters, digits, '.', '_' and '-'\n",
                         file);
                r = -EINVAL;
        }
        if (c->cluster.nodes.n > CLUSTER_MAX) {
                buf_addf(errors, "%s: [cluster] nodes: at most %d\n", file, CLUSTER_MAX);
                return -EINVAL;
        }
        for (size_t i = 0; i < c->cluster.nodes.n; i++)
                if (check_cluster_node(c, i, file, errors) < 0)
                        r = -EINVAL;
        if (r == 0 && config_cluster_rank(c) < 0) {
                buf_addf(errors,
                         "%s: [cluster] nodes: this node, \"%s\", is not among them; set [node] "
                         "name\n",
                         file, c->node.name);
                r = -EINVAL;
        }
        if (r == 0 &&
            (c->volume.provider == CONFIG_NONE || !*c->volume.uuid || !*c->volume.mount)) {
                buf_addf(errors, "%s: [volume] provider, uuid and mount must be set in a cluster\n",
                         file);
                r = -EINVAL;
        }
        return r;
}

static int load(const char *file, const char *mailcow_file, struct config *c, struct buf *errors,
                struct conf_source *ret_sources)
{
        struct conf_input in = { .file = file, .mailcow_file = mailcow_file, .env = environ };

        *c = (struct config){ .node = { .name = NULL } };
        return conf_load(&CONFIG_SPEC, &in, c, errors, ret_sources);
}

static int finish(const char *file, struct config *c, struct buf *errors)
{
        static int (*const CHECKS[])(const struct config *, const char *, struct buf *) = {
                check_lists, check_times, check_galera, check_providers, check_probes, check_cluster
        };
        int r = default_node_name(c);

        for (size_t i = 0; i < ARRAY_SIZE(CHECKS); i++) {
                int bad = CHECKS[i](c, file, errors);
                r = r < 0 ? r : bad;
        }
        if (r < 0)
                config_free(c);
        return r;
}

int config_load_client(const char *file, struct config *c, struct buf *errors)
{
        int r = load(file, NULL, c, errors, NULL);

        return r < 0 ? r : finish(file, c, errors);
}

int config_load(const char *file, struct config *c, struct buf *errors,
                struct conf_source *ret_sources)
{
        char mailcow_file[4096];

        int r = load(file, NULL, c, errors,
                     NULL); /* where Mailcow lives stands in the file itself */
        if (r < 0)
                return r;
        int n = snprintf(mailcow_file, sizeof mailcow_file, "%s/mailcow.conf", c->mailcow.dir);
        config_free(c);
        if (n < 0 || (size_t)n >= sizeof mailcow_file)
                return -ENAMETOOLONG;

        r = load(file, mailcow_file, c, errors, ret_sources);
        return r < 0 ? r : finish(file, c, errors);
}
