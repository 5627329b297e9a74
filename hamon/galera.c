/* The local Galera member, asked by one statement on a kept-open connection (lib/sql.h). A server
 * that dies is asked again in that moment, not a second later: it may just have been restarted. */
#include "hamon/galera.h"
#include "hamon/galera_facts.h"

#include "lib/sql.h"
#include <errno.h>
#include <stdlib.h>

enum { ER_UNKNOWN_SYSTEM_VARIABLE_ = 1193 };

struct galera {
        galera_fn fn;
        void *arg;
        struct sql *sql;
        struct loop *loop;
        msec_t began;
        struct buf query;
        struct timer start; /* of the wanted poll: always from the loop */
        bool wanted;        /* idle, and a poll starts in the next turn */
        bool again;         /* asked while a poll was under way */
        bool pushed;        /* one poll was started by the end of the idle connection */
};

static void begin(struct galera *g)
{
        g->wanted = false;
        g->began = loop_now(g->loop);
        sql_send(g->sql, buf_str(&g->query), g->query.len);
}

static void want(struct galera *g)
{
        g->wanted = true;
        timer_set(&g->start, 0);
}

/* The last act of a poll: nothing of g may be touched after fn, which may free it. */
static void report(struct galera *g, const struct galera_facts *f)
{
        if (g->again) {
                g->again = false;
                want(g);
        }
        g->fn(g->arg, f);
}

/* ---- answers ---- */

static void failed(const struct sql_answer *a, struct galera_facts *ret)
{
        const char *text = a->error ? a->text : "the query gave no rows";

        galera_facts_error(galera_reach(a->error), a->error, text, ret);
        if (a->error == ER_UNKNOWN_SYSTEM_VARIABLE_)
                ret->reach = DB_OK; /* a server built without Galera: healthy, and not a member */
}

static void answered(struct galera *g, const struct sql_answer *a, struct galera_facts *ret)
{
        struct galera_rows rows;
        const char *const *row;

        galera_facts_begin(&rows);
        while ((row = sql_row(a)))
                if (a->columns == 2)
                        galera_facts_row(&rows, row[0], row[1]);
        if (galera_facts_end(&rows, ret) < 0) {
                galera_facts_error(DB_ERROR, 0, "the answer has no known row", ret);
                sql_close(g->sql);
        }
}

static void on_answer(void *arg, const struct sql_answer *a)
{
        struct galera *g = arg;
        struct galera_facts f;

        if (a->end == SQL_DONE && a->columns > 0) {
                answered(g, a, &f);
        } else if (a->end == SQL_OVERDUE) {
                galera_facts_error(DB_TIMEOUT, 0,
                                   a->sent ? "no answer to the status query in time" : a->text, &f);
        } else {
                sql_close(g->sql);
                if (a->kept) {
                        begin(g); /* the server may just have been restarted */
                        return;
                }
                failed(a, &f);
        }
        f.took = loop_now(g->loop) - g->began;
        report(g, &f);
}

static void on_ended(void *arg)
{
        struct galera *g = arg;

        if (g->pushed || g->wanted)
                return; /* once per asked poll: a server that always hangs up makes no busy loop */
        g->pushed = true;
        begin(g);
}

/* ---- the interface ---- */

static void on_start(void *arg)
{
        begin(arg);
}

static int fill(struct galera *g, struct loop *l, const struct galera_config *c)
{
        struct sql_config sc = { .socket = c->socket,
                                 .host = c->host,
                                 .port = c->port,
                                 .user = c->user,
                                 .password = c->password,
                                 .database = c->database,
                                 .connect = c->timeout,
                                 .answer = c->timeout };

        g->loop = l;
        buf_init(&g->query, 4096);
        int r = galera_facts_query(&g->query);
        if (r < 0)
                return r;
        r = timer_init(&g->start, l, on_start, g);
        if (r < 0)
                return r;
        return sql_new(l, &sc, on_answer, on_ended, g, &g->sql);
}

int galera_new(struct loop *l, const struct galera_config *c, galera_fn fn, void *arg,
               struct galera **ret)
{
        struct galera *g = calloc(1, sizeof *g);
        if (!g)
                return -ENOMEM;
        g->fn = fn;
        g->arg = arg;

        int r = fill(g, l, c);
        if (r < 0) {
                galera_free(g);
                return r;
        }
        *ret = g;
        return 0;
}

void galera_free(struct galera *g)
{
        if (!g)
                return;

        sql_free(g->sql);
        timer_done(&g->start);
        buf_done(&g->query);
        free(g);
}

void galera_poll(struct galera *g)
{
        g->pushed = false;
        if (sql_busy(g->sql))
                g->again = true;
        else if (!g->wanted)
                want(g);
}
