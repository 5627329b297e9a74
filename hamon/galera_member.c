/* The parts that the verbs of `hamon galera` are made of. */
#include "hamon/galera_member.h"

#include "hamon/galera.h"
#include "hamon/mailcow.h"
#include "hamon/stack_sets.h"
#include "lib/secret.h"
#include "lib/sql.h"
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

enum {
        ASK_MS = 3000,
        STOP_MS = 60000, /* InnoDB may have much to write */
        WAITING_STOP_MS = 2000,
        LOOK_EVERY = 250,
        OBEY_MS = 60000, /* until galera-start has taken an order away */
        SAY_MS = 15000,
        LEFT_MS = 10000,
};

/* ---- what it says ---- */

struct asking {
        struct loop *loop;
        struct galera_facts *into;
};

static void on_facts(void *arg, const struct galera_facts *f)
{
        struct asking *a = arg;

        *a->into = *f;
        loop_stop(a->loop);
}

static void ask_as(struct step *s, const char *user, const char *password, struct galera_facts *ret)
{
        const struct galera_config gc = { .socket = s->config.galera.socket,
                                          .host = s->config.galera.host,
                                          .port = (unsigned)s->config.galera.port,
                                          .user = user,
                                          .password = password,
                                          .timeout = ASK_MS };
        struct asking a = { &s->loop, ret };
        struct galera *g = NULL;

        *ret = (struct galera_facts){ .reach = DB_ERROR, .conf_id = -1, .last_committed = -1 };
        if (step_loop(s) < 0 || galera_new(&s->loop, &gc, on_facts, &a, &g) < 0)
                return;
        galera_poll(g);
        loop_run(&s->loop);
        galera_free(g);
}

/* Mailcow's own database user and root are there before hamon's is. */
void member_ask(struct step *s, struct galera_facts *ret)
{
        CLEANUP(secret_wipe) char *password = NULL;
        CLEANUP(secret_wipe) char *root = NULL;
        CLEANUP(buf_done) struct buf error = BUF(1024);

        if (secret_read(s->config.galera.password_file, &password, &error) == 0)
                ask_as(s, s->config.galera.user, password, ret);
        else
                ret->reach = DB_AUTH;
        if (ret->reach == DB_AUTH && mailcow_root_password(s->config.mailcow.dir, &root) == 0 &&
            root)
                ask_as(s, "root", root, ret);
        step_pulse(s);
}

struct saying {
        struct step *step;
        int r;
};

static void on_said(void *arg, const struct sql_answer *a)
{
        struct saying *y = arg;

        y->r = a->end == SQL_DONE ? 0 : -EIO;
        if (y->r < 0)
                step_note(y->step, "the database says: %s",
                          a->text && *a->text ? a->text : "nothing, in time");
        loop_stop(&y->step->loop);
}

int member_say(struct step *s, const char *statement)
{
        CLEANUP(secret_wipe) char *root = NULL;
        struct saying y = { s, -EIO };
        struct sql *sql = NULL;
        int r = mailcow_root_password(s->config.mailcow.dir, &root);

        if (r < 0)
                return r;
        const struct sql_config sc = { .socket = s->config.galera.socket,
                                       .host = s->config.galera.host,
                                       .port = (unsigned)s->config.galera.port,
                                       .user = "root",
                                       .password = root,
                                       .connect = ASK_MS,
                                       .answer = SAY_MS };
        r = step_loop(s);
        if (r == 0)
                r = sql_new(&s->loop, &sc, on_said, NULL, &y, &sql);
        if (r < 0)
                return r;
        s->loop.stop = false;
        sql_send(sql, statement, strlen(statement));
        if (sql_busy(sql))
                loop_run(&s->loop);
        sql_free(sql);
        return y.r;
}

/* ---- its container ---- */

struct moving {
        struct step *step;
        enum stack_result result;
        bool runs;
        char text[512];
};

static void on_moved(void *arg, const struct stack_outcome *o)
{
        struct moving *m = arg;

        m->result = o->result;
        for (size_t i = 0; o->plan && i < o->plan->n; i++) {
                const struct stack_member *v = &o->plan->v[i];
                if (strcmp(v->service, MEMBER_SERVICE) == 0)
                        m->runs = stack_is_up(v->state);
        }
        str_copy(m->text, sizeof m->text, o->text);
        loop_stop(&m->step->loop);
}

