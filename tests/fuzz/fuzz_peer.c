/* Anybody on the private network may send anything to the peer channel, in pieces of any size (the
 * first byte). Without the secret there is no second line for anything. With it (the rest of the
 * input as the words of an honest question, where it can be one) the server must not break either.
 * The same bytes go through all parsers. */
#include "hamon/peer.h"
#include "hamon/peer_state.h"
#include "hamon/peer_wire.h"
#include "lib/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SECRET "fuzz"

enum { TURNS_MAX = 10000, IDLE_TURNS = 20, HELLO_LEN = 13 + 2 * PEER_NONCE + 1 };

static struct loop loop;
static struct peer *peer;
static struct sockaddr_in address = { .sin_family = AF_INET };
static unsigned heard;

static void on_ask(void *arg, const char *from, enum peer_command command, const char *words,
                   struct buf *out)
{
        (void)arg;
        if (!peer_wire_name_valid(from) || command >= PEER_COMMAND_COUNT_ ||
            !peer_wire_text_valid(words))
                abort();
        heard++;
        buf_addf(out, "%zu", strlen(words));
}

static void tear_down(void)
{
        peer_free(peer);
        loop_done(&loop);
}

static void set_up(void)
{
        socklen_t len = sizeof address;
        int fd = socket(AF_INET, SOCK_STREAM, 0);

        inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
        if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) < 0 ||
            getsockname(fd, (struct sockaddr *)&address, &len) < 0)
                abort();
        close(fd);
        struct peer_node n = { "n1", "127.0.0.1", ntohs(address.sin_port) };
        struct peer_config c = { .address = n.address,
                                 .port = n.port,
                                 .nodes = &n,
                                 .n_nodes = 1,
                                 .secret = SECRET,
                                 .patience = 60000 };
        log_init(open("/dev/null", O_WRONLY | O_CLOEXEC), LOG_ERROR);
        if (loop_init(&loop) < 0 || peer_new(&loop, &c, on_ask, NULL, &peer) < 0)
                abort();
        atexit(tear_down);
}

static void parse(const char *text)
{
        CLEANUP(buf_done) struct buf again = BUF(PEER_LINE);
        unsigned char nonce[PEER_NONCE];
        struct peer_line l;
        struct peer_state s, t;

        peer_wire_parse_hello(text, nonce);
        if (peer_wire_parse_ask(text, &l) == 0 &&
            (!*l.text || !peer_wire_text_valid(l.text) || !peer_wire_name_valid(l.name)))
                abort();
        if (peer_wire_parse_answer(text, &l) == 0 && !peer_wire_text_valid(l.text))
                abort();
        memset(&s, 0, sizeof s);
        memset(&t, 0, sizeof t);
        if (peer_state_parse(text, &s) == 0 &&
            (peer_state_write(&again, &s) < 0 || peer_state_parse(buf_str(&again), &t) < 0 ||
             s.epoch != t.epoch || s.valid_ms != t.valid_ms || strcmp(s.reason, t.reason) != 0))
                abort();
}

/* Send, and collect until the other one hangs up or waits for more. */
static void converse(int fd, const char *data, size_t size, size_t piece, struct buf *got)
{
        char chunk[1024];

        for (size_t at = 0; at < size; at += piece) {
                if (send(fd, data + at, MIN(piece, size - at), MSG_NOSIGNAL) < 0)
                        break;
                event_base_loop(loop.base, EVLOOP_NONBLOCK);
        }
        for (int idle = 0; idle < IDLE_TURNS; idle++) {
                event_base_loop(loop.base, EVLOOP_NONBLOCK);
                ssize_t n = recv(fd, chunk, sizeof chunk, MSG_DONTWAIT);
                if (n == 0 || (n < 0 && errno != EAGAIN))
                        return;
                if (n > 0) {
                        buf_add(got, chunk, (size_t)n);
                        idle = 0;
                }
        }
}

/* Ends by a reset: else the ports are soon all in TIME_WAIT. */
static int dial(void)
{
        struct linger reset = { .l_onoff = 1 };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset) < 0 ||
            connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
                abort();
        return fd;
}

static void hang_up(int fd)
{
        close(fd);
        event_base_loop(loop.base, EVLOOP_NONBLOCK);
}

static void as_stranger(const char *data, size_t size, size_t piece)
{
        CLEANUP(buf_done) struct buf got = BUF(4096);
        int fd = dial();

        heard = 0;
        converse(fd, data, size, piece, &got);
        hang_up(fd);
        if (heard || got.len > HELLO_LEN) /* less: it was reset before all was read */
                abort();
}

static void as_friend(const char *words, size_t piece)
{
        CLEANUP(buf_done) struct buf got = BUF(4096), out = BUF(PEER_LINE);
        struct peer_talk t = { .secret = SECRET, .server = "n1", .client = "n2" };
        struct peer_line l;
        char hello[HELLO_LEN + 1] = "";
        size_t len = 0;
        int fd = dial();

        for (int i = 0; len < HELLO_LEN && i < TURNS_MAX; i++) {
                event_base_loop(loop.base, EVLOOP_NONBLOCK);
                ssize_t n = recv(fd, hello + len, HELLO_LEN - len, MSG_DONTWAIT);
                len += n > 0 ? (size_t)n : 0;
        }
        hello[strcspn(hello, "\n")] = '\0';
        if (peer_wire_parse_hello(hello, t.server_nonce) < 0 || peer_wire_nonce(t.client_nonce) < 0)
                abort();
        if (peer_wire_ask(&out, &t, words) == 0) {
                converse(fd, out.data, out.len, piece, &got);
                if (got.len == 0 || got.data[got.len - 1] != '\n')
                        abort();
                got.data[got.len - 1] = '\0';
                if (peer_wire_parse_answer(got.data, &l) < 0 ||
                    !peer_wire_answer_proven(&t, words, &l))
                        abort();
        }
        hang_up(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        if (!peer)
                set_up();
        if (size < 1 || size > 8192)
                return 0;
        size_t piece = data[0] ? data[0] : 8192;
        const char *text = (const char *)data + 1;

        char *line = strndup(text, size - 1);
        if (!line)
                abort();
        parse(line);
        as_stranger(text, size - 1, piece);
        as_friend(line, piece);
        free(line);
        return 0;
}
