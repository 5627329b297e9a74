/* Docker starts what has a restart policy once at boot: a container that could not be started then
 * stays stopped for ever, whatever the policy says. It happens after a power cut, and a fence is
 * one. With the database's container a standby would be none, and nobody would see it before the
 * next fail-over. So this part tries again, one at a time, on whatever node.
 *
 * A node whose power is cut while its Docker starts is worse off: what Docker had noted of its
 * endpoints is half gone, it keeps their ports for nobody, and says of them "port is already
 * allocated" (not "address already in use", which is another program's) until it is restarted
 * itself: moby issue 20486, and seen so on the rig. So a standby that is no use without does that,
 * once in a boot: should another container really have the port, it would not help.
 *
 * Nothing of this is for what a person stopped, nor happens while this node is in maintenance. */
#include "hamon/lead_warm.h"

#include "hamon/runner.h"
#include "hamon/stack_json.h"
#include "lib/log.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
        FIRST_MS = 3000, /* what is started at boot beside it may still be what it collides with */
        AGAIN_MS = 20000,
        DEED_MS = 60000,
        RESTART_MS = 180000, /* it ends its containers first */
};

struct lead_warm {
        bool engine;
        struct runner *deed;
        bool restarting;  /* the deed is Docker's restart */
        bool stuck;       /* Docker keeps a port for nobody */
        char service[64]; /* the last one tried; "" = none since all was well */
        msec_t next_at;   /* 0 = nothing was left stopped */
        bool told;        /* a failure, since all was well */
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

static void on_restarted(struct lead *l, const struct runner_end *e)
{
        struct lead_warm *w = l->warm;

        w->restarting = w->stuck = false;
        w->next_at = 0; /* Docker starts them all, and has the time to */
        tell(l, "docker", e);
}

static void on_deed(void *arg, const struct runner_end *e)
{
        struct lead *l = arg;
        struct lead_warm *w = l->warm;
        bool helped = e->code == 0;

        if (w->restarting) {
                on_restarted(l, e);
                return;
        }
        w->next_at = loop_now(l->needs.loop) + (helped ? 0 : AGAIN_MS);
        w->stuck = !helped && strstr(e->text, "already allocated");
        if (helped || !w->told)
                tell(l, w->service, e);
        w->told = !helped; /* it is tried for as long as it takes, and told once */
}

static void run(struct lead *l, const char *const *argv, msec_t deadline)
{
        struct lead_warm *w = l->warm;
        int r = w->engine ? runner_start(w->deed, argv, deadline) : -ENOEXEC;

        w->next_at = loop_now(l->needs.loop) + AGAIN_MS;
        if (r < 0 && r != -ENOEXEC)
                log_event(LOG_ERROR, "start_again", LS("what", argv[0]), LS("error", strerror(-r)));
}

static void try(struct lead *l, const struct service *s)
{
        struct lead_warm *w = l->warm;
        const char *const argv[] = {
                "/proc/self/exe", "-c",       l->needs.file, "stack", "start",  "--set", "warm",
                "--only",         w->service, "--timeout",   "50s",   "--json", NULL
        };

        str_copy(w->service, sizeof w->service, s->name);
        run(l, argv, DEED_MS);
}

/* The mark outlives the daemon, not the boot. True: there was none, and now there is. */
static bool is_first_restart(const struct lead *l)
{
        char path[LEAD_PATH + 32];

        snprintf(path, sizeof path, "%s/docker-restarted", l->dir);
        int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        if (fd < 0)
                return false;
        close(fd);
        return true;
}

/* Nothing is lost: it serves nobody, and could not take over as it is. */
static bool may_restart(const struct lead *l)
{
        return l->needs.config->docker.restart && l->ha.state == ST_STANDBY && !l->ha.lease.held &&
               !l->mounted && node_candidate(l->needs.node) != FIT;
}

static void restart_docker(struct lead *l)
{
        static const char *const argv[] = { "/usr/bin/systemctl", "restart", "docker.service",
                                            NULL };
        struct lead_warm *w = l->warm;

        log_event(LOG_WARN, "start_again", LS("what", "docker"),
                  LS("msg", "Docker keeps a port of a container that is gone: it is restarted"));
        w->restarting = true;
        run(l, argv, RESTART_MS);
}

void lead_warm_tick(struct lead *l)
{
        struct lead_warm *w = l->warm;
        msec_t now = loop_now(l->needs.loop);
        const struct service *s;

        if (runner_busy(w->deed) || lead_in_maintenance(l))
                return;
        s = node_left_stopped(l->needs.node, w->service);
        if (!s) {
                w->service[0] = '\0';
                w->next_at = 0;
                w->told = w->stuck = false;
                return;
        }
        if (w->next_at == 0)
                w->next_at = now + FIRST_MS;
        else if (w->stuck && may_restart(l) && is_first_restart(l))
                restart_docker(l);
        else if (now >= w->next_at)
                try(l, s);
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
