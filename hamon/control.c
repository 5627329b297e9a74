/* A slow, silent or hostile client costs one of CONTROL_MAX_CLIENTS places for two seconds and
 * nothing else: everything is non-blocking, and an answer nobody reads dies with its deadline. Root
 * finds a place even when everybody else has taken all they may: its `hamon check` decides whether
 * this node stays master. */
#include "hamon/control.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static const struct request_row {
        const char *name;
        bool root_only;
        bool words; /* something may follow the name */
} REQUESTS[REQ_COUNT_] = {
        [REQ_CHECK] = { "check", false, false },
        [REQ_STATUS] = { "status", false, false },
        [REQ_STATUS_JSON] = { "status-json", false, false },
        [REQ_NOTIFY] = { "notify", true, true },
        [REQ_GALERA] = { "galera", false, true }, /* a hint to look, believed in nothing else */
        [REQ_LEASE] = { "lease", true, true },
        [REQ_EPOCH] = { "epoch", true, true },
        [REQ_SWITCHOVER] = { "switchover", true, true },
        [REQ_MAINTENANCE] = { "maintenance", true, true },
        [REQ_ACK] = { "ack", true, false },
        [REQ_TAKE] = { "take", true, false },
        [REQ_TAKEOVER] = { "takeover", true, true },
        [REQ_RELEASE] = { "release", true, false },
        [REQ_OPERATION] = { "operation", true, true },
        [REQ_RECOVER] = { "recover", true, true },
        [REQ_WHY] = { "why", false, false },
        [REQ_MAILCOW] = { "mailcow", true, false },
};

enum { CLIENT_MS = 2000, OTHERS_MAX = CONTROL_MAX_CLIENTS / 2 };

struct client {
        struct client *next;
        struct control *control;
        struct bufferevent *be;
        struct timer deadline; /* for all of it, however busily it trickles */
        bool root, answered;
};

struct control {
        struct loop *loop;
        struct evconnlistener *listener;
        control_fn fn;
        void *arg;
        struct client *clients;
        unsigned n_clients, n_others; /* others: not root */
        int lock_fd;
        char path[108];
};

int control_parse(const char *line, bool root, enum request *ret, const char **ret_words)
{
        size_t len = strcspn(line, " ");

        for (unsigned i = 0; i < REQ_COUNT_; i++) {
                const struct request_row *row = &REQUESTS[i];
                if (strlen(row->name) != len || strncmp(line, row->name, len) != 0)
                        continue;
                if (line[len] && !row->words)
                        return -EINVAL;
                if (row->root_only && !root)
                        return -EPERM;
                *ret = (enum request)i;
                *ret_words = line + len + (line[len] == ' ');
                return 0;
        }
        return -EINVAL;
}

static void client_free(struct client *cl)
{
        struct client **at = &cl->control->clients;

        while (*at != cl)
                at = &(*at)->next;
        *at = cl->next;
        cl->control->n_clients--;
        cl->control->n_others -= !cl->root;
        timer_done(&cl->deadline);
        bufferevent_free(cl->be);
        free(cl);
}

static void answer(struct client *cl, const char *line)
{
        struct control *c = cl->control;
        CLEANUP(buf_done) struct buf out = BUF(CONTROL_MAX_ANSWER);
        enum request req;
        const char *words;

        int r = control_parse(line, cl->root, &req, &words);
        if (r == -EPERM)
                buf_adds(&out, "error: only root may do this\n");
        else if (r < 0)
                buf_adds(&out, "error: unknown request\n");
        else
                c->fn(c->arg, req, words, &out);

        cl->answered = true;
        bufferevent_disable(cl->be, EV_READ);
        if (out.error || out.len == 0 || bufferevent_write(cl->be, out.data, out.len) < 0)
                client_free(cl);
}

static void on_read(struct bufferevent *be, void *arg)
{
        struct client *cl = arg;
        struct evbuffer *in = bufferevent_get_input(be);
        size_t len;

        char *line = evbuffer_readln(in, &len, EVBUFFER_EOL_LF);
        if (line) {
                if (memchr(line, '\0', len))
                        line[0] = '\0'; /* no request has a NUL */
                answer(cl, line);
                free(line);
        } else if (evbuffer_get_length(in) > CONTROL_MAX_LINE) {
                client_free(cl);
        }
}

