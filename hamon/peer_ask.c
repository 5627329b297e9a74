/* The asking end. It says what became of the question precisely, because "silent" lets a challenger
 * take the lease early (R), and our own dead network must not look like that. */
#include "hamon/peer_impl.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { COMMAND_MAX = 700 };

enum step { CONNECTING, GREETED_NOT, ASKED };

struct peer_question {
        struct peer_question *next;
        struct peer *peer;
        size_t node;
        enum peer_command command;
        char text[COMMAND_MAX];
        peer_answer_fn fn;
        void *arg;
        msec_t began;

        enum step step;
        int fd; /* until `be` has it */
        struct event *connected;
        struct bufferevent *be;
        struct timer deadline, now; /* now: an end that was clear within peer_ask() */
        enum peer_end early;
        const char *why;
        struct peer_talk talk;
        unsigned secret; /* the one it is asked by */
        bool again;      /* the other one was tried before */
};

static void question_free(struct peer_question *q)
{
        struct peer_question **at = &q->peer->questions;

        while (*at != q)
                at = &(*at)->next;
        *at = q->next;
        q->peer->n_questions--;
        if (q->connected)
                event_free(q->connected);
        if (q->be)
                bufferevent_free(q->be);
        closep(&q->fd);
        timer_done(&q->deadline);
        timer_done(&q->now);
        free(q);
}

static void finish(struct peer_question *q, enum peer_end end, const char *text)
{
        char copy[PEER_LINE];
        struct peer_answer a = { .node = q->node,
                                 .command = q->command,
                                 .end = end,
                                 .took = loop_now(q->peer->loop) - q->began,
                                 .text = copy };
        peer_answer_fn fn = q->fn;
        void *arg = q->arg;

        str_copy(copy, sizeof copy, text);
        question_free(q);
        fn(arg, &a);
}

/* Which end an error of the system means. */
static enum peer_end end_of(int error)
{
        switch (error) {
        case ECONNREFUSED:
        case ECONNRESET:
                return PEER_REFUSED;
        case ETIMEDOUT:
        case EHOSTUNREACH:
        case EHOSTDOWN:
                return PEER_SILENT;
        default:
                return PEER_UNASKED;
        }
}

/* ---- the talk ---- */

static int dial(struct peer_question *q);

/* It was not believed, so nothing was done there: once more, by the other secret. */
static void not_believed(struct peer_question *q, const char *why)
{
        unsigned other = 1 - q->secret;

        if (q->again || !q->peer->secrets[other] || peer_wire_nonce(q->talk.client_nonce) < 0) {
                finish(q, PEER_BAD_SECRET, why);
                return;
        }
        q->again = true;
        q->secret = other;
        q->talk.secret = q->peer->secrets[other];
        q->step = CONNECTING;
        bufferevent_free(q->be);
        q->be = NULL;
        event_free(q->connected);
        q->connected = NULL;
        int error = dial(q);
        if (error)
                finish(q, end_of(error), strerror(error));
}

static void ask(struct peer_question *q, const char *hello)
{
        CLEANUP(buf_done) struct buf out = BUF(PEER_LINE);

        bool early = evbuffer_get_length(bufferevent_get_input(q->be)) > 0; /* not asked yet */

        if (early || peer_wire_parse_hello(hello, q->talk.server_nonce) < 0)
                finish(q, PEER_BAD_SECRET, "it is no hamon, or of another version");
        else if (peer_wire_ask(&out, &q->talk, q->text) < 0 ||
                 bufferevent_write(q->be, out.data, out.len) < 0)
                finish(q, PEER_UNASKED, "the question fits in no line");
        else
                q->step = ASKED;
}

static void answered(struct peer_question *q, const char *text)
{
        q->peer->nodes[q->node].secret = q->secret;
        finish(q, PEER_ANSWERED, text);
}

static void judge(struct peer_question *q, const char *line)
{
        struct peer_line l;

        if (peer_wire_parse_answer(line, &l) < 0 || !peer_wire_answer_proven(&q->talk, q->text, &l))
                not_believed(q, "its answer is not proven by the cluster's secret");
        else
                answered(q, l.text);
}

static void on_read(struct bufferevent *be, void *arg)
{
        struct peer_question *q = arg;
        struct evbuffer *in = bufferevent_get_input(be);
        size_t len;

        char *line = evbuffer_readln(in, &len, EVBUFFER_EOL_LF);
        if (!line && evbuffer_get_length(in) <= PEER_LINE)
                return;
        if (!line || len > PEER_LINE || strlen(line) != len)
                finish(q, PEER_BAD_SECRET, "it speaks something else");
        else if (q->step == GREETED_NOT)
                ask(q, line);
        else
                judge(q, line);
        free(line);
}

