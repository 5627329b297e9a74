/* The loop only accepts, starts children and counts their time: what reads disks or talks to others
 * is a child, and hangs alone. */
#include "hamon/sync/sync_main.h"

#include "hamon/sync/crew.h"
#include "hamon/sync/dial.h"
#include "hamon/sync/pull.h"
#include "hamon/sync/serve.h"
#include "lib/address.h"
#include "lib/log.h"
#include "lib/sdnotify.h"
#include <errno.h>
#include <event2/listener.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

enum { SERVERS = 8, SERVE_MS = 120000, PULL_MS = 120000, REST_MS = 200, BACKLOG = 16 };

struct sync {
        struct loop loop;
        struct config config;
        struct evconnlistener *listener;
        struct timer round, rest, watchdog;
        struct event *signals[3];
        struct crew crew;
};

/* ---- children ---- */

static int serve_child(void *arg, int fd)
{
        struct sync *s = arg;

        return serve(&s->config, fd, clock_ms() + SERVE_MS);
}

static enum log_level level_of(const struct sync_state *old, const struct sync_state *now, int r)
{
        if (old->reason == now->reason)
                return LOG_DEBUG;
        return r < 0 ? LOG_WARN : LOG_INFO;
}

/* Once for each change of how it stands, and for each thing that was changed. */
static void tell(const struct sync_state *old, const struct pull_report *p, int r)
{
        const struct sync_state *s = &p->state;

        log_event(level_of(old, s, r), "sync", LS("reason", SYNC_REASONS[s->reason].name),
                  LS("leader", s->leader), LI("epoch", s->epoch), LI("items", s->items),
                  LS("digest", s->digest), LS("msg", s->text));
        if (p->changed > 0)
                log_event(LOG_INFO, "sync_changed", LS("leader", s->leader), LI("n", p->changed));
        if (p->keys.len > 0)
                log_event(LOG_WARN, "sync_conf", LS("keys", buf_str(&p->keys)),
                          LS("msg", "containers that are there keep the old values until they are "
                                    "made anew (docker compose up --no-start)"));
}

static int pull_child(void *arg, int fd)
{
        struct sync *s = arg;
        CLEANUP(buf_done) struct buf error = BUF(8192);
        struct sync_state old = { .reason = SYNC_NONE };
        struct pull_report report;

        (void)fd;
        pull_report_init(&report);
        sync_state_read(s->config.sync.state, &old);
        int r = pull(&s->config, &(struct pull_wish){ .deadline = clock_ms() + PULL_MS }, &report,
                     &error);
        if (r == -EBUSY)
                log_event(LOG_DEBUG, "sync", LS("error", buf_str(&error)));
        else
                tell(&old, &report, r);
        pull_report_done(&report);
        return r;
}

/* ---- the loop ---- */

static bool is_known(const struct config *c, const struct sockaddr *sa)
{
        for (size_t i = 0; i < c->cluster.nodes.n; i++) {
                union address a;
                if (address_parse(config_cluster_node(c, i).address, 0, &a) == 0 &&
                    address_same_host(&a, sa))
                        return true;
        }
        return false;
}

static void on_accept(struct evconnlistener *lev, evutil_socket_t fd, struct sockaddr *sa, int len,
                      void *arg)
{
        struct sync *s = arg;

        (void)lev;
        (void)len;
        if (is_known(&s->config, sa))
                crew_start(&s->crew, CREW_SERVE, serve_child, s, fd, SERVE_MS + REST_MS);
        close(fd);
}

static void on_accept_error(struct evconnlistener *lev, void *arg)
{
        struct sync *s = arg;

        evconnlistener_disable(lev);
        timer_set(&s->rest, REST_MS);
}

static void on_rested(void *arg)
{
        struct sync *s = arg;

        evconnlistener_enable(s->listener);
}

static void on_round(void *arg)
{
        struct sync *s = arg;

        timer_set(&s->round, s->config.sync.interval);
        crew_start(&s->crew, CREW_PULL, pull_child, s, -1, PULL_MS + REST_MS);
}

