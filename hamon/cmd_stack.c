/* The steps on the stack: each is one operation or two of the adapter, under a loop of its own.
 *
 * To start the active set the lease must be fresh once, and valid for each start: a start whose
 * turn comes after the lease's end, by our clock that counts while we are frozen, asks again. */
#include "hamon/cmd_stack.h"

#include "hamon/cmd_stack_show.h"
#include "hamon/core/probes.h"
#include "hamon/stack_drain.h"
#include "hamon/step.h"
#include "hamon/volume_mnt.h"
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

enum {
        START_MS = 90000,
        STOP_MS = 120000, /* for lock and lists; the stop itself has stop_timeout */
        DRAIN_MS = 120000,
        NFT_MS = 5000,
        MARGIN_MS = 100,
        PULSE_MS = 200,
        LOOK_MS = 100,
        HOLD_MS = 60000, /* the door stays closed so much longer than all that may follow */
};

struct act {
        struct step *step;
        struct stack *stack;
        struct timer pulse;
        bool done;
        enum stack_result result;
        unsigned changed;
        char text[STACK_TEXT_SIZE * 2];
        struct stack_plan plan;
};

/* ---- one operation ---- */

static void on_pulse(void *arg)
{
        struct act *a = arg;

        step_pulse(a->step);
        timer_set(&a->pulse, PULSE_MS);
}

static void on_done(void *arg, const struct stack_outcome *o)
{
        struct act *a = arg;

        a->done = true;
        a->result = o->result;
        a->changed = o->changed;
        str_copy(a->text, sizeof a->text, o->text);
        a->plan = *o->plan;
        loop_stop(&a->step->loop);
}

static bool may_start(void *arg)
{
        struct act *a = arg;
        struct step *s = a->step;

        step_pulse(s);
        if (s->refused || (s->flags & STEP_NO_LEASE))
                return !s->refused;
        return clock_ms() + MARGIN_MS < s->valid_until || step_may(s);
}

static void operate(struct act *a, struct stack_request rq)
{
        struct step *s = a->step;
        int r = 0;

        rq.arg = a;
        rq.done = on_done;
        rq.deadline = step_left(s, rq.deadline > 0 ? rq.deadline : s->timeout);
        a->done = false;
        a->plan.n = 0;
        timer_set(&a->pulse, PULSE_MS);
        r = stack_begin(a->stack, &rq);
        if (r == 0)
                r = loop_run(&s->loop);
        timer_clear(&a->pulse);
        if (a->done)
                return;
        a->result = STACK_FAILED;
        str_copy(a->text, sizeof a->text, strerror(r < 0 ? -r : EIO));
}

/* ---- how it ends ---- */

static bool is_concerned(const struct stack_member *m, void *unused)
{
        (void)unused;
        return m->turn != TURN_NONE;
}

static int end(struct act *a, const char *text)
{
        static const enum step_result RESULTS[] = { [STACK_DONE] = STEP_DONE,
                                                    [STACK_TEMPORARY] = STEP_TEMPORARY,
                                                    [STACK_FAILED] = STEP_FAILED };
        struct step *s = a->step;
        enum step_result result = RESULTS[a->result];

        if (s->json)
                stack_show_json(s->json, &a->plan, is_concerned, NULL);
        if (result == STEP_DONE && a->changed == 0)
                result = STEP_ALREADY;
        return step_end(s, result, "%s", text);
}

/* What hamon.conf names must have a container, or it can neither run nor be watched. */
static void add_missing(struct act *a, struct buf *text)
{
        CLEANUP(buf_done) struct buf need = BUF(4096), want = BUF(4096);
        const struct config *c = &a->step->config;
        enum set set = a->step->warm ? SET_WARM : SET_ACTIVE;

        if (a->plan.goal != STACK_START)
                return; /* a list that failed says nothing of who is missing */
        stack_sets_missing(c, &a->plan, set, false, &need);
        stack_sets_missing(c, &a->plan, set, true, &want);
        if (want.len > 0)
                buf_addf(text, "; (optional) no container: %s", buf_str(&want));
        if (need.len == 0)
                return;
        a->result = STACK_FAILED;
        buf_addf(text,
                 "; no container: %s: create them (docker compose up --no-start), or name them in "
                 "stack.ignore",
                 buf_str(&need));
}

/* ---- the steps ---- */

static int with_stack(struct step *s, int (*run)(struct act *a))
{
        struct act *a = calloc(1, sizeof *a);
        if (!a)
                return step_end_error(s, -ENOMEM, "the stack");

        a->step = s;
        int r = loop_init(&s->loop);
        if (r == 0)
                r = timer_init(&a->pulse, &s->loop, on_pulse, a);
        if (r == 0)
                r = stack_sets_new(&s->loop, &s->config, &a->stack);
        int code = r < 0 ? step_end_error(s, r, "the stack") : run(a);
        stack_free(a->stack);
        timer_done(&a->pulse);
        free(a);
        return code;
}

static int start_run(struct act *a)
{
        CLEANUP(buf_done) struct buf text = BUF(16384);
        struct step *s = a->step;
        struct stack_request rq = { .goal = STACK_START,
                                    .set = s->warm ? SET_WARM : SET_ACTIVE,
                                    .may = s->warm ? NULL : may_start };

        operate(a, rq);
        buf_adds(&text, s->refused ? s->why : a->text);
        if (!s->refused)
                add_missing(a, &text);
        return end(a, buf_str(&text));
}

