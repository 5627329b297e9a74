/* The hands of core/outage.h: `hamon stack reload`. Postfix asks a database that failed it no
 * sooner than a minute later (mysql_table(5)), and says "Temporary lookup failure" until then to
 * everybody who brings mail. */
#include "hamon/lead_outage.h"

#include "hamon/core/outage.h"
#include "hamon/runner.h"
#include "hamon/stack_json.h"
#include "lib/log.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { DEED_MS = 15000 };

struct lead_outage {
        bool engine;
        struct runner *deed;
        struct outage plan;
};

static void on_deed(void *arg, const struct runner_end *e)
{
        struct lead *l = arg;
        bool helped = e->code == 0;
        char text[256];

        if (!outage_ended(&l->outage->plan, helped, loop_now(l->needs.loop)))
                return;
        stack_json_message(e->text, strlen(e->text), text, sizeof text);
        lead_tell(l, &(struct happening){ .kind = EVENT_RELOAD,
                                          .bad = !helped,
                                          .epoch = l->ha.lead_epoch,
                                          .from = "postfix-mailcow",
                                          .to = helped ? "done" : "failed",
                                          .detail = text,
                                          .took = loop_now(l->needs.loop) - e->began });
}

void lead_outage_tick(struct lead *l)
{
        struct lead_outage *o = l->outage;
        msec_t now = loop_now(l->needs.loop);
        const char *const argv[] = { "/proc/self/exe", "-c",  l->needs.file, "stack", "reload",
                                     "--timeout",      "10s", "--json",      NULL };

        if (!outage_step(&o->plan, l->ha.state == ST_MASTER, &l->needs.node->galera,
                         runner_busy(o->deed), now))
                return;
        int r = o->engine ? runner_start(o->deed, argv, DEED_MS) : -ENOEXEC;
        if (r == 0)
                return;
        outage_ended(&o->plan, false, now);
        if (r != -ENOEXEC)
                log_event(LOG_ERROR, "reload", LS("error", strerror(-r)));
}

int lead_outage_start(struct lead *l)
{
        struct lead_outage *o = calloc(1, sizeof *o);

        l->outage = o;
        if (!o)
                return -ENOMEM;
        o->engine = runner_is_engine();
        return runner_new(l->needs.loop, on_deed, l, &o->deed);
}

void lead_outage_free(struct lead *l)
{
        if (!l->outage)
                return;
        runner_free(l->outage->deed);
        free(l->outage);
        l->outage = NULL;
}
