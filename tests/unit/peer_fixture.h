/* What the tests of hamon/peer*.c share: nodes n1 to n4 on 127.0.0.11 to .14, of which the first
 * two are real ones, and plain sockets that play friends, strangers and worse. */
#pragma once

#include "hamon/peer.h"
#include "hamon/peer_wire.h"
#include "lib/log.h"
#include "tests/unit/harness.h"

#include <arpa/inet.h>

#define SECRET "a secret of the cluster"

enum { NODES = 4, TEST_PATIENCE_MS = 300, LONG_MS = 20000 };

static const char *const NAMES[NODES] = { "n1", "n2", "n3", "n4" };
static const char *const ADDRESSES[NODES] = { "127.0.0.11", "127.0.0.12", "127.0.0.13",
                                              "127.0.0.14" };
static unsigned port;
static struct loop loop;
static struct timer tick;
static struct peer *one, *two;

struct heard { /* by a server's callback */
        unsigned n;
        char from[PEER_NAME], words[PEER_LINE];
        enum peer_command command;
};
static struct heard heard_one, heard_two;
static const char *say = "fine"; /* what a server answers */

struct got { /* by an asker */
        unsigned n;
        enum peer_end end;
        size_t node;
        enum peer_command command;
        msec_t took;
        char text[PEER_LINE];
};

static void on_tick(void *arg)
{
        (void)arg;
        timer_set(&tick, 5);
}

static void turn(void)
{
        loop.now_valid = false;
        assert_int_equal(event_base_loop(loop.base, EVLOOP_ONCE), 0);
}

#define TURN_UNTIL(condition)                                          \
        for (msec_t end_ = clock_ms() + LONG_MS; !(condition); turn()) \
                if (clock_ms() > end_)                                 \
        fail_msg("never came true: %s", #condition)

static void on_ask(void *arg, const char *from, enum peer_command command, const char *words,
                   struct buf *out)
{
        struct heard *h = arg;

        h->n++;
        h->command = command;
        str_copy(h->from, sizeof h->from, from);
        str_copy(h->words, sizeof h->words, words);
        buf_adds(out, say);
}

static void on_answer(void *arg, const struct peer_answer *a)
{
        struct got *g = arg;

        g->n++;
        g->end = a->end;
        g->node = a->node;
        g->command = a->command;
        g->took = a->took;
        str_copy(g->text, sizeof g->text, a->text);
}

static int plain_socket(const char *from)
{
        struct sockaddr_in a = { .sin_family = AF_INET };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

        assert_true(fd >= 0);
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        inet_pton(AF_INET, from, &a.sin_addr);
        assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
        return fd;
}

static unsigned free_port(void)
{
        struct sockaddr_in a;
        socklen_t len = sizeof a;
        int fd = plain_socket("0.0.0.0");

        assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
        close(fd);
        return ntohs(a.sin_port);
}

static int try_peer_two(size_t me, const char *secret, const char *other, struct heard *h,
                        struct peer **ret)
{
        struct peer_node nodes[NODES];
        struct peer_config c = { .address = ADDRESSES[me],
                                 .port = port,
                                 .nodes = nodes,
                                 .n_nodes = NODES,
                                 .me = me,
                                 .secret = secret,
                                 .other = other,
                                 .patience = TEST_PATIENCE_MS };

        for (size_t i = 0; i < NODES; i++)
                nodes[i] = (struct peer_node){ NAMES[i], ADDRESSES[i], port };
        return peer_new(&loop, &c, on_ask, h, ret);
}

static int try_peer(size_t me, const char *secret, struct heard *h, struct peer **ret)
{
        return try_peer_two(me, secret, NULL, h, ret);
}

static int peer_setup(void **unused)
{
        (void)unused;
        heard_one = heard_two = (struct heard){ .n = 0 };
        say = "fine";
        log_init(STDERR_FILENO, LOG_ERROR);
        port = free_port();
        assert_int_equal(loop_init(&loop), 0);
        assert_int_equal(timer_init(&tick, &loop, on_tick, NULL), 0);
        timer_set(&tick, 5);
        assert_int_equal(try_peer(0, SECRET, &heard_one, &one), 0);
        assert_int_equal(try_peer(1, SECRET, &heard_two, &two), 0);
        return 0;
}

static int peer_teardown(void **unused)
{
        (void)unused;
        peer_free(one);
        peer_free(two);
        one = two = NULL;
        timer_done(&tick);
        loop_done(&loop);
        return 0;
}

/* n1 asks, and this is what it gets. */
static struct got ask(size_t node, enum peer_command command, const char *words, msec_t deadline)
{
        struct got g = { .n = 0 };

        assert_int_equal(peer_ask(one, node, command, words, deadline, on_answer, &g), 0);
        assert_int_equal(g.n, 0); /* from the loop, not from within */
        TURN_UNTIL(g.n > 0);
        assert_int_equal(g.n, 1);
        assert_int_equal(g.node, node);
        assert_int_equal(g.command, command);
        return g;
}

/* ---- plain sockets ---- */

/* Connect to node n2 from an address. */
static int dial(const char *from)
{
        struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
        int fd = plain_socket(from);

        inet_pton(AF_INET, ADDRESSES[1], &a.sin_addr);
        assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
        fcntl(fd, F_SETFL, O_NONBLOCK);
        return fd;
}

/* A listener that plays node n3. */
static int pretend(int backlog)
{
        struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;

        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        inet_pton(AF_INET, ADDRESSES[2], &a.sin_addr);
        assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
        assert_int_equal(listen(fd, backlog), 0);
        return fd;
}

struct talk { /* what a plain socket has read so far */
        int fd;
        char text[8 * PEER_LINE];
        size_t len;
        bool closed;
};

static bool pull(struct talk *t)
{
        ssize_t n = recv(t->fd, t->text + t->len, sizeof t->text - 1 - t->len, MSG_DONTWAIT);

        if (n > 0) {
                t->len += (size_t)n;
                t->text[t->len] = '\0';
        } else if (n == 0 || errno != EAGAIN) {
                t->closed = true;
        }
        return t->closed;
}

static void read_line(struct talk *t)
{
        TURN_UNTIL((pull(t), strchr(t->text, '\n')));
}

static void say_to(int fd, const char *text, size_t len)
{
        assert_int_equal(send(fd, text, len, MSG_NOSIGNAL), len);
}
