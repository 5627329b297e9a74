/* A client of `hamond web` may send anything, in pieces of any size. It gets one answer at most, a
 * whole one, with the status that head_parse() says, and then the end of the connection. The first
 * byte of the input is the size of the pieces, the second one says if it half closes. */
#include "hamon/web/head.h"
#include "hamon/web/serve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TURNS_MAX = 2000, PORT_FIRST = 20000, PORT_SPAN = 20000, PORT_TRIES = 50 };

static struct loop loop;
static struct serve *serve;
static unsigned port;

static void reply(void *arg, const char *path, struct reply *r)
{
        (void)arg;
        if (*path != '/' || strpbrk(path, "?#\r\n"))
                abort();
        r->status = 200;
        r->type = "text/plain";
        r->body = (struct buf)BUF(64);
        buf_adds(&r->body, "ok\n");
}

static void tear_down(void)
{
        serve_free(serve);
        loop_done(&loop);
}

static void set_up(void)
{
        char word[64];
        char *words[] = { word };
        char none[] = "";
        struct config c = { .web = { .listen = { .v = words, .n = 1 }, .token_file = none } };

        if (loop_init(&loop) < 0)
                abort();
        for (unsigned i = 0; i < PORT_TRIES && !serve; i++) {
                port = PORT_FIRST + ((unsigned)getpid() * 7 + i * 131) % PORT_SPAN;
                snprintf(word, sizeof word, "127.0.0.1:%u", port);
                if (serve_new(&loop, &c, reply, NULL, &serve) < 0)
                        serve = NULL;
        }
        if (!serve)
                abort();
        atexit(tear_down);
}

static int dial(void)
{
        struct sockaddr_in sa = { .sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr = { htonl(INADDR_LOOPBACK) } };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct linger hard = { .l_onoff = 1 }; /* no thousand sockets in TIME_WAIT */

        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard) < 0 ||
            connect(fd, (struct sockaddr *)&sa, sizeof sa) < 0)
                abort();
        return fd;
}

static void turn(void)
{
        loop.now_valid = false;
        event_base_loop(loop.base, EVLOOP_NONBLOCK);
}

/* Until an end, or until nothing more can come. */
static void converse(int fd, const char *data, size_t size, size_t piece, bool half, bool whole,
                     struct buf *got)
{
        char chunk[4096];
        ssize_t n = -1;

        for (size_t at = 0; at < size; at += piece) {
                if (send(fd, data + at, MIN(piece, size - at), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
                        break; /* it has heard enough */
                turn();
        }
        if (half)
                shutdown(fd, SHUT_WR);
        for (int i = 0; i < TURNS_MAX; i++) {
                turn();
                n = recv(fd, chunk, sizeof chunk, MSG_DONTWAIT);
                if (n > 0)
                        buf_add(got, chunk, (size_t)n);
                else if (n == 0 || errno != EAGAIN)
                        return;
                else if (!whole && !half)
                        return; /* it waits for the rest of the head, for its time */
                else
                        poll(NULL, 0, i > TURNS_MAX / 2 ? 1 : 0);
        }
        abort(); /* neither answered nor hung up */
}

/* The status it deserves; 0 = none. */
static int expect(const char *data, size_t size)
{
        char text[HEAD_MAX + 1];
        size_t len = head_end(data, MIN(size, (size_t)HEAD_MAX));
        struct head h;

        if (len == 0)
                return size >= HEAD_MAX ? 431 : 0;
        memcpy(text, data, len);
        int r = head_parse(text, len, &h);
        if (r)
                return r;
        return h.get || h.headers_only ? 200 : 405;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        CLEANUP(buf_done) struct buf got = BUF(65536);

        if (!serve)
                set_up();
        if (size < 2 || size > 12000)
                return 0;
        size_t piece = data[0] ? data[0] * 16UL : 16384;
        bool half = data[1] & 1;
        const char *text = (const char *)data + 2;
        size -= 2;

        int want = expect(text, size);
        int fd = dial();
        converse(fd, text, size, piece, half, want != 0, &got);
        close(fd);
        turn();
        if (want == 0 && got.len > 0)
                abort();
        if (want != 0 && got.len > 0 && strncmp(buf_str(&got), "HTTP/1.1 ", 9) != 0)
                abort();
        if (want != 0 && got.len > 0 && atoi(buf_str(&got) + 9) != want)
                abort();
        if (want != 0 && got.len == 0)
                abort();
        return 0;
}
