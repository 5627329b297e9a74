/* The other end is a node of the cluster, by proof; what it may read is still only what [sync]
 * names, looked at anew for each connection. */
#include "hamon/sync/serve.h"

#include "hamon/release.h"
#include "hamon/sync/channel.h"
#include "hamon/sync/leader.h"
#include "hamon/sync/tree.h"
#include "lib/log.h"
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { CHUNK = 32 * 1024 };

struct server {
        const struct config *config;
        struct channel *channel;
        int root;
        struct tree tree;
        bool listed;
};

static int refuse(struct server *s, const char *why)
{
        int r = channel_send(s->channel, FRAME_REFUSE, why, MIN(strlen(why), 512));

        channel_close(s->channel);
        return r < 0 ? r : -EPERM;
}

static int hello(struct server *s)
{
        struct channel_hello h = { .protocol = htobe32(CHANNEL_PROTOCOL) };
        struct leader l = { .name = "" };
        struct release mailcow;

        if (leader_ask(s->config, &l) < 0)
                return refuse(s, "its daemon does not answer");
        if (!l.here)
                return refuse(s, "it does not lead");
        release_read(s->config->mailcow.dir, &mailcow);
        h.epoch = htobe64(l.epoch);
        memcpy(h.images, mailcow.images, strlen(mailcow.images));
        return channel_send(s->channel, FRAME_HELLO, &h, sizeof h);
}

static int list(struct server *s)
{
        CLEANUP(buf_done) struct buf error = BUF(2048), one = BUF(4 * ITEM_PATH);
        const struct config *c = s->config;
        const struct tree_wish w = { s->root, &c->sync.paths, &c->sync.exclude, &c->sync.own_keys };

        if (s->listed)
                return -EBADMSG;
        int r = tree_read(&w, &s->tree, &error);
        if (r < 0) {
                log_event(LOG_WARN, "sync_serve", LS("error", buf_str(&error)));
                return refuse(s, buf_str(&error));
        }
        s->listed = true;
        for (size_t i = 0; r == 0 && i < s->tree.items.n; i++) {
                buf_reset(&one);
                r = item_encode(&s->tree.items.v[i], &one);
                if (r == 0)
                        r = channel_send(s->channel, FRAME_ITEM, one.data, one.len);
        }
        return r < 0 ? r : channel_send(s->channel, FRAME_END, "", 0);
}

/* No more than was said; what has become shorter or another, the other end will see by its hash. */
static int send_file(struct server *s, const struct item *it)
{
        char chunk[CHUNK];
        uint64_t left = it->size;
        ssize_t n = 0;
        CLEANUP(closep) int fd = tree_open(s->root, it->path, O_RDONLY | O_NONBLOCK);
        int r = 0;

        while (fd >= 0 && r == 0 && left > 0 &&
               (n = read(fd, chunk, MIN(left, sizeof chunk))) > 0) {
                r = channel_send(s->channel, FRAME_DATA, chunk, (size_t)n);
                left -= (uint64_t)n;
        }
        explicit_bzero(chunk, sizeof chunk);
        return r;
}

static int send_text(struct server *s, const struct buf *text)
{
        int r = 0;

        for (size_t at = 0; r == 0 && at < text->len; at += CHUNK)
                r = channel_send(s->channel, FRAME_DATA, text->data + at,
                                 MIN(text->len - at, CHUNK));
        return r;
}

static int content(struct server *s, const struct buf *payload)
{
        uint32_t number;
        int r = -EBADMSG;

        if (!s->listed || payload->len != sizeof number)
                return r;
        memcpy(&number, payload->data, sizeof number);
        if (be32toh(number) >= s->tree.items.n)
                return r;
        const struct item *it = &s->tree.items.v[be32toh(number)];
        if (it->kind == ITEM_FILE)
                r = send_file(s, it);
        else if (it->kind == ITEM_CONF)
                r = send_text(s, &s->tree.conf);
        return r < 0 ? r : channel_send(s->channel, FRAME_END, "", 0);
}

static int talk(struct server *s)
{
        CLEANUP(buf_done) struct buf payload = BUF(CHANNEL_FRAME_MAX);
        enum channel_frame frame;
        int r = hello(s);

        while (r == 0) {
                r = channel_receive(s->channel, &frame, &payload);
                if (r == -ECONNRESET)
                        return 0; /* it has what it wanted */
                if (r == 0)
                        r = frame == FRAME_LIST  ? list(s)
                            : frame == FRAME_GET ? content(s, &payload)
                                                 : -EBADMSG;
        }
        return r;
}

static bool is_node(const struct config *c, const char *name)
{
        for (size_t i = 0; i < c->cluster.nodes.n; i++)
                if (str_eq(config_cluster_node(c, i).name, name))
                        return true;
        return false;
}

static int with_channel(struct server *s, const char *client)
{
        if (!is_node(s->config, client)) {
                log_event(LOG_WARN, "sync_serve", LS("from", client),
                          LS("error", "no node of ours"));
                return -EACCES;
        }
        s->root = open(s->config->mailcow.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (s->root < 0)
                return refuse(s, "its [mailcow] dir cannot be opened");
        int r = talk(s);
        if (r < 0 && r != -EPERM)
                log_event(LOG_WARN, "sync_serve", LS("from", client), LS("error", strerror(-r)));
        closep(&s->root);
        return r;
}

int serve(const struct config *c, int fd, msec_t deadline)
{
        CLEANUP(buf_done) struct buf error = BUF(2048);
        struct server s = { .config = c, .root = -1 };
        struct key_ring ring;
        char client[64] = "";

        int r = key_ring_load(c->cluster.secret_file, &ring, &error);
        if (r < 0) {
                close(fd);
                log_event(LOG_ERROR, "config", LS("key", "cluster.secret_file"),
                          LS("error", buf_str(&error)));
                return r;
        }
        r = channel_accept(fd, &ring, c->node.name, deadline, &s.channel, client, sizeof client,
                           &error);
        key_ring_done(&ring);
        if (r < 0) {
                log_event(LOG_WARN, "sync_serve", LS("error", buf_str(&error)));
                return r;
        }
        r = with_channel(&s, client);
        tree_done(&s.tree);
        channel_free(s.channel);
        return r;
}