static void on_watchdog(void *arg)
{
        struct sync *s = arg;

        timer_set(&s->watchdog, sd_watchdog_interval());
        sd_notify_send("WATCHDOG=1");
}

static void on_signal(evutil_socket_t sig, short what, void *arg)
{
        struct sync *s = arg;

        (void)what;
        if (sig == SIGCHLD) {
                crew_reap(&s->crew);
                return;
        }
        log_event(LOG_INFO, "stop", LS("by", sig == SIGTERM ? "SIGTERM" : "SIGINT"));
        loop_stop(&s->loop);
}

/* ---- building up ---- */

static int start_listener(struct sync *s)
{
        CLEANUP(closep) int fd = -1;
        char address[64] = "";
        union address a;
        unsigned port = 0;

        int r = dial_own(&s->config, address, sizeof address, &port);
        if (r == 0)
                r = address_parse(address, port, &a);
        if (r == 0)
                r = address_listen(&a, BACKLOG, &fd);
        if (r < 0) {
                log_event(LOG_ERROR, "sync_listen", LS("address", address), LI("port", port),
                          LS("error", strerror(-r)));
                return r;
        }
        s->listener = evconnlistener_new(s->loop.base, on_accept, s,
                                         LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
        if (!s->listener)
                return -ENOMEM;
        take_fd(&fd);
        evconnlistener_set_error_cb(s->listener, on_accept_error);
        return 0;
}

static int start(struct sync *s)
{
        static const int SIGNALS[] = { SIGTERM, SIGINT, SIGCHLD };
        int r = loop_init(&s->loop);

        signal(SIGPIPE, SIG_IGN);
        for (size_t i = 0; r == 0 && i < ARRAY_SIZE(SIGNALS); i++) {
                s->signals[i] = evsignal_new(s->loop.base, SIGNALS[i], on_signal, s);
                if (!s->signals[i] || event_add(s->signals[i], NULL) < 0)
                        r = -ENOMEM;
        }
        if (r < 0 || (r = timer_init(&s->round, &s->loop, on_round, s)) < 0 ||
            (r = timer_init(&s->rest, &s->loop, on_rested, s)) < 0 ||
            (r = timer_init(&s->watchdog, &s->loop, on_watchdog, s)) < 0 ||
            (r = crew_init(&s->crew, &s->loop, SERVERS, (enum log_level)s->config.log.level)) < 0)
                return r;
        return s->config.cluster.nodes.n > 0 ? start_listener(s) : 0;
}

static void stop(struct sync *s)
{
        crew_done(&s->crew);
        if (s->listener)
                evconnlistener_free(s->listener);
        timer_done(&s->round);
        timer_done(&s->rest);
        timer_done(&s->watchdog);
        for (size_t i = 0; i < ARRAY_SIZE(s->signals); i++)
                if (s->signals[i])
                        event_free(s->signals[i]);
        loop_done(&s->loop);
        config_free(&s->config);
}

static int run(struct sync *s)
{
        bool alone = s->config.cluster.nodes.n == 0;
        int r = start(s);

        if (r < 0)
                return EX_OSERR;
        log_event(LOG_INFO, "start", LS("version", MHA_VERSION),
                  LS("msg", alone ? "no [cluster] nodes: nothing to keep in step" : ""));
        sd_notify_send("READY=1");
        if (sd_watchdog_interval() > 0)
                timer_set(&s->watchdog, 0);
        if (!alone)
                timer_set(&s->round, 0);
        return loop_run(&s->loop) < 0 ? EX_OSERR : EX_OK;
}

int sync_main(const char *file)
{
        CLEANUP(buf_done) struct buf errors = BUF(64L * 1024);
        struct sync s = { .listener = NULL };

        log_init(STDERR_FILENO, LOG_INFO);
        if (config_load(file, &s.config, &errors, NULL) < 0) {
                fputs(buf_str(&errors), stderr);
                log_done();
                return EX_CONFIG;
        }
        log_set_level((enum log_level)s.config.log.level);
        log_set_node(s.config.node.name);
        int code = run(&s);
        stop(&s);
        log_done();
        return code;
}
