/* The steps on the stack: each is one operation or two of the adapter, under a loop of its own.
 *
 * To start the active set the lease must be fresh once, and valid for each start: a start whose
 * turn comes after the lease's end, by our clock that counts while we are frozen, asks again. */
#include "hamon/cmd_stack.h"

#include "hamon/cmd_stack_door.h"
#include "hamon/cmd_stack_rehearse.h"
#include "hamon/cmd_stack_schema.h"
#include "hamon/cmd_stack_show.h"
#include "hamon/stack_reload.h"
#include "hamon/step.h"
#include "hamon/volume_mnt.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

enum {
        START_MS = 90000,
        STOP_MS = 120000, /* for lock and lists; the stop itself has stop_timeout */
        DRAIN_MS = 120000,
        RESTART_MS = 30000,
        RESTART_STOP_MS = 2000, /* until it is killed */
        MARGIN_MS = 100,
        PULSE_MS = 200,
        LISTEN_LOOK_MS = 50,
        REST_WAITS_MS = 1500,
        LISTEN_MS = 10000, /* from the container's start; postfix needs a second, rspamd longer */
};

struct went { /* how an operation went */
        bool over;
        enum stack_result result;
        unsigned changed;
        char text[STACK_TEXT_SIZE * 2];
        struct stack_plan plan;
};

struct act {
        struct step *step;
        struct stack *stack;
        enum stack_part part;
        struct timer pulse;
        struct went *into;
        struct went deed, look;
        msec_t listen_end; /* who takes mail has been started and is waited for until then; 0: no */
};

/* ---- one operation ---- */

/* Whoever reads mail needs more than whoever brings it: their door stays closed. */
static void let_mail_in(struct act *a)
{
        a->listen_end = 0;
        door_close(a->step, DOOR_LOGIN);
        step_note(a->step, "new mail is taken");
}

static void on_pulse(void *arg)
{
        struct act *a = arg;

        step_pulse(a->step);
        if (a->listen_end > 0 && door_all_listen(a->step, &a->look.plan))
                let_mail_in(a);
        timer_set(&a->pulse, a->listen_end > 0 ? LISTEN_LOOK_MS : PULSE_MS);
}

