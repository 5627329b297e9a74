/* One loop: the source brings a snapshot, the parts hear of it and report, requests are answered
 * from what is known. */
#include "hamon/web/web_main.h"

#include "hamon/web/parts.h"
#include "hamon/web/serve.h"
#include "hamon/web/source.h"
#include "lib/log.h"
#include "lib/sdnotify.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

struct web {
        struct loop loop;
        struct config config;
        struct source *source;
        struct parts *parts;
        struct serve *serve;
        struct event *signals[3];
        const char *file; /* hamon.conf */
        bool anew;        /* not the end: a new hamon.conf */
        struct timer watchdog;
        cJSON *extra;
};

static void snapshot(struct web *w, struct snap *ret)
{
        source_snap(w->source, ret);
        ret->extra = w->extra;
}

static void report(struct web *w)
{
        cJSON *extra = cJSON_CreateObject();

        if (!extra)
                return; /* the last one stays */
        parts_report(w->parts, extra);
        serve_report(w->serve, extra);
        cJSON_Delete(w->extra);
        w->extra = extra;
}

static void on_round(void *arg)
{
        struct web *w = arg;
        struct snap snap;

        snapshot(w, &snap);
        parts_snap(w->parts, &snap);
        report(w);
}

static void on_request(void *arg, const char *path, struct reply *r)
{
        struct web *w = arg;
        struct snap snap;

        snapshot(w, &snap);
        route_answer(
                &(struct view){ .snap = &snap, .config = &w->config, .now = loop_now(&w->loop) },
                path, r);
}

/* A new hamon.conf. All of it is made of that, so the process begins anew, in the same place; but
 * only if the file is good. */
static void reload(struct web *w)
{
        CLEANUP(buf_done) struct buf errors = BUF(64L * 1024);
        struct config fresh;

        if (config_load(w->file, &fresh, &errors, NULL) < 0) {
                log_event(LOG_ERROR, "reload", LS("error", buf_str(&errors)),
                          LS("msg", "the old configuration stays in force"));
                return;
        }
        config_free(&fresh);
        log_event(LOG_INFO, "reload", LS("file", w->file));
        w->anew = true;
        loop_stop(&w->loop);
}

static void begin_anew(const char *file)
{
        char engine[] = "hamond", flag[] = "-c", verb[] = "web";
        char *name = strdup(file), *argv[] = { engine, flag, name, verb, NULL };

        if (name)
                execv("/proc/self/exe", argv);
        fprintf(stderr, "web: cannot begin anew: %s\n", strerror(errno));
        free(name);
}

static void on_signal(evutil_socket_t sig, short what, void *arg)
{
        struct web *w = arg;

        (void)what;
        if (sig == SIGHUP) {
                reload(w);
                return;
        }
        log_event(LOG_INFO, "stop", LS("by", sig == SIGTERM ? "SIGTERM" : "SIGINT"));
        loop_stop(&w->loop);
}

static void on_watchdog(void *arg)
{
        struct web *w = arg;

        timer_set(&w->watchdog, sd_watchdog_interval());
        sd_notify_send("WATCHDOG=1");
}

static int start_signals(struct web *w)
{
        static const int SIGNALS[] = { SIGTERM, SIGINT, SIGHUP };

        signal(SIGPIPE, SIG_IGN);
        for (size_t i = 0; i < ARRAY_SIZE(SIGNALS); i++) {
                w->signals[i] = evsignal_new(w->loop.base, SIGNALS[i], on_signal, w);
                if (!w->signals[i] || event_add(w->signals[i], NULL) < 0)
                        return -ENOMEM;
        }
        return 0;
}

static int start(struct web *w)
{
        const struct part_needs needs = { .loop = &w->loop, .config = &w->config };
        int r;

        if ((r = loop_init(&w->loop)) < 0 || (r = start_signals(w)) < 0 ||
            (r = timer_init(&w->watchdog, &w->loop, on_watchdog, w)) < 0 ||
            (r = parts_new(&needs, &w->parts)) < 0 ||
            (r = source_new(&w->loop, &w->config, on_round, w, &w->source)) < 0)
                return r;
        if ((r = serve_new(&w->loop, &w->config, on_request, w, &w->serve)) < 0)
                return r;
        report(w); /* who asks at once finds all of it, if empty */
        return 0;
}

static void stop(struct web *w)
{
        serve_free(w->serve);
        source_free(w->source);
        parts_free(w->parts);
        timer_done(&w->watchdog);
        for (size_t i = 0; i < ARRAY_SIZE(w->signals); i++)
                if (w->signals[i])
                        event_free(w->signals[i]);
        loop_done(&w->loop);
        cJSON_Delete(w->extra);
        config_free(&w->config);
}

int web_main(const char *file)
{
        CLEANUP(buf_done) struct buf errors = BUF(64L * 1024);
        struct web w = { .file = file };
        int code = EX_OSERR;

        log_init(STDERR_FILENO, LOG_INFO);
        if (config_load(file, &w.config, &errors, NULL) < 0) {
                fputs(buf_str(&errors), stderr);
                log_done();
                return EX_CONFIG;
        }
        log_set_level((enum log_level)w.config.log.level);
        log_set_node(w.config.node.name);
        int r = start(&w);
        if (r == 0) {
                log_event(LOG_INFO, "start", LS("version", MHA_VERSION));
                sd_notify_send("READY=1");
                if (sd_watchdog_interval() > 0)
                        timer_set(&w.watchdog, 0);
                code = loop_run(&w.loop) < 0 ? EX_OSERR : EX_OK;
        } else if (r == -EINVAL) {
                code = EX_CONFIG;
        }
        stop(&w);
        log_done();
        if (w.anew) {
                begin_anew(file);
                return EX_OSERR;
        }
        return code;
}
