/* The hands of core/warm.h: what Docker could not start at boot is started by `hamon stack start`,
 * one at a time, on whatever node; and Docker itself is restarted, if it keeps a port for nobody,
 * by a standby that is no use without. Nothing of this is for what a person stopped. */
#include "hamon/lead_warm.h"

#include "hamon/core/warm.h"
#include "hamon/runner.h"
#include "hamon/stack_json.h"
#include "lib/log.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
        DEED_MS = 60000,
        RESTART_MS = 180000, /* it ends its containers first */
};

struct lead_warm {
        bool engine;
        struct runner *deed;
        struct warm plan;
        char service[64]; /* the last one tried; "" = none since all was well */
        char mark[LEAD_PATH +
                  32]; /* that Docker was restarted: outlives the daemon, not the boot */
};

/* ---- the deeds ---- */

static void tell(struct lead *l, const char *what, const struct runner_end *e)
{
        char text[256];

        stack_json_message(e->text, strlen(e->text), text, sizeof text);
        lead_tell(l, &(struct happening){ .kind = EVENT_START_AGAIN,
                                          .bad = e->code != 0,
                                          .from = what,
                                          .to = e->code == 0 ? "helped" : "failed",
                                          .detail = text,
                                          .took = loop_now(l->needs.loop) - e->began });
}

static void on_deed(void *arg, const struct runner_end *e)
{
        struct lead *l = arg;
        struct lead_warm *w = l->warm;
        const char *what = w->plan.restarting ? "docker" : w->service;

        if (warm_ended(&w->plan, e->code == 0, strstr(e->text, "already allocated"),
                       loop_now(l->needs.loop)))
                tell(l, what, e);
}

static void run(struct lead *l, const char *const *argv, msec_t deadline)
{
        struct lead_warm *w = l->warm;
        int r = w->engine ? runner_start(w->deed, argv, deadline) : -ENOEXEC;

        if (r == 0)
                return;
        warm_ended(&w->plan, false, false, loop_now(l->needs.loop));
        if (r != -ENOEXEC)
                log_event(LOG_ERROR, "start_again", LS("what", argv[0]), LS("error", strerror(-r)));
}

static void start(struct lead *l, const struct service *s)
{
        struct lead_warm *w = l->warm;
        const char *const argv[] = {
                "/proc/self/exe", "-c",       l->needs.file, "stack", "start",  "--set", "warm",
                "--only",         w->service, "--timeout",   "50s",   "--json", NULL
        };

        str_copy(w->service, sizeof w->service, s->name);
        run(l, argv, DEED_MS);
}

static void restart_docker(struct lead *l)
{
        static const char *const argv[] = { "/usr/bin/systemctl", "restart", "docker.service",
                                            NULL };
        int fd = open(l->warm->mark, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

        if (fd >= 0)
                close(fd);
        log_event(LOG_WARN, "start_again", LS("what", "docker"),
                  LS("msg", "Docker keeps a port of a container that is gone: it is restarted"));
        run(l, argv, RESTART_MS);
}

void lead_warm_tick(struct lead *l)
{
        struct lead_warm *w = l->warm;
        const struct service *left = node_left_stopped(l->needs.node, w->service);
        struct warm_view view = {
                .left = left,
                .busy = runner_busy(w->deed),
                .maintenance = lead_in_maintenance(l),
                .allowed = l->needs.config->docker.restart,
                .standby = l->ha.state == ST_STANDBY || l->ha.state == ST_HALTED,
                .lease = l->ha.lease.held,
                .mounted = l->mounted,
                .candidate = node_candidate(l->needs.node) == FIT,
        };

        switch (warm_step(&w->plan, &view, loop_now(l->needs.loop))) {
        case WARM_START:
                start(l, left);
                break;
        case WARM_RESTART:
                restart_docker(l);
                break;
        case WARM_REST:
                if (!left && !view.busy)
                        w->service[0] = '\0';
                break;
        }
}

const char *lead_warm_trying(const struct lead *l)
{
        return l->warm->service;
}

int lead_warm_start(struct lead *l)
{
        struct lead_warm *w = calloc(1, sizeof *w);

        l->warm = w;
        if (!w)
                return -ENOMEM;
        snprintf(w->mark, sizeof w->mark, "%s/docker-restarted", l->dir);
        w->plan.restarted = access(w->mark, F_OK) == 0;
        w->engine = runner_is_engine();
        return runner_new(l->needs.loop, on_deed, l, &w->deed);
}

void lead_warm_free(struct lead *l)
{
        if (!l->warm)
                return;
        runner_free(l->warm->deed);
        free(l->warm);
        l->warm = NULL;
}