static void on_done(void *arg, const struct stack_outcome *o)
{
        struct act *a = arg;
        struct went *w = a->into;

        w->over = true;
        w->result = o->result;
        w->changed = o->changed;
        str_copy(w->text, sizeof w->text, o->text);
        w->plan = *o->plan;
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

static void operate(struct act *a, struct stack_request rq, struct went *into)
{
        struct step *s = a->step;

        rq.arg = a;
        rq.done = on_done;
        rq.deadline = step_left(s, s->timeout);
        into->over = false;
        into->plan.n = 0;
        a->into = into;
        timer_set(&a->pulse, LISTEN_LOOK_MS);
        int r = stack_begin(a->stack, &rq);
        if (r == 0)
                r = loop_run(&s->loop);
        timer_clear(&a->pulse);
        if (into->over)
                return;
        into->result = STACK_FAILED;
        str_copy(into->text, sizeof into->text, strerror(r < 0 ? -r : EIO));
}

/* ---- how it ends ---- */

static bool is_concerned(const struct stack_member *m, void *unused)
{
        (void)unused;
        return m->turn != TURN_NONE;
}

static int end(struct act *a, const struct went *w, const char *text)
{
        static const enum step_result RESULTS[] = { [STACK_DONE] = STEP_DONE,
                                                    [STACK_TEMPORARY] = STEP_TEMPORARY,
                                                    [STACK_FAILED] = STEP_FAILED };
        struct step *s = a->step;
        enum step_result result = RESULTS[w->result];

        if (s->json)
                stack_show_json(s->json, &w->plan, is_concerned, NULL);
        if (result == STEP_DONE && w->changed == 0)
                result = STEP_ALREADY;
        return step_end(s, result, "%s", text);
}

/* What hamon.conf names must have a container, or it can neither run nor be watched. */
static void add_missing(struct act *a, struct buf *text)
{
        CLEANUP(buf_done) struct buf need = BUF(4096), want = BUF(4096);
        const struct config *c = &a->step->config;
        enum set set = a->step->warm ? SET_WARM : SET_ACTIVE;

        if (a->deed.plan.goal != STACK_START)
                return; /* a list that failed says nothing of who is missing */
        stack_sets_missing(c, &a->deed.plan, set, false, &need);
        stack_sets_missing(c, &a->deed.plan, set, true, &want);
        if (want.len > 0)
                buf_addf(text, "; (optional) no container: %s", buf_str(&want));
        if (need.len == 0)
                return;
        a->deed.result = STACK_FAILED;
        buf_addf(text, "; " STACK_NO_CONTAINER, buf_str(&need));
}

/* ---- the steps ---- */

/* 0, or an exit code. */
static int part_of(struct step *s, enum stack_part *ret)
{
        enum stack_part part = PART_ALL;

        while (s->part && part < PART_COUNT_ && !str_eq(s->part, STACK_PARTS[part]))
                part++;
        if (part == PART_COUNT_) {
                step_end(s, STEP_FAILED, "--part wants all, mail, early or rest: %s", s->part);
                return EX_USAGE;
        }
        *ret = part;
        return 0;
}

static int with_stack(struct step *s, enum stack_part part, int (*run)(struct act *a))
{
        struct act *a = calloc(1, sizeof *a);
        if (!a)
                return step_end_error(s, -ENOMEM, "the stack");

        a->step = s;
        a->part = part;
        int r = step_loop(s);
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

/* Whose port senders knock at; NULL: it does not run. */
static const struct stack_member *look_for_first(struct act *a)
{
        operate(a, (struct stack_request){ .goal = STACK_LOOK }, &a->look);
        for (size_t i = 0; i < a->look.plan.n; i++)
                if (a->look.plan.v[i].first && a->look.plan.v[i].state == CTR_RUNNING)
                        return &a->look.plan.v[i];
        return NULL;
}

/* What taking mail needs is started first, and let in as soon as it listens. The rest would only
 * take the processors from it, and be ready no earlier for that; but nobody waits for long. */
static void start_mail(struct act *a, struct stack_request rq)
{
        struct step *s = a->step;

        rq.part = PART_MAIL;
        operate(a, rq, &a->deed);
        if (a->deed.result != STACK_DONE || a->deed.changed == 0)
                return;
        operate(a, (struct stack_request){ .goal = STACK_LOOK }, &a->look);
        if (a->look.result != STACK_DONE) /* nobody knows who listens: closed until the end */
                return;
        a->listen_end = clock_ms() + LISTEN_MS;
        door_await_listeners(s, &a->look.plan, clock_ms() + REST_WAITS_MS);
        if (door_all_listen(s, &a->look.plan))
                let_mail_in(a);
}

/* While they start, newcomers wait at a closed door rather than be refused. */
static void start_behind_door(struct act *a, struct stack_request rq)
{
        struct step *s = a->step;

        if (door_is_bare(s)) {
                door_close(s, DOOR_ALL);
                start_mail(a, rq);
                rq.so_far = a->deed.changed;
        }
        operate(a, rq, &a->deed);
        if (a->listen_end > 0)
                door_await_listeners(s, &a->look.plan, a->listen_end);
        door_open(s); /* also one that a drain has closed */
}

/* Is --only of the set that was asked for? Looked at before anything is started: of the active set
 * nothing is without the lease. 0, or an exit code. */
static int look_for_only(struct act *a, enum set set)
{
        struct step *s = a->step;
        const struct stack_member *m;

        operate(a, (struct stack_request){ .goal = STACK_LOOK }, &a->look);
        if (a->look.result != STACK_DONE && a->look.plan.n == 0)
                return end(a, &a->look, a->look.text);
        m = stack_plan_find(&a->look.plan, s->only);
        if (!m || m->set != set)
                return step_end(s, STEP_FAILED, "%s: no container of the %s set", s->only,
                                SETS[set]);
        return 0;
}

static int start_run(struct act *a)
{
        CLEANUP(buf_done) struct buf text = BUF(16384);
        struct step *s = a->step;
        struct stack_request rq = { .goal = STACK_START,
                                    .set = s->warm ? SET_WARM : SET_ACTIVE,
                                    .only = s->only,
                                    .without = s->without,
                                    .may = s->warm ? NULL : may_start };

        int r = s->only ? look_for_only(a, rq.set) : 0;
        if (r != 0)
                return r;
        rq.part = a->part;
        if (s->warm || s->only || a->part == PART_EARLY)
                operate(a, rq, &a->deed);
        else
                start_behind_door(a, rq);
        if (!s->warm && a->part == PART_ALL && a->deed.changed > 0)
                stack_schema_note(s);
        buf_adds(&text, s->refused ? s->why : a->deed.text);
        if (!s->refused && a->part == PART_ALL && !s->only)
                add_missing(a, &text);
        return end(a, &a->deed, buf_str(&text));
}

/* May what writes to the volume be started here? 0, or how it ended. */
static int may_write(struct step *s, enum stack_part part)
{
        const struct config *c = &s->config;
        struct volume_mnt m;

        if (!step_confirm(s, "This starts the services that write to the shared volume.") ||
            !step_may(s))
                return step_end_refused(s);
        if (part != PART_EARLY && c->volume.provider != CONFIG_NONE && *c->volume.mount &&
            (volume_mnt_look(c->volume.mount, &m) < 0 || m.count == 0))
                return step_end(s, STEP_FAILED, "the volume is not mounted on %s", c->volume.mount);
        return part == PART_EARLY ? 0 : stack_schema_check(s);
}

static int start(struct step *s)
{
        enum stack_part part;
        int r = part_of(s, &part);

        if (r == 0 && s->only && part != PART_ALL) {
                step_end(s, STEP_FAILED, "--only names one service; it wants no --part");
                return EX_USAGE;
        }
        if (r == 0 && !s->warm)
                r = may_write(s, part);
        return r != 0 ? r : with_stack(s, part, start_run);
}

/* One service of the active set that hangs: it gets little time to end by itself, for it will not.
 * Killed by the engine, by us, and then it is started anew. */
static int restart_run(struct act *a)
{
        struct step *s = a->step;
        const struct stack_member *m;

        int r = look_for_only(a, SET_ACTIVE);
        if (r != 0)
                return r;
        m = stack_plan_find(&a->look.plan, s->only);
        if (m->state != CTR_PAUSED) { /* which only needs to go on */
                operate(a, (struct stack_request){ .goal = STACK_STOP, .only = s->only }, &a->deed);
                if (a->deed.result != STACK_DONE)
                        return end(a, &a->deed, a->deed.text);
        }
        operate(a, (struct stack_request){ .goal = STACK_START, .only = s->only, .may = may_start },
                &a->deed);
        if (s->refused)
                return step_end_refused(s);
        return end(a, &a->deed, a->deed.result == STACK_DONE ? "it runs anew" : a->deed.text);
}

static int restart(struct step *s)
{
        if (!s->only) {
                step_end(s, STEP_FAILED, "want --only SERVICE");
                return EX_USAGE;
        }
        int r = may_write(s, PART_ALL);
        if (r != 0)
                return r;
        s->config.stack.stop_timeout = MIN(s->config.stack.stop_timeout, RESTART_STOP_MS);
        return with_stack(s, PART_ALL, restart_run);
}

static int rehearse_run(struct act *a)
{
        operate(a, (struct stack_request){ .goal = STACK_LOOK, .images = true }, &a->look);
        if (a->look.result != STACK_DONE && a->look.plan.n == 0)
                return end(a, &a->look, a->look.text);
        stack_rehearse(a->step, &a->look.plan);
        return EX_OK;
}

void stack_start_rehearse(struct step *s)
{
        with_stack(s, PART_ALL, rehearse_run);
}

static int stop_run(struct act *a)
{
        operate(a,
                (struct stack_request){ .goal = STACK_STOP,
                                        .set = a->step->warm ? SET_WARM : SET_ACTIVE,
                                        .part = a->part },
                &a->deed);
        return end(a, &a->deed, a->deed.text);
}

static int stop(struct step *s)
{
        enum stack_part part;
        int r = part_of(s, &part);

        return r != 0 ? r : with_stack(s, part, stop_run);
}

static int drain_run(struct act *a)
{
        struct step *s = a->step;
        const struct stack_member *first = look_for_first(a);
        char text[sizeof a->deed.text + 128];

        if (a->look.result != STACK_DONE && !first)
                return end(a, &a->look, a->look.text);
        door_close(s, DOOR_MAIL);
        if (!first)
                return end(a, &a->look, "nobody takes mail here");
        size_t left = first->pid > 0 ? door_await_quiet(s, first->pid) : 0;
        operate(a, (struct stack_request){ .goal = STACK_STOP, .only = first->service }, &a->deed);
        if (a->deed.result == STACK_DONE)
                snprintf(text, sizeof text, "no new mail is taken; %zu session%s had to be cut",
                         left, left == 1 ? "" : "s");
        else
                str_copy(text, sizeof text, a->deed.text);
        return end(a, &a->deed, text);
}

static int drain(struct step *s)
{
        return with_stack(s, PART_ALL, drain_run);
}

static int reload_run(struct act *a)
{
        const struct stack_member *first = look_for_first(a);
        char text[256];

        if (!first)
                return end(a, &a->look,
                           a->look.result == STACK_DONE ? "nobody takes mail here" : a->look.text);
        int r = first->pid > 0 ? stack_reload_postfix(first->pid) : -ESRCH;
        a->look.changed = 1;
        a->look.result = r == 0 ? STACK_DONE : r == -ESRCH ? STACK_TEMPORARY : STACK_FAILED;
        snprintf(text, sizeof text, "%s: %s", first->service,
                 r == 0        ? "its processes begin anew, each with its next session"
                 : r == -ESRCH ? "postfix does not run in it"
                               : strerror(-r));
        return end(a, &a->look, text);
}

static int reload(struct step *s)
{
        return with_stack(s, PART_ALL, reload_run);
}

static const struct step_verb VERBS[] = {
        { .name = "start",
          .flags = STEP_COMMON | STEP_REPAIR | STEP_SET | STEP_PART | STEP_WITHOUT | STEP_ONLY,
          .timeout = START_MS,
          .run = start },
        { .name = "stop",
          .flags = STEP_COMMON | STEP_SET | STEP_PART,
          .timeout = STOP_MS,
          .run = stop },
        { .name = "restart",
          .flags = STEP_COMMON | STEP_REPAIR | STEP_ONLY,
          .timeout = RESTART_MS,
          .run = restart },
        { .name = "drain", .flags = STEP_COMMON, .timeout = DRAIN_MS, .run = drain },
        { .name = "reload", .flags = STEP_COMMON, .timeout = RESTART_MS, .run = reload },
};

int stack_command(const char *file, int argc, char **argv)
{
        if (argc > 0 && strcmp(argv[0], "status") == 0)
                return stack_status(file, argc - 1, argv + 1);
        return step_main("stack", VERBS, ARRAY_SIZE(VERBS), file, argc, argv);
}