/* 0: it came to an end, which is in `m`. */
static int operate(struct step *s, enum stack_goal goal, struct moving *m)
{
        struct stack_request rq = { .goal = goal,
                                    .set = SET_WARM,
                                    .only = MEMBER_SERVICE,
                                    .deadline = step_left(s, ASK_MS * 20),
                                    .arg = m,
                                    .done = on_moved };
        struct stack *stack = NULL;

        int r = step_loop(s);
        if (r == 0)
                r = stack_sets_new(&s->loop, &s->config, &stack);
        if (r == 0)
                r = stack_begin(stack, &rq);
        if (r == 0)
                r = loop_run(&s->loop);
        stack_free(stack);
        step_pulse(s);
        return r;
}

static int move(struct step *s, enum stack_goal goal)
{
        struct moving m = { .step = s, .result = STACK_FAILED };
        int r = operate(s, goal, &m);

        if (r < 0)
                return step_end_error(s, r, MEMBER_SERVICE);
        if (m.result == STACK_DONE)
                return 0;
        return step_end(s, m.result == STACK_TEMPORARY ? STEP_TEMPORARY : STEP_FAILED, "%s",
                        m.text);
}

bool member_runs(struct step *s)
{
        struct moving m = { .step = s, .result = STACK_FAILED };

        return operate(s, STACK_LOOK, &m) < 0 || m.result != STACK_DONE || m.runs;
}

int member_stop(struct step *s)
{
        s->config.stack.stop_timeout = STOP_MS;
        return move(s, STACK_STOP);
}

int member_stop_waiting(struct step *s)
{
        s->config.stack.stop_timeout = WAITING_STOP_MS;
        return move(s, STACK_STOP);
}

int member_start(struct step *s)
{
        return move(s, STACK_START);
}

/* ---- waiting for it ---- */

static void tell_change(const struct step *s, const struct galera_facts *f, char *last, size_t size)
{
        char now[160];

        if (f->reach != DB_OK)
                str_copy(now, sizeof now, "it does not answer yet: it starts, or fetches its data");
        else
                snprintf(now, sizeof now, "%s, %s, %u member%s", f->cluster_status,
                         f->state_comment, f->size, f->size == 1 ? "" : "s");
        if (strcmp(now, last) != 0)
                step_note(s, "%s", now);
        str_copy(last, size, now);
}

/* An order that nobody takes away was given to a container that does not run galera-start. */
static bool order_went_well(struct step *s, msec_t since)
{
        char outcome[256];

        galera_outcome(GALERA_SHARE, outcome, sizeof outcome);
        if (strncmp(outcome, "refused ", 8) == 0) {
                step_note(s, "galera-start did not obey: %s", outcome + 8);
                return false;
        }
        if (!galera_ordered(GALERA_SHARE) || clock_ms() - since < (msec_t)OBEY_MS)
                return true;
        galera_order_revoke(GALERA_SHARE);
        step_note(s,
                  "%s does not run galera-start, or does not have " GALERA_SHARE
                  ": its container was made without hamon's compose override. See hamon(8), GALERA",
                  MEMBER_SERVICE);
        return false;
}

/* A server that starts may answer a moment before it has looked for its group. */
static bool has_left_for_good(struct step *s, const struct galera_facts *f, msec_t *since)
{
        if (!galera_has_left(f))
                *since = 0;
        else if (*since == 0)
                *since = clock_ms();
        if (*since == 0 || clock_ms() - *since < (msec_t)LEFT_MS)
                return false;
        step_note(s, "it has left its group by itself; why, say the docker logs of " MEMBER_SERVICE
                     ". This again starts it anew");
        return true;
}

bool member_await(struct step *s, struct galera_facts *ret)
{
        msec_t since = clock_ms(), left_since = 0;
        char last[160] = "";

        for (;;) {
                member_ask(s, ret);
                if (member_is_synced(ret))
                        return true;
                tell_change(s, ret, last, sizeof last);
                if (!order_went_well(s, since) || has_left_for_good(s, ret, &left_since))
                        return false;
                if (clock_ms() >= s->deadline) {
                        step_note(s, "it was waited for long enough; it goes on by itself: hamon "
                                     "galera status, docker logs of " MEMBER_SERVICE);
                        return false;
                }
                poll(NULL, 0, LOOK_EVERY);
                step_pulse(s);
        }
}
