/* A bufferevent, a cap and a deadline. What went wrong is told from the loop, also when the socket
 * is not there at all: whoever asks need not expect an answer inside of its question. */
#include "hamon/web/ask.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

struct ask {
        struct bufferevent *be;
        struct timer deadline;
        struct buf answer;
        int failed; /* known before the loop ran */
        ask_fn fn;
        void *arg;
};

void ask_cancel(struct ask *a)
{
        if (!a)
                return;
        timer_done(&a->deadline);
        if (a->be)
                bufferevent_free(a->be);
        buf_done(&a->answer);
        free(a);
}

static void finish(struct ask *a, int error)
{
        struct buf answer = a->answer;

        a->answer = (struct buf)BUF(0); /* ours now: the callback may ask anew */
        ask_fn fn = a->fn;
        void *arg = a->arg;
        ask_cancel(a);
        fn(arg, error, error < 0 ? "" : buf_str(&answer));
        buf_done(&answer);
}

static void on_read(struct bufferevent *be, void *arg)
{
        struct ask *a = arg;
        char chunk[4096];
        size_t n;

        while ((n = bufferevent_read(be, chunk, sizeof chunk)) > 0)
                if (buf_add(&a->answer, chunk, n) < 0) {
                        finish(a, a->answer.error);
                        return;
                }
}

/* Only an answer that ends with its newline is whole. */
static void on_event(struct bufferevent *be, short what, void *arg)
{
        struct ask *a = arg;
        const struct buf *b = &a->answer;

        (void)be;
        if (what & BEV_EVENT_CONNECTED)
                return;
        bool whole = b->len > 0 && b->data[b->len - 1] == '\n';
        finish(a, what & BEV_EVENT_EOF && whole ? 0 : -EPROTO);
}

static void on_deadline(void *arg)
{
        struct ask *a = arg;

        finish(a, a->failed ? a->failed : -ETIMEDOUT);
}

static int dial(struct ask *a, struct loop *l, const char *path, const char *request)
{
        struct sockaddr_un sa = { .sun_family = AF_UNIX };
        CLEANUP(closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

        if (fd < 0)
                return -errno;
        if (!str_copy(sa.sun_path, sizeof sa.sun_path, path))
                return -ENAMETOOLONG;
        if (connect(fd, (struct sockaddr *)&sa, sizeof sa) < 0)
                return -errno;
        a->be = bufferevent_socket_new(l->base, fd, BEV_OPT_CLOSE_ON_FREE);
        if (!a->be)
                return -ENOMEM;
        (void)take_fd(&fd);
        bufferevent_setcb(a->be, on_read, NULL, on_event, a);
        bufferevent_enable(a->be, EV_READ | EV_WRITE);
        evbuffer_add_printf(bufferevent_get_output(a->be), "%s\n", request);
        return 0;
}

int ask_start(struct loop *l, const char *socket, const char *request, msec_t timeout, ask_fn fn,
              void *arg, struct ask **ret)
{
        struct ask *a = calloc(1, sizeof *a);

        if (!a)
                return -ENOMEM;
        *a = (struct ask){ .answer = BUF(ASK_MAX), .fn = fn, .arg = arg };
        int r = timer_init(&a->deadline, l, on_deadline, a);
        if (r == 0) {
                a->failed = dial(a, l, socket, request);
                r = a->failed == -ENOMEM || a->failed == -ENAMETOOLONG ? a->failed : 0;
        }
        if (r < 0) {
                ask_cancel(a);
                return r;
        }
        timer_set(&a->deadline, a->failed ? 0 : timeout);
        *ret = a;
        return 0;
}
