/* One container's way through an operation.
 *   start: inspect (active set) -> restart policy to "no" if it is another -> start or unpause
 *   stop:  stop -> inspect (active set) -> restart policy to "no"
 * An active container that Docker restarts by itself would come up at boot, before the volume is
 * there, or on a node that does not lead: so its policy is set, and a failure of that counts. */
#include "hamon/stack_impl.h"

#include "hamon/stack_linger.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct step_row {
        const char *method, *path, *what;
} STEPS[STEP_COUNT_] = {
        [STEP_INSPECT] = { "GET", "json", "looking at it" },
        [STEP_IMAGE] = { "GET", "", "looking at its image" },
        [STEP_UPDATE] = { "POST", "update", "setting its restart policy" },
        [STEP_START] = { "POST", "start", "starting it" },
        [STEP_UNPAUSE] = { "POST", "unpause", "unpausing it" },
        [STEP_STOP] = { "POST", "stop", "stopping it" },
};

static struct stack_member *member(const struct stack_job *j)
{
        struct stack *s = j->stack;

        return &s->plan.v[j - s->jobs];
}

/* ---- ends ---- */

static void over(struct stack_job *j)
{
        http_cancel(take_ptr(j->kill));
        member(j)->turn = TURN_OVER;
        j->stack->busy--;
        stack_soon(j->stack);
}

void stack_job_fail(struct stack_job *j, bool temporary, const char *text)
{
        struct stack_member *m = member(j);

        m->failed = true;
        m->temporary = temporary;
        str_copy(m->error, sizeof m->error, text);
        over(j);
}

void stack_job_drop(struct stack_job *j)
{
        http_cancel(take_ptr(j->call));
        http_cancel(take_ptr(j->kill));
        timer_done(&j->again);
        timer_done(&j->linger);
}

bool stack_explain(const struct stack *s, const char *what, const struct http_result *r, char *dst,
                   size_t size)
{
        char said[STACK_TEXT_SIZE];

        if (r->error == -ENOENT || r->error == -ECONNREFUSED)
                snprintf(dst, size, "the Docker engine is not running (%s)", s->socket);
        else if (r->error == -ETIMEDOUT)
                snprintf(dst, size, "%s: the Docker engine does not answer in time", what);
        else if (r->error)
                snprintf(dst, size, "%s: %s", what, r->message);
        else if (*stack_json_message(r->body, r->len, said, sizeof said))
                snprintf(dst, size, "%s: %s", what, said);
        else
                snprintf(dst, size, "%s: the Docker engine answers with status %d", what,
                         r->status);
        return r->error || r->status == 404 || r->status == 409; /* gone, or being changed */
}

/* ---- requests ---- */

static void on_answer(void *arg, const struct http_result *r);

static int make_url(const struct stack_job *j, enum stack_step step, msec_t now, struct buf *out)
{
        const struct stack_member *m = member(j);
        msec_t grace = j->stack->stop_ends_at - now;

        if (step == STEP_IMAGE)
                return stack_json_image_url(m->image, out);
        buf_addf(out, "http://docker/containers/%s/%s", m->id, STEPS[step].path);
        if (step == STEP_STOP)
                buf_addf(out, "?t=%lld", grace > 1000 ? (long long)(grace + 999) / 1000 : 1LL);
        return out->error;
}

static void ask(struct stack_job *j, enum stack_step step)
{
        CLEANUP(buf_done) struct buf url = BUF(512);
        struct stack *s = j->stack;
        msec_t now = loop_now(s->loop), left = MAX(s->ends_at - now, (msec_t)1);
        const char *const json[] = { "Content-Type: application/json", NULL };
        /* the deadline of all ends it; its own is only for the case that there is none */
        bool looks = step == STEP_INSPECT || step == STEP_IMAGE;
        bool quick = looks || step == STEP_UPDATE;
        struct http_request rq = { .method = STEPS[step].method,
                                   .unix_socket = s->socket,
                                   .connect_timeout = s->timeout,
                                   .timeout = quick ? MIN(s->timeout, left) : left + STACK_QUICK,
                                   .once = !looks,
                                   .arg = j,
                                   .on_done = on_answer };
        if (step == STEP_UPDATE) {
                rq.headers = json;
                rq.body = "{\"RestartPolicy\":{\"Name\":\"no\"}}";
        }
        j->step = step;
        int r = make_url(j, step, now, &url);
        rq.url = buf_str(&url);
        if (r == 0)
                r = http_start(s->http, &rq, &j->call);
        if (r < 0) {
                j->call = NULL;
                stack_job_fail(j, true, strerror(-r));
        }
}

static bool is_ours_to_start(const struct stack_member *m)
{
        return m->set == SET_ACTIVE || m->rival;
}

static void bring_up(struct stack_job *j)
{
        struct stack *s = j->stack;
        struct stack_member *m = member(j);

        switch (m->state) {
        case CTR_RUNNING:
        case CTR_RESTARTING: /* it is on its way: verified at the end */
                over(j);
                return;
        case CTR_DEAD:
        case CTR_REMOVING:
        case CTR_MISSING:
                stack_job_fail(j, false,
                               "its container is dead; create it again (docker compose up "
                               "--no-start)");
                return;
        default:
                break;
        }
        if (s->refused || (s->rq.may && !s->rq.may(s->rq.arg))) {
                s->refused = true;
                stack_job_fail(j, false, "not started: this node may not do so any more");
                return;
        }
        ask(j, m->state == CTR_PAUSED ? STEP_UNPAUSE : STEP_START);
}

