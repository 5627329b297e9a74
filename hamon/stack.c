/* The operation as a whole: list -> the containers' jobs -> list again -> one outcome. HTTP
 * callbacks only note what happened; on_step() runs from the loop right after them, begins what may
 * begin and ends what is over. So nothing is freed inside another one's callback.
 *
 * A stop has one time for all of it. For its first half the order holds; then everybody is told at
 * once, so that the last one in the order (redis, which has to save its data) still gets the other
 * half. When it is over the engine kills; when that does not help, we kill; and then we say so. */
#include "hamon/stack.h"

#include "hamon/stack_impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void stack_soon(struct stack *s)
{
        timer_set(&s->timer[STACK_STEP], 0);
}

/* ---- the end ---- */

static void drop(struct stack *s)
{
        http_cancel(take_ptr(s->list));
        for (size_t i = 0; i < STACK_MAX; i++)
                stack_job_drop(&s->jobs[i]);
        for (size_t i = 0; i < STACK_TIMERS; i++)
                timer_clear(&s->timer[i]);
        s->busy = 0;
        s->phase = PHASE_IDLE;
}

/* Does a failure of this one matter, or is it only noted? A writer that still runs always does. */
static bool matters(const struct stack *s, const struct stack_member *m)
{
        return s->rq.goal == STACK_STOP || !m->optional;
}

static void add_failures(struct stack *s, struct buf *b, bool that_matter)
{
        for (size_t i = 0; i < s->plan.n; i++) {
                const struct stack_member *m = &s->plan.v[i];
                if (!m->failed || matters(s, m) != that_matter)
                        continue;
                buf_addf(b, "%s%s%s: %s", b->len > 0 ? "; " : "", that_matter ? "" : "(optional) ",
                         m->service, m->error);
                if (that_matter && s->result != STACK_FAILED)
                        s->result = m->temporary ? STACK_TEMPORARY : STACK_FAILED;
        }
}

static void sum_up(struct stack *s)
{
        static const char *const DEEDS[] = {
                [STACK_LOOK] = "looked at", [STACK_START] = "started", [STACK_STOP] = "stopped"
        };
        CLEANUP(buf_done) struct buf b = BUF(sizeof(s->text));
        size_t concerned = 0;

        for (size_t i = 0; i < s->plan.n; i++)
                concerned += s->plan.v[i].turn != TURN_NONE;
        add_failures(s, &b, true);
        if (s->refused)
                s->result = STACK_FAILED;
        if (b.len == 0 && s->rq.goal != STACK_LOOK)
                buf_addf(&b, "%u of %zu had to be %s", s->changed, concerned, DEEDS[s->rq.goal]);
        add_failures(s, &b, false);
        str_copy(s->text, sizeof(s->text), buf_str(&b)); /* what did not fit is in the plan */
}

static void finish(struct stack *s)
{
        struct stack_request rq = s->rq;

        if (!*s->text)
                sum_up(s);
        drop(s);
        const struct stack_outcome o = {
                .result = s->result, .text = s->text, .plan = &s->plan, .changed = s->changed
        };
        rq.done(rq.arg, &o); /* s may be gone after this */
}

/* The operation as a whole cannot go on. */
static void give_up(struct stack *s, enum stack_result result, const char *text)
{
        s->result = result;
        str_copy(s->text, sizeof(s->text), text);
        s->phase = PHASE_END;
        stack_soon(s);
}

/* ---- lists ---- */

static void on_list(void *arg, const struct http_result *r);

static void ask_list(struct stack *s, enum stack_phase phase)
{
        const struct http_request rq = { .url = s->list_url,
                                         .unix_socket = s->socket,
                                         .max_body = STACK_BODY,
                                         .connect_timeout = s->timeout,
                                         .timeout = s->timeout,
                                         .arg = s,
                                         .on_done = on_list };

        s->phase = phase;
        int r = http_start(s->http, &rq, &s->list);
        if (r < 0) {
                s->list = NULL;
                give_up(s, STACK_TEMPORARY, strerror(-r));
        }
}

