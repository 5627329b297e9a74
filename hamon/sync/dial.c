/* connect(2) with a deadline, then the secrets: the new one, and while it is being changed the one
 * before. */
#include "hamon/sync/dial.h"

#include "lib/address.h"
#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECT_MS = 5000 };

int dial_own(const struct config *c, char *ret_address, size_t size, unsigned *ret_port)
{
        int rank = config_cluster_rank(c);

        if (rank < 0)
                return -EINVAL;
        return config_sync_listen(c->sync.listen, config_cluster_node(c, (size_t)rank).address,
                                  ret_address, size, ret_port);
}

static int await_connected(int fd, msec_t deadline)
{
        struct pollfd p = { .fd = fd, .events = POLLOUT };
        int error = 0, n;
        socklen_t len = sizeof error;

        do {
                msec_t left = MIN(deadline - clock_ms(), CONNECT_MS);
                n = left > 0 ? poll(&p, 1, (int)left) : 0;
        } while (n < 0 && errno == EINTR);
        if (n <= 0)
                return n < 0 ? -errno : -ETIMEDOUT;
        return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 ? -errno : -error;
}

/* From the address the others know this node by: they answer to no other. */
static int reach(const char *from, const char *to, unsigned port, msec_t deadline, int *ret)
{
        union address own, other;

        if (address_parse(from, 0, &own) < 0 || address_parse(to, port, &other) < 0)
                return -EINVAL;
        CLEANUP(closep)
        int fd = socket(other.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return -errno;
        if (own.any.sa_family == other.any.sa_family && bind(fd, &own.any, address_len(&own)) < 0)
                return -errno;
        int r = connect(fd, &other.any, address_len(&other)) < 0 ? -errno : 0;
        if (r == -EINPROGRESS)
                r = await_connected(fd, deadline);
        if (r == 0)
                *ret = take_fd(&fd);
        return r;
}

static int hear_hello(struct dial *d, struct buf *error)
{
        CLEANUP(buf_done) struct buf payload = BUF(CHANNEL_FRAME_MAX);
        enum channel_frame frame;
        struct channel_hello h;

        int r = channel_receive(d->channel, &frame, &payload);
        if (r == 0 && frame == FRAME_REFUSE) {
                channel_refusal(&payload, error);
                return -EPERM;
        }
        if (r < 0 || frame != FRAME_HELLO || payload.len < sizeof h) {
                buf_adds(error, r < 0 ? strerror(-r) : "it speaks another language");
                return r < 0 ? r : -EBADMSG;
        }
        memcpy(&h, payload.data, sizeof h);
        if (be32toh(h.protocol) != CHANNEL_PROTOCOL) {
                buf_adds(error, "its hamon is of another version, with another protocol");
                return -EPROTO;
        }
        d->epoch = be64toh(h.epoch);
        snprintf(d->images, sizeof d->images, "%.*s", (int)sizeof h.images, h.images);
        return 0;
}

int dial(const struct config *c, size_t node, msec_t deadline, struct dial *ret, struct buf *error)
{
        const struct cluster_node to = config_cluster_node(c, node);
        int rank = config_cluster_rank(c), r = rank < 0 ? -EINVAL : 0, fd = -1;
        struct dial d = { .channel = NULL };
        struct key_ring ring = { .n = 0 };
        char address[64];
        unsigned port;

        if (r < 0 || dial_own(c, address, sizeof address, &port) < 0) {
                buf_adds(error, "this node is none of [cluster] nodes");
                return -EINVAL;
        }
        r = key_ring_load(c->cluster.secret_file, &ring, error);
        if (r < 0)
                return r;
        r = -EACCES;
        for (size_t i = 0; r == -EACCES && i < ring.n; i++) {
                buf_reset(error);
                r = reach(config_cluster_node(c, (size_t)rank).address, to.address, port, deadline,
                          &fd);
                if (r < 0)
                        buf_addf(error, "%s port %u: %s", to.address, port, strerror(-r));
                else
                        r = channel_connect(fd, &ring, i, c->node.name, to.name, deadline,
                                            &d.channel, error);
        }
        key_ring_done(&ring);
        if (r == 0)
                r = hear_hello(&d, error);
        if (r < 0) {
                channel_free(d.channel);
                return r;
        }
        *ret = d;
        return 0;
}