/* It was told to end: does it only wait? Should nobody be able to tell, it has its time. */
static void on_linger(void *arg)
{
        struct stack_job *j = arg;
        struct stack_member *m = member(j);

        if (m->turn != TURN_BUSY || j->step != STEP_STOP || !j->call)
                return;
        j->idle = stack_linger_look(m->pid) == 0 ? j->idle + 1 : 0;
        if (j->idle >= STACK_IDLE)
                stack_job_kill(j->stack, (size_t)(j - j->stack->jobs));
        else
                timer_set(&j->linger, STACK_LINGER);
}

static void bring_down(struct stack_job *j)
{
        j->look_first = false;
        j->idle = 0;
        ask(j, STEP_STOP);
        if (member(j)->pid > 0 && j->call &&
            (j->linger.ev || timer_init(&j->linger, j->stack->loop, on_linger, j) == 0))
                timer_set(&j->linger, STACK_LINGER);
}

/* What comes after the container has been looked at. */
static void looked(struct stack_job *j)
{
        struct stack_member *m = member(j);

        if (j->look_first) {
                bring_down(j);
                return;
        }
        if (j->stack->rq.images && m->image_is == IMAGE_UNKNOWN && *m->image)
                ask(j, STEP_IMAGE);
        else if (j->stack->plan.goal != STACK_LOOK && strcmp(m->policy, "no") != 0)
                ask(j, STEP_UPDATE);
        else if (j->stack->plan.goal == STACK_LOOK || m->stop)
                over(j);
        else
                bring_up(j);
}

static void start_again(void *arg)
{
        struct stack_job *j = arg;

        bring_up(j);
}

/* A port of a container that ended just now may still be taken, its network may still be going. */
static bool try_again(struct stack_job *j)
{
        if (j->step != STEP_START || j->again_used)
                return false;
        if (!j->again.ev && timer_init(&j->again, j->stack->loop, start_again, j) < 0)
                return false;
        j->again_used = true;
        timer_set(&j->again, STACK_AGAIN);
        return true;
}

static void done_one(struct stack_job *j, const struct http_result *r)
{
        struct stack_member *m = member(j);

        switch (j->step) {
        case STEP_INSPECT:
                if (stack_json_detail(r->body, r->len, m) < 0 && !j->look_first)
                        stack_job_fail(j, true, "looking at it: the answer makes no sense");
                else
                        looked(j);
                break;
        case STEP_IMAGE:
                stack_json_image(r->body, r->len, m); /* else it stays unknown */
                over(j);
                break;
        case STEP_UPDATE:
                str_copy(m->policy, sizeof m->policy, "no");
                looked(j);
                break;
        case STEP_START:
        case STEP_UNPAUSE:
                m->changed = r->status == 204;
                j->stack->changed += m->changed;
                over(j);
                break;
        case STEP_STOP:
                m->changed = r->status == 204;
                j->stack->changed += m->changed;
                m->state = CTR_EXITED;
                http_cancel(take_ptr(j->kill));
                if (is_ours_to_start(m))
                        ask(j, STEP_INSPECT);
                else
                        over(j);
                break;
        case STEP_COUNT_:
                break;
        }
}

static void on_answer(void *arg, const struct http_result *r)
{
        struct stack_job *j = arg;
        char text[STACK_TEXT_SIZE];

        j->call = NULL;
        if (!r->error && (r->status / 100 == 2 || r->status == 304)) {
                done_one(j, r);
                return;
        }
        if (j->step == STEP_IMAGE) { /* a help, not a condition */
                member(j)->image_is = !r->error && r->status == 404 ? IMAGE_GONE : IMAGE_UNKNOWN;
                over(j);
                return;
        }
        if (!r->error && r->status == 404 && member(j)->stop) {
                over(j); /* gone altogether */
                return;
        }
        if (!r->error && try_again(j))
                return;
        if (j->look_first) { /* it is stopped all the same */
                bring_down(j);
                return;
        }
        bool temporary = stack_explain(j->stack, STEPS[j->step].what, r, text, sizeof text);
        stack_job_fail(j, temporary, text);
}

void stack_job_begin(struct stack *s, size_t i)
{
        struct stack_job *j = &s->jobs[i];
        struct stack_member *m = &s->plan.v[i];

        j->stack = s;
        bool down = s->plan.goal != STACK_LOOK && m->stop && stack_is_up(m->state);
        bool look = s->plan.goal == STACK_LOOK || (down ? m->slow : is_ours_to_start(m));
        j->again_used = false;
        j->look_first = down && look;
        s->busy++;
        if (look)
                ask(j, STEP_INSPECT);
        else if (down)
                ask(j, STEP_STOP);
        else if (m->stop)
                over(j);
        else
                bring_up(j);
}

static void on_killed(void *arg, const struct http_result *r)
{
        struct stack_job *j = arg;

        (void)r; /* the stop that waits for its end tells how it went */
        j->kill = NULL;
}

void stack_job_kill(struct stack *s, size_t i)
{
        struct stack_job *j = &s->jobs[i];
        char url[160];

        if (s->plan.v[i].turn != TURN_BUSY || j->step != STEP_STOP || !j->call || j->kill)
                return;
        snprintf(url, sizeof url, "http://docker/containers/%s/kill?signal=KILL", s->plan.v[i].id);
        const struct http_request rq = { .method = "POST",
                                         .url = url,
                                         .unix_socket = s->socket,
                                         .connect_timeout = s->timeout,
                                         .timeout = s->kill_wait,
                                         .once = true,
                                         .arg = j,
                                         .on_done = on_killed };
        if (http_start(s->http, &rq, &j->kill) < 0)
                j->kill = NULL;
}