static void on_written(struct bufferevent *be, void *arg)
{
        struct client *cl = arg;

        (void)be;
        if (cl->answered)
                client_free(cl);
}

static void on_event(struct bufferevent *be, short what, void *arg)
{
        (void)be;
        (void)what;
        client_free(arg); /* gone or broken */
}

static void on_deadline(void *arg)
{
        client_free(arg);
}

static bool is_root(int fd)
{
        struct ucred peer;
        socklen_t len = sizeof peer;

        return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && peer.uid == 0;
}

static struct client *client_new(struct control *c, int fd, bool root)
{
        struct client *cl = calloc(1, sizeof *cl);
        if (!cl)
                return NULL;

        *cl = (struct client){ .next = c->clients, .control = c, .root = root };
        if (timer_init(&cl->deadline, c->loop, on_deadline, cl) == 0)
                cl->be = bufferevent_socket_new(c->loop->base, fd, BEV_OPT_CLOSE_ON_FREE);
        if (!cl->be) {
                timer_done(&cl->deadline);
                free(cl);
                return NULL;
        }
        return cl;
}

static void on_accept(struct evconnlistener *lev, evutil_socket_t fd, struct sockaddr *sa, int len,
                      void *arg)
{
        struct control *c = arg;
        bool root = is_root(fd);
        struct client *cl = NULL;

        (void)lev;
        (void)sa;
        (void)len;
        if (c->n_clients < CONTROL_MAX_CLIENTS && (root || c->n_others < OTHERS_MAX))
                cl = client_new(c, fd, root);
        if (!cl) {
                close(fd);
                return;
        }
        c->clients = cl;
        c->n_clients++;
        c->n_others += !root;
        bufferevent_setcb(cl->be, on_read, on_written, on_event, cl);
        bufferevent_setwatermark(cl->be, EV_READ, 0, CONTROL_MAX_LINE + 1);
        bufferevent_enable(cl->be, EV_READ | EV_WRITE);
        timer_set(&cl->deadline, CLIENT_MS);
}

static int take_lock(struct control *c)
{
        char path[sizeof c->path + 8];

        snprintf(path, sizeof path, "%s.lock", c->path);
        c->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (c->lock_fd < 0)
                return -errno;
        if (flock(c->lock_fd, LOCK_EX | LOCK_NB) < 0)
                return errno == EWOULDBLOCK ? -EADDRINUSE : -errno;
        return 0;
}

static int listen_on(struct control *c)
{
        struct sockaddr_un sa = { .sun_family = AF_UNIX };
        struct stat st;

        if (!str_copy(sa.sun_path, sizeof sa.sun_path, c->path))
                return -ENAMETOOLONG;
        if (lstat(c->path, &st) == 0) { /* the lock says nobody listens there */
                if (!S_ISSOCK(st.st_mode))
                        return -EEXIST;
                unlink(c->path);
        }
        c->listener = evconnlistener_new_bind(c->loop->base, on_accept, c,
                                              LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 64,
                                              (struct sockaddr *)&sa, sizeof sa);
        if (!c->listener)
                return errno ? -errno : -ENOMEM;
        if (chmod(c->path, 0666) < 0)
                return -errno;
        return 0;
}

int control_new(struct loop *l, const char *path, control_fn fn, void *arg, struct control **ret)
{
        struct control *c = calloc(1, sizeof *c);
        if (!c)
                return -ENOMEM;

        *c = (struct control){ .loop = l, .fn = fn, .arg = arg, .lock_fd = -1 };
        int r = str_copy(c->path, sizeof c->path, path) ? make_parents(path) : -ENAMETOOLONG;
        if (r == 0)
                r = take_lock(c);
        if (r == 0)
                r = listen_on(c);
        if (r < 0) {
                control_free(c);
                return r;
        }
        *ret = c;
        return 0;
}

void control_free(struct control *c)
{
        if (!c)
                return;
        for (struct client *cl = c->clients, *next; cl; cl = next) {
                next = cl->next;
                client_free(cl);
        }
        if (c->listener) {
                evconnlistener_free(c->listener);
                unlink(c->path);
        }
        closep(&c->lock_fd); /* the lock file stays: removing it would race with a successor */
        free(c);
}