static void verify_one(struct stack *s, struct stack_member *m)
{
        const struct stack_member *now = NULL;

        for (size_t i = 0; i < s->seen.n; i++)
                if (strcmp(s->seen.v[i].id, m->id) == 0)
                        now = &s->seen.v[i];
        m->state = now ? now->state : CTR_MISSING;
        m->exit_code = now ? now->exit_code : 0;
        if (m->turn == TURN_NONE || m->failed || stack_plan_met(m))
                return;
        m->failed = true;
        m->temporary = true;
        if (m->stop)
                snprintf(m->error, sizeof m->error, "it was stopped and is %s again",
                         CTR_STATES[m->state]);
        else if (m->state == CTR_EXITED)
                snprintf(m->error, sizeof m->error, "it ended at once, with code %d", m->exit_code);
        else
                snprintf(m->error, sizeof m->error, "it was started and is %s",
                         CTR_STATES[m->state]);
}

static void let_be(struct stack_plan *p, const char *service)
{
        struct stack_member *m = stack_plan_find(p, service);

        if (m)
                m->turn = TURN_NONE;
}

static void on_list(void *arg, const struct http_result *r)
{
        struct stack *s = arg;
        char text[STACK_TEXT_SIZE];
        bool first = s->phase == PHASE_LIST;
        struct stack_plan *p = first ? &s->plan : &s->seen;

        s->list = NULL;
        if (r->error || r->status != 200) {
                stack_explain(s, "listing the containers", r, text, sizeof text);
                give_up(s, STACK_TEMPORARY, text);
                return;
        }
        int bad = stack_json_list(r->body, r->len, s->project, s->classify, s->classify_arg, p);
        if (bad < 0) {
                give_up(s, STACK_FAILED,
                        bad == -E2BIG ? "the project has more containers than hamon handles"
                                      : "listing the containers: the answer makes no sense");
                return;
        }
        if (first) {
                stack_plan_aim(p, s->rq.goal, s->rq.set, s->rq.part, s->rq.only);
                let_be(p, s->without);
                s->phase = PHASE_JOBS;
        } else {
                for (size_t i = 0; i < s->plan.n; i++)
                        verify_one(s, &s->plan.v[i]);
                s->phase = PHASE_END;
        }
        stack_soon(s);
}

/* ---- the steps ---- */

static void begin_jobs(struct stack *s)
{
        ssize_t i;

        while ((s->busy < STACK_AT_ONCE || s->plan.hurry) && (i = stack_plan_next(&s->plan)) >= 0)
                stack_job_begin(s, (size_t)i);
}

static void on_step(void *arg)
{
        struct stack *s = arg;

        if (s->phase == PHASE_JOBS) {
                begin_jobs(s);
                if (stack_plan_over(&s->plan)) {
                        if (s->rq.goal == STACK_LOOK)
                                s->phase = PHASE_END;
                        else
                                ask_list(s, PHASE_VERIFY);
                }
        }
        if (s->phase == PHASE_END)
                finish(s);
}

static void on_hurry(void *arg)
{
        struct stack *s = arg;

        s->plan.hurry = true;
        stack_soon(s);
}

static void on_kill(void *arg)
{
        struct stack *s = arg;

        for (size_t i = 0; i < s->plan.n; i++)
                stack_job_kill(s, i);
}

/* The deadline of all. Whoever is not through has failed. */
static void on_end(void *arg)
{
        struct stack *s = arg;

        if (s->phase == PHASE_LIST || s->phase == PHASE_VERIFY) {
                give_up(s, STACK_TEMPORARY, "the Docker engine does not answer in time");
                return;
        }
        for (size_t i = 0; i < s->plan.n; i++) {
                struct stack_member *m = &s->plan.v[i];
                if (m->turn != TURN_WAITING && m->turn != TURN_BUSY)
                        continue;
                m->turn = TURN_OVER;
                m->failed = m->temporary = true;
                snprintf(m->error, sizeof m->error, "not %s within the deadline",
                         s->rq.goal == STACK_LOOK ? "looked at"
                         : m->stop                ? "stopped"
                                                  : "started");
        }
        s->phase = PHASE_END;
        stack_soon(s);
}

