/* Does every other node let us in? All connections are begun at once and given two seconds; nothing
 * is said on them. */
#include "hamon/doctor/doctor.h"

#include "lib/address.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WAIT_MS = 2000, GALERA_PORT = 4567, WAYS = 3 };

enum way_end { WAY_PENDING, WAY_OPEN, WAY_CLOSED, WAY_SILENT };

struct way {
        int fd;
        unsigned port;
        enum way_end end;
};

static enum way_end end_of(int error)
{
        if (error == 0)
                return WAY_OPEN;
        return error == ECONNREFUSED ? WAY_CLOSED : WAY_SILENT;
}

static void begin(const char *address, struct way *w)
{
        union address a;

        w->fd = -1;
        if (address_parse(address, w->port, &a) == 0)
                w->fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (w->fd < 0)
                w->end = WAY_SILENT;
        else if (connect(w->fd, &a.any, address_len(&a)) == 0)
                w->end = WAY_OPEN;
        else if (errno != EINPROGRESS)
                w->end = end_of(errno);
}

static void settle(struct way *w)
{
        socklen_t len = sizeof(int);
        int error = 0;

        if (getsockopt(w->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
                error = errno;
        w->end = end_of(error);
}

/* Until each of them has ended, or the time is over. */
static void await(struct way *ways, size_t n)
{
        struct pollfd p[CLUSTER_MAX * WAYS];
        size_t at[CLUSTER_MAX * WAYS];

        for (msec_t end = clock_ms() + WAIT_MS;;) {
                nfds_t open = 0;
                for (size_t i = 0; i < n; i++)
                        if (ways[i].end == WAY_PENDING) {
                                at[open] = i;
                                p[open++] = (struct pollfd){ .fd = ways[i].fd, .events = POLLOUT };
                        }
                msec_t left = end - clock_ms();
                if (open == 0 || left <= 0 || poll(p, open, (int)left) <= 0)
                        return;
                for (nfds_t i = 0; i < open; i++)
                        if (p[i].revents)
                                settle(&ways[at[i]]);
        }
}

static void list(const struct way *ways, enum way_end a, enum way_end b, struct buf *out)
{
        for (size_t i = 0; i < WAYS; i++)
                if (ways[i].end == a || ways[i].end == b)
                        buf_addf(out, "%s%u", out->len > 0 ? ", " : "", ways[i].port);
}

static void tell(struct doctor *d, const struct cluster_node *n, const struct way *ways)
{
        CLEANUP(buf_done) struct buf silent = BUF(128), closed = BUF(128);
        const struct cluster_node me =
                config_cluster_node(&d->config, (size_t)config_cluster_rank(&d->config));
        struct flaw *f;

        list(ways, WAY_PENDING, WAY_SILENT, &silent);
        list(ways, WAY_CLOSED, WAY_CLOSED, &closed);
        if (silent.len > 0) {
                f = found(d, F_PORT_FILTERED,
                          "%s does not answer on %s: it is down, or a firewall drops it", n->name,
                          buf_str(&silent));
                found_at(f, "from %s to %s", me.address, n->address);
                found_fix(f, "on %s: ufw allow proto tcp from %s to any port %u,%u,4567,4568,4444",
                          n->name, me.address, ways[0].port, ways[1].port);
        }
        if (closed.len == 0)
                return;
        f = found(d, F_PORT_CLOSED, "nobody listens on %s at port %s", n->name, buf_str(&closed));
        found_at(f, "from %s to %s", me.address, n->address);
        found_fix(f,
                  "%u is hamon: systemctl enable --now hamon\n"
                  "%u, 4567 are the database: in docker-compose.override.yml there, under "
                  "mysql-mailcow:\n"
                  "ports: [\"%s:%u:3306\", \"%s:4567:4567\", \"%s:4568:4568\", \"%s:4444:4444\"]",
                  ways[0].port, ways[1].port, n->address, ways[1].port, n->address, n->address,
                  n->address);
}

void look_peers(struct doctor *d)
{
        const struct config *c = &d->config;
        struct way ways[CLUSTER_MAX * WAYS];
        char address[64];
        unsigned port = PEER_PORT;
        size_t n = 0;
        int rank = config_cluster_rank(c);

        if (rank < 0)
                return;
        config_peer_listen(c->peer.listen, config_cluster_node(c, (size_t)rank).address, address,
                           sizeof address, &port);
        for (size_t i = 0; i < c->cluster.nodes.n; i++) {
                const struct cluster_node node = config_cluster_node(c, i);
                const unsigned ports[WAYS] = { port, (unsigned)c->galera.peer_port, GALERA_PORT };
                for (size_t k = 0; k < WAYS && (int)i != rank; k++) {
                        ways[n] = (struct way){ .fd = -1, .port = ports[k] };
                        begin(node.address, &ways[n++]);
                }
        }
        await(ways, n);
        size_t at = 0;
        for (size_t i = 0; i < c->cluster.nodes.n; i++) {
                const struct cluster_node node = config_cluster_node(c, i);
                if ((int)i == rank)
                        continue;
                tell(d, &node, &ways[at]);
                at += WAYS;
        }
        for (size_t i = 0; i < n; i++)
                closep(&ways[i].fd);
}
