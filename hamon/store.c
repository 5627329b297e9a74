/* Who is asked: our own member over a kept connection, then the peers, each over a fresh one. A
 * statement goes on to the next member only while it is certain that it has not been carried out.
 * Whoever let a deadline pass is asked last for a while: a member that hangs (SST donor, stopped)
 * costs one renewal, not every one. */
#include "hamon/store.h"

#include "hamon/store_sql.h"
#include "lib/sql.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct member {
        struct sql *sql;
        msec_t avoid_until; /* 0 = not avoided */
        bool tried;         /* by the statement under way */
};

struct store {
        struct loop *loop;
        char database[LEASE_NAME], lease[LEASE_NAME], me[LEASE_NAME];
        uint64_t incarnation;
        msec_t avoid;

        struct member members[STORE_MEMBERS];
        size_t n_members;

        store_fn fn; /* NULL = idle */
        void *arg;
        enum lease_op op;
        struct buf query;
        size_t now_at; /* the member that is asked */
        unsigned error;
        char text[256];
        struct timer start; /* answers come from the loop, never from within store_send() */
};

/* The last act of a statement: nothing of s may be touched after fn, which may free it. */
static void finish(struct store *s, enum lease_answer answer, const struct lease_row *row)
{
        store_fn fn = s->fn;
        struct store_answer a = {
                .answer = answer, .member = s->now_at, .error = s->error, .text = s->text
        };

        if (row)
                a.row = *row;
        if (s->now_at > 0)
                sql_close(s->members[s->now_at].sql);
        s->fn = NULL;
        fn(s->arg, &a);
}

/* ---- whom to ask ---- */

/* In order of the list, those to avoid last, whoever may be tried again soonest first. */
static struct member *next_member(struct store *s, msec_t now)
{
        struct member *best = NULL;

        for (size_t i = 0; i < s->n_members; i++) {
                struct member *m = &s->members[i];
                if (m->avoid_until <= now)
                        m->avoid_until = 0;
                if (!m->tried && (!best || m->avoid_until < best->avoid_until))
                        best = m;
        }
        return best;
}

static void send_to(struct store *s, struct member *m)
{
        m->tried = true;
        s->now_at = (size_t)(m - s->members);
        sql_send(m->sql, buf_str(&s->query), s->query.len);
}

static void go_on(struct store *s)
{
        struct member *m = next_member(s, loop_now(s->loop));

        if (m)
                send_to(s, m);
        else
                finish(s, ANSWER_REFUSED, NULL);
}

/* ---- answers ---- */

static void done(struct store *s, const struct sql_answer *a)
{
        struct lease_row row;

        if (s->op != OP_READ) {
                finish(s, a->changed > 0 ? ANSWER_DONE : ANSWER_NONE, NULL);
                return;
        }
        const char *const *values = sql_row(a);
        if (!values) {
                finish(s, ANSWER_NONE, NULL);
        } else if (store_sql_row(values, a->columns, &row) < 0) {
                str_copy(s->text, sizeof s->text, "the row is not of hamon's shape");
                finish(s, ANSWER_UNKNOWN, NULL);
        } else {
                finish(s, ANSWER_DONE, &row);
        }
}

static void not_done(struct store *s, struct member *m, const struct sql_answer *a)
{
        enum store_fate fate = store_sql_fate(s->op, a->sent, a->error);

        if (a->end == SQL_OVERDUE && a->sent)
                fate = FATE_UNKNOWN; /* a read, too: its time is over */
        if (a->end == SQL_OVERDUE || fate == FATE_UNKNOWN)
                m->avoid_until = loop_now(s->loop) + s->avoid;
        if (fate == FATE_UNKNOWN) {
                finish(s, ANSWER_UNKNOWN, NULL);
        } else if (fate == FATE_REFUSED) {
                finish(s, ANSWER_REFUSED, NULL);
        } else if (a->kept && !sql_connected(m->sql)) {
                send_to(s, m); /* only the old connection had ended */
        } else {
                sql_close(m->sql);
                go_on(s);
        }
}

static void on_answer(void *arg, const struct sql_answer *a)
{
        struct store *s = arg;
        struct member *m = &s->members[s->now_at];

        if (a->end == SQL_DONE) {
                m->avoid_until = 0;
                done(s, a);
                return;
        }
        s->error = a->error;
        str_copy(s->text, sizeof s->text, a->text);
        not_done(s, m, a);
}

static void on_start(void *arg)
{
        go_on(arg);
}

/* ---- the interface ---- */

static int add_member(struct store *s, const struct store_config *c, const struct store_member *m)
{
        struct sql_config sc = { .socket = m->socket,
                                 .host = m->host,
                                 .port = m->port,
                                 .user = c->user,
                                 .password = c->password,
                                 .begin = STORE_BEGIN,
                                 .connect = c->connect,
                                 .answer = c->answer };

        return sql_new(s->loop, &sc, on_answer, NULL, s, &s->members[s->n_members++].sql);
}

static int fill(struct store *s, const struct store_config *c)
{
        str_copy(s->database, sizeof s->database, c->database);
        str_copy(s->lease, sizeof s->lease, c->lease);
        str_copy(s->me, sizeof s->me, c->me);
        s->incarnation = c->incarnation;
        s->avoid = c->avoid;
        buf_init(&s->query, 1024);
        int r = timer_init(&s->start, s->loop, on_start, s);
        for (size_t i = 0; r == 0 && i < c->n_members; i++)
                r = add_member(s, c, &c->members[i]);
        return r;
}

int store_new(struct loop *l, const struct store_config *c, struct store **ret)
{
        if (c->n_members < 1 || c->n_members > STORE_MEMBERS || !store_name_valid(c->database) ||
            !store_name_valid(c->lease) || !store_name_valid(c->me) || c->avoid < 0)
                return -EINVAL;

        struct store *s = calloc(1, sizeof *s);
        if (!s)
                return -ENOMEM;
        s->loop = l;

        int r = fill(s, c);
        if (r < 0) {
                store_free(s);
                return r;
        }
        *ret = s;
        return 0;
}

void store_free(struct store *s)
{
        if (!s)
                return;

        for (size_t i = 0; i < s->n_members; i++)
                sql_free(s->members[i].sql);
        timer_done(&s->start);
        buf_done(&s->query);
        free(s);
}

int store_send(struct store *s, const struct lease_statement *st, store_fn fn, void *arg)
{
        struct store_names n = { .database = s->database,
                                 .lease = s->lease,
                                 .me = s->me,
                                 .incarnation = s->incarnation };

        if (s->fn)
                return -EBUSY;
        buf_reset(&s->query);
        int r = store_sql_statement(&s->query, &n, st);
        if (r < 0)
                return r;
        for (size_t i = 0; i < s->n_members; i++)
                s->members[i].tried = false;
        s->op = st->op;
        s->fn = fn;
        s->arg = arg;
        s->error = 0;
        s->text[0] = '\0';
        s->now_at = 0;
        timer_set(&s->start, 0);
        return 0;
}
