/* The answering end. Until a client has proven that it knows the secret it gets a random number and
 * nothing else, not even a reason; it costs one of PEER_CLIENTS places for `patience` at most, and
 * whoever does not come from the address of a node finds PEER_STRANGERS places only. */
#include "hamon/peer_impl.h"

#include "lib/log.h"
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { REST_MS = 100, BACKLOG = 32, ANSWER_MAX = 900 };

struct peer_client {
        struct peer_client *next;
        struct peer *peer;
        struct bufferevent *be;
        struct timer deadline; /* for all of it */
        unsigned char nonce[PEER_NONCE];
        bool stranger, answered;
};

static void client_free(struct peer_client *c)
{
        struct peer_client **at = &c->peer->clients;

        while (*at != c)
                at = &(*at)->next;
        *at = c->next;
        c->peer->n_clients--;
        c->peer->n_strangers -= c->stranger;
        timer_done(&c->deadline);
        bufferevent_free(c->be);
        free(c);
}

/* ---- the answer ---- */

static void carry_out(struct peer *p, const struct peer_line *l, struct buf *out)
{
        size_t len = strcspn(l->text, " ");

        for (unsigned i = 0; i < PEER_COMMAND_COUNT_; i++)
                if (strlen(PEER_COMMANDS[i]) == len &&
                    strncmp(PEER_COMMANDS[i], l->text, len) == 0) {
                        const char *words = l->text + len + (l->text[len] == ' ');
                        p->fn(p->arg, l->name, (enum peer_command)i, words, out);
                        return;
                }
        buf_adds(out, "error: unknown command"); /* of a later version */
}

/* By one of our secrets; the answer goes by the same one. */
static bool believed(const struct peer *p, struct peer_talk *t, const struct peer_line *l)
{
        for (size_t i = 0; i < ARRAY_SIZE(p->secrets) && p->secrets[i]; i++) {
                t->secret = p->secrets[i];
                if (peer_wire_ask_proven(t, l))
                        return true;
        }
        return false;
}

/* false: hang up without a word. */
static bool answer(struct peer_client *c, const char *line)
{
        struct peer *p = c->peer;
        CLEANUP(buf_done) struct buf text = BUF(ANSWER_MAX), out = BUF(PEER_LINE);
        struct peer_line l;

        if (peer_wire_parse_ask(line, &l) < 0)
                return false;
        struct peer_talk t = { .server = p->nodes[p->me].name, .client = l.name };
        memcpy(t.server_nonce, c->nonce, PEER_NONCE);
        memcpy(t.client_nonce, l.nonce, PEER_NONCE);
        if (!believed(p, &t, &l)) {
                log_event(LOG_WARN, "peer", LS("from", l.name),
                          LS("error", "asks without knowing the cluster's secret"));
                return false;
        }
        carry_out(p, &l, &text);
        if (text.error || peer_wire_answer(&out, &t, l.text, buf_str(&text)) < 0) {
                log_event(LOG_ERROR, "peer", LS("error", "an answer that fits in no line"));
                return false;
        }
        return bufferevent_write(c->be, out.data, out.len) == 0;
}

static void on_read(struct bufferevent *be, void *arg)
{
        struct peer_client *c = arg;
        struct evbuffer *in = bufferevent_get_input(be);
        size_t len;

        if (c->answered)
                return;
        char *line = evbuffer_readln(in, &len, EVBUFFER_EOL_LF);
        bool more = !line && evbuffer_get_length(in) <= PEER_LINE;
        if (more)
                return;
        c->answered = line && len <= PEER_LINE && strlen(line) == len && answer(c, line);
        free(line);
        if (c->answered)
                bufferevent_disable(be, EV_READ);
        else
                client_free(c);
}

static void on_written(struct bufferevent *be, void *arg)
{
        struct peer_client *c = arg;

        (void)be;
        if (c->answered)
                client_free(c);
}

static void on_event(struct bufferevent *be, short what, void *arg)
{
        (void)be;
        (void)what;
        client_free(arg);
}

static void on_deadline(void *arg)
{
        client_free(arg);
}

/* ---- coming in ---- */

static bool is_stranger(const struct peer *p, const struct sockaddr *sa)
{
        for (size_t i = 0; i < p->n_nodes; i++)
                if (address_same_host(&p->nodes[i].address, sa))
                        return false;
        return true;
}

static struct peer_client *client_new(struct peer *p, int fd)
{
        struct peer_client *c = calloc(1, sizeof *c);
        if (!c)
                return NULL;

        c->peer = p;
        if (peer_wire_nonce(c->nonce) == 0 &&
            timer_init(&c->deadline, p->loop, on_deadline, c) == 0)
                c->be = bufferevent_socket_new(p->loop->base, fd, BEV_OPT_CLOSE_ON_FREE);
        if (!c->be) {
                timer_done(&c->deadline);
                free(c);
                return NULL;
        }
        return c;
}

static void greet(struct peer_client *c)
{
        CLEANUP(buf_done) struct buf hello = BUF(PEER_LINE);
        struct peer_talk t = { .secret = "" };

        memcpy(t.server_nonce, c->nonce, PEER_NONCE);
        bufferevent_setcb(c->be, on_read, on_written, on_event, c);
        bufferevent_setwatermark(c->be, EV_READ, 0, PEER_LINE + 1);
        bufferevent_enable(c->be, EV_READ | EV_WRITE);
        timer_set(&c->deadline, c->peer->patience);
        if (peer_wire_hello(&hello, &t) < 0 || bufferevent_write(c->be, hello.data, hello.len) < 0)
                client_free(c);
}

static void on_accept(struct evconnlistener *lev, evutil_socket_t fd, struct sockaddr *sa, int len,
                      void *arg)
{
        struct peer *p = arg;
        bool stranger = is_stranger(p, sa);
        struct peer_client *c = NULL;

        (void)lev;
        (void)len;
        if (p->n_clients < PEER_CLIENTS && (!stranger || p->n_strangers < PEER_STRANGERS))
                c = client_new(p, fd);
        if (!c) {
                close(fd);
                return;
        }
        c->stranger = stranger;
        c->next = p->clients;
        p->clients = c;
        p->n_clients++;
        p->n_strangers += stranger;
        greet(c);
}

/* Out of descriptors, most likely: the connection waits in the queue, and would wake us for ever.
 */
static void on_accept_error(struct evconnlistener *lev, void *arg)
{
        struct peer *p = arg;

        evconnlistener_disable(lev);
        timer_set(&p->rest, REST_MS);
}

static void on_rested(void *arg)
{
        struct peer *p = arg;

        evconnlistener_enable(p->listener);
}

/* ---- the listener ---- */

int peer_serve_start(struct peer *p, const char *address, unsigned port)
{
        CLEANUP(closep) int fd = -1;
        union address a;

        int r = port > 0 ? address_parse(address, port, &a) : -EINVAL;
        if (r == 0)
                r = timer_init(&p->rest, p->loop, on_rested, p);
        if (r == 0)
                r = address_listen(&a, BACKLOG, &fd);
        if (r < 0)
                return r;
        p->listener = evconnlistener_new(p->loop->base, on_accept, p,
                                         LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
        if (!p->listener)
                return -ENOMEM;
        take_fd(&fd);
        evconnlistener_set_error_cb(p->listener, on_accept_error);
        return 0;
}

void peer_serve_stop(struct peer *p)
{
        for (struct peer_client *c = p->clients, *next; c; c = next) {
                next = c->next;
                client_free(c);
        }
        if (p->listener)
                evconnlistener_free(p->listener);
        timer_done(&p->rest);
}
