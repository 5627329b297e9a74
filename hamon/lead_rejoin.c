/* The hands of core/rejoin.h: `hamon galera join`, which starts the member anew. How that ends is
 * seen by the check of the database, for a full copy may take hours. */
#include "hamon/lead_rejoin.h"

#include "hamon/core/rejoin.h"
#include "hamon/lead_recover.h"
#include "hamon/runner.h"
#include "lib/log.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { DEED_MS = 120000 };

struct lead_rejoin {
        bool engine;
        struct runner *deed;
        struct rejoin plan;
        msec_t began;
};

static void tell(struct lead *l, const char *to)
{
        struct lead_rejoin *j = l->rejoin;
        const struct node *n = l->needs.node;
        bool begun = str_eq(to, "begun");

        lead_tell(l,
                  &(struct happening){ .kind = EVENT_REJOIN,
                                       .bad = !str_eq(to, "helped"),
                                       .from = "mysql-mailcow",
                                       .to = to,
                                       .reason = reason_name(n->galera.reason),
                                       .took = begun ? -1 : loop_now(l->needs.loop) - j->began });
}

static void begin(struct lead *l, msec_t now)
{
        struct lead_rejoin *j = l->rejoin;
        const char *const argv[] = { "/proc/self/exe", "-c",        l->needs.file, "galera",
                                     "join",           "--timeout", "90s",         NULL };

        j->began = now;
        tell(l, "begun");
        int r = j->engine ? runner_start(j->deed, argv, DEED_MS) : -ENOEXEC;
        if (r < 0 && r != -ENOEXEC)
                log_event(LOG_ERROR, "rejoin", LS("error", strerror(-r)));
}

/* It was not waited for to the end, or it was: what it says is for the log. */
static void on_deed(void *arg, const struct runner_end *e)
{
        (void)arg;
        log_event(LOG_INFO, "rejoin", LI("code", e->code), LS("msg", e->text));
}

void lead_rejoin_tick(struct lead *l)
{
        struct lead_rejoin *j = l->rejoin;
        msec_t now = loop_now(l->needs.loop);
        const struct check_state *galera = &l->needs.node->galera;
        const bool idle = l->ha.state == ST_STANDBY || l->ha.state == ST_HALTED;
        const struct rejoin_view view = {
                .left = galera_has_left(&l->needs.node->galera_facts),
                .well = galera->verdict == V_UP && !galera->bad,
                .others = lead_recover_others_up(l),
                .idle = idle && !l->ha.lease.held && !lead_in_maintenance(l),
                .busy = runner_busy(j->deed),
        };

        switch (rejoin_step(&j->plan, &view, now)) {
        case REJOIN_START:
                begin(l, now);
                break;
        case REJOIN_HELPED:
                tell(l, "helped");
                break;
        case REJOIN_FAILED:
                tell(l, "failed");
                break;
        case REJOIN_REST:
                break;
        }
}

bool lead_rejoining(const struct lead *l)
{
        return l->rejoin->plan.trying;
}

int lead_rejoin_start(struct lead *l)
{
        struct lead_rejoin *j = calloc(1, sizeof *j);

        l->rejoin = j;
        if (!j)
                return -ENOMEM;
        j->engine = runner_is_engine();
        return runner_new(l->needs.loop, on_deed, l, &j->deed);
}

void lead_rejoin_free(struct lead *l)
{
        if (!l->rejoin)
                return;
        runner_free(l->rejoin->deed);
        free(l->rejoin);
        l->rejoin = NULL;
}
