/* One operation of a provider at a time, to its end, on a loop of our own. */
#include "hamon/providers.h"
#include "hamon/step.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

enum { TICK_MS = 200, LOOK_MS = 15000, CLOUD_WAIT = 60000 };

struct operation {
        struct step *step;
        struct step_seen *seen;
        struct timer tick;
};

static void on_tick(void *arg)
{
        struct operation *op = arg;

        step_pulse(op->step);
        timer_set(&op->tick, TICK_MS);
}

static void on_done(void *arg, const struct provider_outcome *o)
{
        struct operation *op = arg;

        *op->seen = (struct step_seen){ .result = o->result, .error = o->error, .seen = *o->seen };
        str_copy(op->seen->text, sizeof op->seen->text, o->text);
        loop_stop(&op->step->loop);
}

static bool may(void *arg)
{
        const struct operation *op = arg;

        return step_may(op->step);
}

int step_loop(struct step *s)
{
        s->loop.now_valid = false; /* it may have stood still for long */
        return s->loop.base ? 0 : loop_init(&s->loop);
}

int step_provider(struct step *s, enum config_provider which)
{
        CLEANUP(buf_done) struct buf error = BUF(16384);

        if (s->provider && s->provider_is == which)
                return 0;
        if (s->provider)
                s->provider->ops->free(take_ptr(s->provider));
        s->provider_is = which;
        int r = step_loop(s);
        if (r < 0)
                return step_end_error(s, r, "the loop");
        r = providers_new(&s->loop, &s->config, which, &s->provider, &error);
        if (r == 0)
                return 0;
        step_end(s, STEP_FAILED, "%s", buf_str(&error));
        return EX_CONFIG;
}

static void not_begun(struct step_seen *ret, int error, const char *what, const char *why)
{
        *ret = (struct step_seen){ .result =
                                           error == -EAGAIN ? PROVIDER_TEMPORARY : PROVIDER_FAILED,
                                   .error = error };
        snprintf(ret->text, sizeof ret->text, "%s: %s", what, why);
}

static bool only_looks(const struct step *s, provider_op op)
{
        const struct provider_ops *ops = s->provider->ops;

        return op == ops->server_get || op == ops->volume_get || op == ops->ip_get;
}

static int run(struct operation *op, provider_op what, struct provider_request *rq)
{
        struct step *s = op->step;
        int r = timer_init(&op->tick, &s->loop, on_tick, op);

        rq->arg = op;
        rq->may = may;
        rq->done = on_done;
        s->loop.now_valid = false; /* it has stood still since the last operation */
        if (r == 0)
                r = what(s->provider, rq, NULL);
        if (r == 0) {
                step_pulse(s);
                timer_set(&op->tick, TICK_MS);
                r = loop_run(&s->loop);
        }
        timer_done(&op->tick);
        return r;
}

void step_operate(struct step *s, provider_op op, struct provider_request rq, msec_t at_most,
                  struct step_seen *ret)
{
        struct operation o = { .step = s, .seen = ret };
        CLEANUP(closep) int cloud = -1;
        int r = 0;

        not_begun(ret, -EAGAIN, "the provider", "nothing came of it");
        if (s->rehearsal && !only_looks(s, op)) {
                not_begun(ret, -EPERM, "the provider", "a rehearsal changes nothing");
                return;
        }
        if (!only_looks(s, op)) {
                r = step_lock(s, "provider", step_left(s, CLOUD_WAIT), &cloud);
                if (r < 0) {
                        not_begun(ret, r, "another step asks the provider",
                                  r == -EAGAIN ? s->why : strerror(-r));
                        return;
                }
        }
        rq.deadline = step_left(s, MIN(at_most, only_looks(s, op) ? LOOK_MS : at_most));
        r = run(&o, op, &rq);
        if (r < 0)
                not_begun(ret, r, rq.id ? rq.id : "the server", strerror(-r));
}

int step_end_provider(struct step *s, const struct step_seen *o)
{
        static const enum step_result RESULTS[] = { [PROVIDER_DONE] = STEP_DONE,
                                                    [PROVIDER_ALREADY] = STEP_ALREADY,
                                                    [PROVIDER_TEMPORARY] = STEP_TEMPORARY,
                                                    [PROVIDER_FAILED] = STEP_FAILED };

        if (s->refused && o->error == -EPERM)
                return step_end_refused(s);
        return step_end(s, RESULTS[o->result], "%s", o->text);
}

void step_own_server(struct step *s, struct step_seen *ret)
{
        step_operate(s, s->provider->ops->server_get, (struct provider_request){ .id = NULL },
                     LOOK_MS, ret);
}