/* The door a drain has closed. It opens by itself in the end, so a failure is only told. */
static void open_door(struct step *s)
{
        CLEANUP(buf_done) struct buf error = BUF(4096);
        int r = stack_drain_open(step_left(s, NFT_MS), &error);

        if (r < 0 && r != -ENOENT)
                step_note(s, "new connections may still be dropped for a while: %s",
                          buf_str(&error));
}

static int start(struct step *s)
{
        const struct config *c = &s->config;
        struct volume_mnt m;

        if (s->warm)
                return with_stack(s, start_run);
        if (!step_confirm(s, "This starts the services that write to the shared volume.") ||
            !step_may(s))
                return step_end_refused(s);
        if (c->volume.provider != CONFIG_NONE && *c->volume.mount &&
            (volume_mnt_look(c->volume.mount, &m) < 0 || m.count == 0))
                return step_end(s, STEP_FAILED, "the volume is not mounted on %s", c->volume.mount);
        open_door(s);
        return with_stack(s, start_run);
}

static int stop_run(struct act *a)
{
        operate(a, (struct stack_request){ .goal = STACK_STOP,
                                           .set = a->step->warm ? SET_WARM : SET_ACTIVE });
        return end(a, a->text);
}

static int stop(struct step *s)
{
        return with_stack(s, stop_run);
}

/* ---- drain ---- */

static const struct {
        enum probe probe;
        unsigned inside; /* postfix's own port, in its container */
} DOORS[] = { { PROBE_SMTP, 25 }, { PROBE_SMTPS, 465 }, { PROBE_SUBMISSION, 587 } };

static void close_door(struct step *s)
{
        CLEANUP(buf_done) struct buf error = BUF(4096);
        const struct config *c = &s->config;
        unsigned ports[ARRAY_SIZE(DOORS)];
        char address[64];
        size_t n = 0;

        for (size_t i = 0; i < ARRAY_SIZE(DOORS); i++)
                if (config_probe_where(config_probe_value(c, DOORS[i].probe), c->probe.host,
                                       address, sizeof address, &ports[n]) == 0)
                        n++;
        msec_t hold = c->stack.drain_timeout + c->stack.stop_timeout + HOLD_MS;
        if (stack_drain_close(ports, n, hold, step_left(s, NFT_MS), &error) < 0)
                step_note(s, "senders will be refused until the switchover is over: %s",
                          buf_str(&error));
}

/* Wait until no session stands. Returns how many still do. */
static size_t wait_for_sessions(struct step *s, pid_t pid)
{
        unsigned ports[ARRAY_SIZE(DOORS)];
        msec_t end = MIN(clock_ms() + s->config.stack.drain_timeout, s->deadline);

        for (size_t i = 0; i < ARRAY_SIZE(DOORS); i++)
                ports[i] = DOORS[i].inside;
        for (;;) {
                ssize_t n = stack_drain_sessions(pid, ports, ARRAY_SIZE(ports));
                if (n == 0 || n == -ENOENT || n == -ESRCH) /* or its process is gone */
                        return 0;
                if (n < 0) {
                        step_note(s, "the sessions cannot be counted: %s", strerror((int)-n));
                        return 0;
                }
                if (clock_ms() >= end)
                        return (size_t)n;
                step_pulse(s);
                poll(NULL, 0, LOOK_MS);
        }
}

static int drain_run(struct act *a)
{
        struct step *s = a->step;
        char service[STACK_SERVICE_SIZE] = "", text[sizeof a->text + 128];
        pid_t pid = 0;

        operate(a, (struct stack_request){ .goal = STACK_LOOK });
        for (size_t i = 0; i < a->plan.n; i++)
                if (a->plan.v[i].first && a->plan.v[i].state == CTR_RUNNING) {
                        str_copy(service, sizeof service, a->plan.v[i].service);
                        pid = a->plan.v[i].pid;
                }
        if (a->result != STACK_DONE && !*service)
                return end(a, a->text);
        close_door(s);
        if (!*service) {
                a->result = STACK_DONE;
                return end(a, "nobody takes mail here");
        }
        size_t left = pid > 0 ? wait_for_sessions(s, pid) : 0;
        operate(a, (struct stack_request){ .goal = STACK_STOP, .only = service });
        if (a->result == STACK_DONE)
                snprintf(text, sizeof text, "no new mail is taken; %zu session%s had to be cut",
                         left, left == 1 ? "" : "s");
        else
                str_copy(text, sizeof text, a->text);
        return end(a, text);
}

static int drain(struct step *s)
{
        return with_stack(s, drain_run);
}

static const struct step_verb VERBS[] = {
        { .name = "start",
          .flags = STEP_COMMON | STEP_REPAIR | STEP_SET,
          .timeout = START_MS,
          .run = start },
        { .name = "stop", .flags = STEP_COMMON | STEP_SET, .timeout = STOP_MS, .run = stop },
        { .name = "drain", .flags = STEP_COMMON, .timeout = DRAIN_MS, .run = drain },
};

int stack_command(const char *file, int argc, char **argv)
{
        if (argc > 0 && strcmp(argv[0], "status") == 0)
                return stack_status(file, argc - 1, argv + 1);
        return step_main("stack", VERBS, ARRAY_SIZE(VERBS), file, argc, argv);
}
