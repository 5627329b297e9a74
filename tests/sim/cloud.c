/* The provider: requests take their time or get lost, become actions that run one at a time on the
 * volume, and may be slow, stuck or fail. A detach is a fence: what was mounted there is dead. */
#include "tests/sim/world.h"

bool cloud_answers(const struct world *w, const struct sim_node *n)
{
        return w->now >= w->api_down_until && !n->api_cut;
}

bool cloud_busy(const struct world *w)
{
        for (int i = 0; i < REQUESTS; i++) {
                const struct request *r = &w->requests[i];
                if (r->live && r->running && r->kind != REQUEST_POWEROFF)
                        return true;
        }
        return false;
}

/* `delay` < 0: it gets lost. */
void cloud_request(struct world *w, enum request_kind kind, int from, int server, msec_t delay)
{
        for (int i = 0; delay >= 0 && i < REQUESTS; i++) {
                if (w->requests[i].live)
                        continue;
                w->requests[i] = (struct request){ .live = true,
                                                   .kind = kind,
                                                   .from = from,
                                                   .server = server,
                                                   .at = w->now + delay };
                return;
        }
}

static bool refused(const struct world *w, const struct request *r)
{
        if (w->now < w->api_down_until)
                return true;
        switch (r->kind) {
        case REQUEST_ATTACH: /* locked, or attached already */
                return cloud_busy(w) || w->attached != NOBODY || w->nodes[r->server].no_attach;
        case REQUEST_DETACH:
                return cloud_busy(w) || w->attached == NOBODY;
        case REQUEST_POWEROFF:
                return false;
        }
        return true;
}

static msec_t duration(struct world *w)
{
        if (!w->calm && rng_chance(&w->rng, 2))
                return rng_between(&w->rng, 5000, 30000);
        if (w->now < w->api_slow_until)
                return rng_between(&w->rng, 2000, 10000);
        return rng_between(&w->rng, 150, 1500);
}

static void end(struct world *w, const struct request *r)
{
        if (!w->calm && rng_chance(&w->rng, 3))
                return; /* "unknown_error" */
        tell(w, r->server, "provider: %s for %s done",
             r->kind == REQUEST_ATTACH   ? "attach"
             : r->kind == REQUEST_DETACH ? "detach"
                                         : "poweroff",
             name_of(r->from));
        if (r->kind == REQUEST_ATTACH) {
                w->attached = r->server;
                return;
        }
        int victim = r->kind == REQUEST_DETACH ? w->attached : r->server;
        check_taken(w, victim, r->kind, r->from);
        if (r->kind == REQUEST_POWEROFF) {
                node_power_off(w, &w->nodes[victim], rng_between(&w->rng, 4000, 15000));
                return;
        }
        w->nodes[victim].live = false;
        w->attached = NOBODY;
}

void cloud_due(struct world *w)
{
        for (int i = 0; i < REQUESTS; i++) {
                struct request *r = &w->requests[i];
                if (!r->live || r->at > w->now)
                        continue;
                if (r->running) {
                        r->live = false;
                        end(w, r);
                } else if (refused(w, r)) {
                        r->live = false;
                } else if (r->kind == REQUEST_POWEROFF) { /* the command is waited for */
                        r->live = false;
                        end(w, r);
                } else {
                        r->at = w->now + duration(w);
                        r->running = true;
                }
        }
}
