/* A connection to each of the others, all at once. */
#include "hamon/setup/peers.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WAIT_MS = 1000 };

static socklen_t fill(const char *address, unsigned port, struct sockaddr_storage *ret)
{
        struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)ret;
        struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)ret;

        memset(ret, 0, sizeof *ret);
        if (inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
                v4->sin_family = AF_INET;
                v4->sin_port = htons((uint16_t)port);
                return sizeof *v4;
        }
        if (inet_pton(AF_INET6, address, &v6->sin6_addr) != 1)
                return 0;
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons((uint16_t)port);
        return sizeof *v6;
}

/* A socket that is connecting; -1: it cannot. */
static int begin(const char *address, unsigned port)
{
        struct sockaddr_storage to;
        socklen_t len = fill(address, port, &to);

        if (len == 0)
                return -1;
        int fd = socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd >= 0 && connect(fd, (const struct sockaddr *)&to, len) < 0 && errno != EINPROGRESS)
                closep(&fd);
        return fd;
}

static bool connected(const struct pollfd *p)
{
        int error = 0;
        socklen_t len = sizeof error;

        return p->fd >= 0 && (p->revents & POLLOUT) &&
               getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error == 0;
}

/* Until one is, or none can be any more. */
static int await(struct pollfd *p, size_t n)
{
        msec_t end = clock_ms() + WAIT_MS;

        for (;;) {
                msec_t left = end - clock_ms();
                size_t waiting = 0;
                int r = poll(p, n, (int)MAX(0, left));
                for (size_t i = 0; r > 0 && i < n; i++) {
                        if (connected(&p[i]))
                                return (int)i;
                        if (p[i].fd >= 0 && p[i].revents)
                                closep(&p[i].fd);
                }
                for (size_t i = 0; i < n; i++)
                        waiting += p[i].fd >= 0;
                if (left <= 0 || waiting == 0 || (r < 0 && errno != EINTR))
                        return -1;
        }
}

bool peers_answer(const struct config *c, char *ret_name, size_t size)
{
        size_t n = MIN(c->cluster.nodes.n, CLUSTER_MAX);
        struct pollfd p[CLUSTER_MAX];
        char ignored[64];
        unsigned port = PEER_PORT;

        for (size_t i = 0; i < n; i++) {
                struct cluster_node node = config_cluster_node(c, i);
                bool self = str_eq(node.name, c->node.name);
                config_peer_listen(c->peer.listen, node.address, ignored, sizeof ignored, &port);
                p[i] = (struct pollfd){ .fd = self ? -1 : begin(node.address, port),
                                        .events = POLLOUT };
        }
        int who = await(p, n);
        for (size_t i = 0; i < n; i++)
                closep(&p[i].fd);
        if (who >= 0)
                str_copy(ret_name, size, config_cluster_node(c, (size_t)who).name);
        return who >= 0;
}