/* ---- what the owner calls ---- */

static int init_timers(struct stack *s)
{
        static const timer_fn FNS[STACK_TIMERS] = { [STACK_STEP] = on_step,
                                                    [STACK_END] = on_end,
                                                    [STACK_HURRY] = on_hurry,
                                                    [STACK_KILL] = on_kill };

        for (size_t i = 0; i < STACK_TIMERS; i++)
                if (timer_init(&s->timer[i], s->loop, FNS[i], s) < 0)
                        return -ENOMEM;
        return 0;
}

static char *list_url(const char *project)
{
        CLEANUP(buf_done) struct buf url = BUF(4096);

        return stack_json_list_url(project, NULL, &url) < 0 ? NULL : strdup(buf_str(&url));
}

int stack_new(struct loop *l, const struct stack_config *c, struct stack **ret)
{
        struct stack *s = calloc(1, sizeof(*s));
        if (!s)
                return -ENOMEM;

        s->loop = l;
        s->timeout = c->timeout > 0 ? c->timeout : STACK_QUICK;
        s->stop_timeout = c->stop_timeout;
        s->kill_after = c->kill_after > 0 ? c->kill_after : STACK_KILL_AFTER;
        s->kill_wait = c->kill_wait > 0 ? c->kill_wait : STACK_KILL_WAIT;
        s->classify = c->classify;
        s->classify_arg = c->arg;
        s->socket = strdup(c->socket);
        s->project = strdup(c->project);
        s->list_url = list_url(c->project);
        int r = s->socket && s->project && s->list_url ? init_timers(s) : -ENOMEM;
        if (r == 0)
                r = http_new(l, &s->http);
        if (r < 0) {
                stack_free(s);
                return r;
        }
        *ret = s;
        return 0;
}

void stack_free(struct stack *s)
{
        if (!s)
                return;
        drop(s);
        for (size_t i = 0; i < STACK_TIMERS; i++)
                timer_done(&s->timer[i]);
        http_free(s->http);
        free(s->socket);
        free(s->project);
        free(s->list_url);
        free(s);
}

int stack_begin(struct stack *s, const struct stack_request *r)
{
        msec_t now = loop_now(s->loop);

        if (s->phase != PHASE_IDLE)
                return -EBUSY;
        s->rq = *r;
        if (!str_copy(s->only, sizeof s->only, r->only ? r->only : "") ||
            !str_copy(s->without, sizeof s->without, r->without ? r->without : ""))
                return -EINVAL;
        s->rq.only = r->only ? s->only : NULL;
        s->refused = false;
        s->changed = r->so_far;
        s->result = STACK_DONE;
        s->text[0] = '\0';
        s->plan.n = 0;

        msec_t whole = r->deadline > 0 ? r->deadline : STACK_DEADLINE;
        s->stop_ends_at = now + s->stop_timeout;
        if (r->goal == STACK_STOP) {
                whole = s->stop_timeout + s->kill_after + s->kill_wait;
                timer_set(&s->timer[STACK_HURRY], s->stop_timeout / 2);
                timer_set(&s->timer[STACK_KILL], s->stop_timeout + s->kill_after);
        }
        s->ends_at = now + whole;
        timer_set(&s->timer[STACK_END], whole);
        ask_list(s, PHASE_LIST);
        return 0;
}

bool stack_busy(const struct stack *s)
{
        return s->phase != PHASE_IDLE;
}

void stack_cancel(struct stack *s)
{
        drop(s);
}
