/* The workers. Each waits for the socket and an eventfd, so that the end wakes all of them, but a
 * connection wakes one (EPOLLEXCLUSIVE), the same while it keeps up: its memory is warm, that of
 * the others is not touched. The socket is non-blocking, so that whoever lost a race for a
 * connection goes back to waiting. Connections are closed after each request: one that is kept
 * would tie its thread to one nginx connection. */
#include "signup/server.h"

#include "lib/sdnotify.h"
#include "signup/note.h"
#include "signup/pages.h"

#include <errno.h>
#include <fcgiapp.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum { STACK = 512 * 1024, DRAIN_S = 30, PAUSE_MS = 100, ARENAS = 2, LARGE = 128 * 1024 };

struct server {
        struct site *site;
        int fd, stop;
};

struct worker {
        struct server *server;
        struct caller *caller;
        pthread_t thread;
        int epoll;
        char body[REQUEST_BODY];
};

static const char *param(void *arg, const char *name)
{
        return FCGX_GetParam(name, ((FCGX_Request *)arg)->envp);
}

static void read_body(struct worker *w, FCGX_Request *f, struct request *r)
{
        const char *text = param(f, "CONTENT_LENGTH");
        uint64_t len = 0;

        if (r->method != METHOD_POST || !text || !*text)
                return;
        if (parse_uint(text, 0, sizeof w->body, &len) < 0) {
                r->too_long = true;
                return;
        }
        int n = FCGX_GetStr(w->body, (int)len, f->in);
        if (n >= 0 && (uint64_t)n == len) { /* else it was cut off */
                r->body = w->body;
                r->body_len = len;
        }
}

static void answer(FCGX_Request *f, const struct request *req, struct reply *reply)
{
        CLEANUP(buf_done) struct buf head = BUF(16 * 1024);

        if (reply_head(reply, &head) < 0)
                return; /* nginx says 502 */
        FCGX_PutStr(head.data, (int)head.len, f->out);
        if (req->method != METHOD_HEAD && reply->body.len > 0)
                FCGX_PutStr(reply->body.data, (int)reply->body.len, f->out);
}

static void serve(struct worker *w, FCGX_Request *f)
{
        const struct config *c = w->server->site->config;
        struct request req = { .now = clock_ms(), .wall = (int64_t)time(NULL) };
        struct reply reply = REPLY;

        if (request_fill(&req, c->signup.base_path, &c->limit.trusted_proxies, param, f) < 0) {
                note(LOG_ERROR, "no_client_address",
                     LS("msg", "nginx must send REQUEST_URI and REMOTE_ADDR (fastcgi_params)"));
                reply.status = 500;
        } else {
                read_body(w, f, &req);
                page_serve(w->server->site, w->caller, &req, &reply);
        }
        answer(f, &req, &reply);
        reply_done(&reply);
        if (req.body_len > 0)
                explicit_bzero(w->body, req.body_len);
}

/* 1: a request; 0: none this time; <0: trouble that may pass (no descriptors, no memory). */
static int next_request(struct worker *w, FCGX_Request *f, bool *ret_stop)
{
        struct epoll_event e[2];

        int n = epoll_wait(w->epoll, e, ARRAY_SIZE(e), -1); /* the wait for work, and for the end */
        for (int i = 0; i < n; i++)
                *ret_stop = *ret_stop || e[i].data.fd == w->server->stop;
        if (n <= 0 || *ret_stop)
                return 0;
        int r = FCGX_Accept_r(f);
        if (r == 0)
                return 1;
        return r == -EAGAIN || r == -EINTR || r == -ECONNABORTED ? 0 : -1;
}

static void *work(void *arg)
{
        struct worker *w = arg;
        FCGX_Request f;
        bool stop = false;

        if (FCGX_InitRequest(&f, w->server->fd, FCGI_FAIL_ACCEPT_ON_INTR) != 0)
                return NULL;
        while (!stop) {
                int r = next_request(w, &f, &stop);
                if (r < 0)
                        poll(NULL, 0, PAUSE_MS);
                if (r <= 0)
                        continue;
                serve(w, &f);
                f.keepConnection = 0;
                FCGX_Finish_r(&f);
        }
        FCGX_Free(&f, 1);
        return NULL;
}