static void on_event(struct bufferevent *be, short what, void *arg)
{
        struct peer_question *q = arg;
        int error = EVUTIL_SOCKET_ERROR();

        (void)be;
        if (q->step == ASKED) /* who does not believe us hangs up without a word */
                not_believed(q, "it hung up on our question: is the secret the same?");
        else if (what & BEV_EVENT_EOF)
                finish(q, PEER_REFUSED, "it hung up at once");
        else
                finish(q, end_of(error), strerror(error));
}

/* ---- getting there ---- */

static void talk_now(struct peer_question *q)
{
        q->be = bufferevent_socket_new(q->peer->loop->base, q->fd, BEV_OPT_CLOSE_ON_FREE);
        if (!q->be) {
                finish(q, PEER_UNASKED, "out of memory");
                return;
        }
        take_fd(&q->fd);
        q->step = GREETED_NOT;
        bufferevent_setcb(q->be, on_read, NULL, on_event, q);
        bufferevent_setwatermark(q->be, EV_READ, 0, PEER_LINE + 1);
        bufferevent_enable(q->be, EV_READ | EV_WRITE);
}

static void on_connected(evutil_socket_t fd, short what, void *arg)
{
        struct peer_question *q = arg;
        int error = 0;
        socklen_t len = sizeof error;

        (void)what;
        if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
                error = errno;
        if (error)
                finish(q, end_of(error), strerror(error));
        else
                talk_now(q);
}

static void on_deadline(void *arg)
{
        struct peer_question *q = arg;

        finish(q, PEER_SILENT,
               q->step == CONNECTING ? "its host does not answer" : "it does not answer");
}

static void on_now(void *arg)
{
        struct peer_question *q = arg;

        finish(q, q->early, q->why);
}

/* From our own address, so that the other one knows us for a node. 0, or the error. */
static int dial(struct peer_question *q)
{
        const union address *to = &q->peer->nodes[q->node].address;
        union address from = q->peer->nodes[q->peer->me].address;

        q->fd = socket(to->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (q->fd < 0)
                return errno;
        if (from.any.sa_family == AF_INET)
                from.v4.sin_port = 0;
        else
                from.v6.sin6_port = 0;
        if (from.any.sa_family == to->any.sa_family &&
            bind(q->fd, &from.any, address_len(&from)) < 0)
                return errno;
        if (connect(q->fd, &to->any, address_len(to)) < 0 && errno != EINPROGRESS)
                return errno;
        q->connected = event_new(q->peer->loop->base, q->fd, EV_WRITE, on_connected, q);
        return q->connected && event_add(q->connected, NULL) == 0 ? 0 : ENOMEM;
}

static int compose(struct peer_question *q, const char *words)
{
        int n = snprintf(q->text, sizeof q->text, "%s%s%s", PEER_COMMANDS[q->command],
                         *words ? " " : "", words);

        if (n < 0 || (size_t)n >= sizeof q->text || !peer_wire_text_valid(words))
                return -EINVAL;
        q->secret = q->peer->nodes[q->node].secret;
        q->talk = (struct peer_talk){ .secret = q->peer->secrets[q->secret],
                                      .server = q->peer->nodes[q->node].name,
                                      .client = q->peer->nodes[q->peer->me].name };
        return peer_wire_nonce(q->talk.client_nonce);
}

static int prepare(struct peer_question *q, const char *words)
{
        int r = timer_init(&q->deadline, q->peer->loop, on_deadline, q);

        if (r == 0)
                r = timer_init(&q->now, q->peer->loop, on_now, q);
        return r < 0 ? r : compose(q, words);
}

int peer_ask(struct peer *p, size_t node, enum peer_command command, const char *words,
             msec_t deadline, peer_answer_fn fn, void *arg)
{
        if (node >= p->n_nodes || command >= PEER_COMMAND_COUNT_)
                return -EINVAL;
        if (p->n_questions >= PEER_ASKS)
                return -EBUSY;
        struct peer_question *q = calloc(1, sizeof *q);
        if (!q)
                return -ENOMEM;

        *q = (struct peer_question){ .next = p->questions,
                                     .peer = p,
                                     .node = node,
                                     .command = command,
                                     .fn = fn,
                                     .arg = arg,
                                     .began = loop_now(p->loop),
                                     .fd = -1 };
        p->questions = q;
        p->n_questions++;
        int r = prepare(q, words);
        if (r < 0) {
                question_free(q);
                return r;
        }
        timer_set(&q->deadline, deadline);
        int error = dial(q);
        if (error) {
                q->early = end_of(error);
                q->why = strerror(error);
                timer_set(&q->now, 0);
        }
        return 0;
}

void peer_ask_stop(struct peer *p)
{
        for (struct peer_question *q = p->questions, *next; q; q = next) {
                next = q->next;
                question_free(q);
        }
}
