/* FORESEEN[]: one row per thing that may be wrong. */
#include "hamon/setup/foresee.h"

#include <string.h>
#include <strings.h>

static bool is_no(const char *s)
{
        return strcasecmp(s, "n") == 0 || strcasecmp(s, "no") == 0 || strcasecmp(s, "false") == 0;
}

static bool has_ipv6(const struct config *c)
{
        for (size_t i = 0; i < c->ip.address.n; i++)
                if (strchr(c->ip.address.v[i], ':'))
                        return true;
        return false;
}

/* unbound's first healthcheck comes after 30 s, and it wants to ping the world. */
static void unbound(const struct mailcow *m, const struct config *c, struct buf *out)
{
        (void)c;
        if (!*m->skip_unbound || is_no(m->skip_unbound))
                buf_addf(out,
                         "%s: SKIP_UNBOUND_HEALTHCHECK=y is better here: postfix waits for unbound "
                         "to be healthy, which needs 30 s, ping and an outside resolver\n",
                         m->path);
}

static void ipv6(const struct mailcow *m, const struct config *c, struct buf *out)
{
        if (*m->enable_ipv6 && !is_no(m->enable_ipv6) && !has_ipv6(c))
                buf_addf(out,
                         "%s: ENABLE_IPV6 is on, but there is no IPv6 service address: mail that "
                         "leaves by IPv6 would come from the server's own address, another after "
                         "each fail-over\n",
                         m->path);
}

/* Mailcow's own network and the one between the nodes must not be the same. */
static void network(const struct mailcow *m, const struct config *c, struct buf *out)
{
        size_t len = strlen(m->ipv4_network);

        for (size_t i = 0; len > 0 && i < c->cluster.nodes.n; i++) {
                const struct cluster_node n = config_cluster_node(c, i);
                if (strncmp(n.address, m->ipv4_network, len) == 0 && n.address[len] == '.')
                        buf_addf(out,
                                 "%s: IPV4_NETWORK=%s is Docker's network on each server, and %s "
                                 "has an address in it (%s): change one of them\n",
                                 m->path, m->ipv4_network, n.name, n.address);
        }
}

static void bind_one(const struct mailcow *m, const struct config *c, const char *key,
                     const char *value, struct buf *out)
{
        static const char *const ANY[] = { "", "0.0.0.0", "::", "127.0.0.1", "::1" };

        for (size_t i = 0; i < ARRAY_SIZE(ANY); i++)
                if (str_eq(value, ANY[i]))
                        return;
        if (!config_is_service_address(c, value))
                buf_addf(out,
                         "%s: %s=%s is not the service address: leave it empty, or the web pages "
                         "are not there after a fail-over\n",
                         m->path, key, value);
}

static void binds(const struct mailcow *m, const struct config *c, struct buf *out)
{
        bind_one(m, c, "HTTP_BIND", m->http_bind, out);
        bind_one(m, c, "HTTPS_BIND", m->https_bind, out);
}

static void snat(const struct mailcow *m, const struct config *c, struct buf *out)
{
        if (*m->snat && !config_is_service_address(c, m->snat))
                buf_addf(out,
                         "%s: SNAT_TO_SOURCE=%s is not the service address: take it out, hamon "
                         "does that by itself ([ip] outbound)\n",
                         m->path, m->snat);
}

void foresee(const struct mailcow *m, const struct config *c, struct buf *out)
{
        static void (*const FORESEEN[])(const struct mailcow *, const struct config *,
                                        struct buf *) = { unbound, ipv6, network, binds, snat };

        for (size_t i = 0; i < ARRAY_SIZE(FORESEEN); i++)
                FORESEEN[i](m, c, out);
}