static int watch(int epoll, int fd, uint32_t events)
{
        struct epoll_event e = { .events = events, .data.fd = fd };

        return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e) < 0 ? -errno : 0;
}

static int start_worker(struct worker *w, const pthread_attr_t *attr)
{
        w->epoll = epoll_create1(EPOLL_CLOEXEC);
        int r = w->epoll < 0 ? -errno : watch(w->epoll, w->server->stop, EPOLLIN);

        if (r == 0)
                r = watch(w->epoll, w->server->fd, EPOLLIN | EPOLLEXCLUSIVE);
        if (r == 0)
                r = caller_new(&w->caller);
        if (r == 0)
                r = -pthread_create(&w->thread, attr, work, w);
        return r;
}

static void worker_done(struct worker *w)
{
        caller_free(w->caller);
        closep(&w->epoll);
}

static int start_workers(struct server *s, struct worker *w, size_t n, size_t *ret_started)
{
        pthread_attr_t attr;
        int r = -pthread_attr_init(&attr);

        if (r < 0)
                return r;
        for (size_t i = 0; i < n; i++) {
                w[i].server = s;
                w[i].epoll = -1;
        }
        pthread_attr_setstacksize(&attr, STACK);
        for (*ret_started = 0; *ret_started < n && r == 0;) {
                r = start_worker(&w[*ret_started], &attr);
                if (r == 0)
                        ++*ret_started;
        }
        pthread_attr_destroy(&attr);
        return r;
}

/* Who hangs on a peer that neither sends nor hangs up is left behind: the process ends. */
static bool join_workers(struct worker *w, size_t n)
{
        struct timespec end;

        clock_gettime(CLOCK_REALTIME, &end);
        end.tv_sec += DRAIN_S;
        for (size_t i = 0; i < n; i++)
                if (pthread_timedjoin_np(w[i].thread, NULL, &end) != 0)
                        return false;
        return true;
}

static void wait_for_end(sigset_t *signals)
{
        int sig = 0;

        sd_notify_send("READY=1");
        while (sigwait(signals, &sig) != 0 || (sig != SIGTERM && sig != SIGINT))
                continue;
        sd_notify_send("STOPPING=1");
        note(LOG_INFO, "stopping", LI("signal", sig));
}

static int run(struct server *s, struct worker *w, size_t n, sigset_t *signals)
{
        size_t started = 0;
        uint64_t one = 1;

        int r = start_workers(s, w, n, &started);
        if (r == 0) {
                note(LOG_INFO, "started", LS("listen", s->site->config->signup.listen),
                     LI("threads", n));
                wait_for_end(signals);
        }
        if (write(s->stop, &one, sizeof one) != (ssize_t)sizeof one || !join_workers(w, started)) {
                note(LOG_WARN, "drain_overdue", LI("seconds", DRAIN_S));
                _exit(r < 0 ? 1 : 0); /* their memory is still in use */
        }
        for (size_t i = 0; i < n; i++)
                worker_done(&w[i]);
        return r;
}

int server_run(struct site *s, int fd)
{
        size_t n = s->config->signup.threads;
        struct server server = { .site = s, .fd = fd, .stop = eventfd(0, EFD_CLOEXEC) };
        struct worker *w = calloc(n, sizeof *w);
        sigset_t signals;
        int r = -ENOMEM;

        /* Threads may share an arena, they are seldom in it; sounds go back where they came from.
         */
        mallopt(M_ARENA_MAX, ARENAS);
        mallopt(M_MMAP_THRESHOLD, LARGE);
        sigemptyset(&signals);
        sigaddset(&signals, SIGTERM);
        sigaddset(&signals, SIGINT);
        pthread_sigmask(SIG_BLOCK, &signals, NULL); /* from here on sigwait() hears of them */
        if (server.stop >= 0 && w && FCGX_Init() == 0) {
                signal(SIGPIPE, SIG_IGN); /* FCGX_Init() has put its own handlers there */
                signal(SIGUSR1, SIG_IGN);
                r = run(&server, w, n, &signals);
        }
        closep(&server.stop);
        free(w);
        return r;
}
