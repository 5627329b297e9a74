/* Four kinds of statements take turns, so that none starves another; after a failure nothing is
 * sent until somebody asks for something again, which the daemon's tick does. */
#include "hamon/rows.h"

#include "lib/log.h"
#include "lib/sql.h"
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum turn { TURN_PUT, TURN_READ, TURN_EVENT, TURN_TRIM, TURN_COUNT_ };
enum { STATEMENT_MAX = 8 * 1024, TRIM_EVERY = 50, KIND_MAX = 33, DETAIL_MAX = 1001, COLUMNS = 6 };

/* No causal wait: a beat that we see a little late only looks a little older. */
#define BEGIN "SET SESSION autocommit=1, wsrep_sync_wait=0, sql_mode=''"

struct waiting {
        msec_t at;
        uint64_t epoch;
        char kind[KIND_MAX], detail[DETAIL_MAX];
};

struct rows {
        struct loop *loop;
        rows_fn fn;
        void *arg;
        char database[65], me[64];
        struct sql *sql;
        struct buf query;
        struct timer start; /* statements are sent from the loop, never from within a call */

        enum turn turn; /* of what is under way, or was last */
        bool failing;   /* the last one failed, and the log knows */

        bool put_due, read_due;
        struct rows_node own; /* to be put */
        struct waiting *events[ROWS_EVENTS];
        size_t n_events;
        unsigned until_trim;
        uint64_t lost;

        struct rows_node nodes[ROWS_NODES];
        size_t n_nodes;
        msec_t read_at, read_before; /* when this read, and the one before it, began; < 0 = none */
};

/* ---- statements ---- */

static void literal(struct buf *q, const char *text)
{
        buf_add(q, "'", 1);
        sql_quote(q, text);
        buf_add(q, "'", 1);
}

static void put_statement(struct rows *r)
{
        const struct rows_node *n = &r->own;
        const char *const values[] = { r->me, n->address, n->role, n->verdict, n->reason };

        buf_addf(&r->query,
                 "INSERT INTO `%s`.node (name,address,role,verdict,reason,beat) VALUES (",
                 r->database);
        for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
                literal(&r->query, values[i]);
                buf_add(&r->query, ",", 1);
        }
        buf_adds(&r->query, "1) ON DUPLICATE KEY UPDATE address=VALUES(address),role=VALUES(role),"
                            "verdict=VALUES(verdict),reason=VALUES(reason),beat=beat+1");
}

static void read_statement(struct rows *r)
{
        buf_addf(&r->query,
                 "SELECT name,address,role,verdict,reason,beat FROM `%s`.node ORDER BY name"
                 " LIMIT %d",
                 r->database, ROWS_NODES);
}

/* It may have waited: `at` is when it happened. */
static void event_statement(struct rows *r, msec_t now)
{
        const struct waiting *h = r->events[0];

        buf_addf(&r->query,
                 "INSERT INTO `%s`.event (at,node,epoch,kind,detail) VALUES (UTC_TIMESTAMP(3)"
                 " - INTERVAL %" PRId64 " MICROSECOND,",
                 r->database, (int64_t)(now - h->at) * 1000);
        literal(&r->query, r->me);
        buf_addf(&r->query, ",%" PRIu64 ",", h->epoch);
        literal(&r->query, h->kind);
        buf_add(&r->query, ",", 1);
        literal(&r->query, h->detail);
        buf_add(&r->query, ")", 1);
}

/* A little at a time: one large DELETE stops the commits of the whole cluster. */
static void trim_statement(struct rows *r)
{
        buf_addf(&r->query,
                 "DELETE FROM `%s`.event WHERE at < UTC_TIMESTAMP(3) - INTERVAL 90 DAY"
                 " ORDER BY id LIMIT 100",
                 r->database);
}

/* ---- taking turns ---- */

static bool is_due(const struct rows *r, enum turn t)
{
        switch (t) {
        case TURN_PUT:
                return r->put_due;
        case TURN_READ:
                return r->read_due;
        case TURN_EVENT:
                return r->n_events > 0;
        case TURN_TRIM:
                return r->until_trim == 0;
        case TURN_COUNT_:
                break;
        }
        return false;
}

static void compose(struct rows *r, msec_t now)
{
        buf_reset(&r->query);
        switch (r->turn) {
        case TURN_PUT:
                r->put_due = false;
                put_statement(r);
                break;
        case TURN_READ:
                r->read_due = false;
                r->read_at = now;
                read_statement(r);
                break;
        case TURN_EVENT:
                event_statement(r, now);
                break;
        case TURN_TRIM:
                r->until_trim = TRIM_EVERY;
                trim_statement(r);
                break;
        case TURN_COUNT_:
                break;
        }
}

static void on_start(void *arg)
{
        struct rows *r = arg;

        if (sql_busy(r->sql))
                return;
        for (unsigned i = 1; i <= TURN_COUNT_; i++) {
                enum turn t = (enum turn)((r->turn + i) % TURN_COUNT_);
                if (!is_due(r, t))
                        continue;
                r->turn = t;
                compose(r, loop_now(r->loop));
                sql_send(r->sql, buf_str(&r->query), r->query.len);
                return;
        }
}

static void soon(struct rows *r)
{
        timer_set(&r->start, 0);
}

static void drop_event(struct rows *r)
{
        free(r->events[0]);
        r->n_events--;
        memmove(r->events, r->events + 1, r->n_events * sizeof(struct waiting *));
}

/* ---- answers ---- */

static const struct rows_node *find(const struct rows *r, const char *name)
{
        for (size_t i = 0; i < r->n_nodes; i++)
                if (strcmp(r->nodes[i].name, name) == 0)
                        return &r->nodes[i];
        return NULL;
}

static bool is_name(const char *s)
{
        return *s &&
               s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")] ==
                       '\0';
}

/* Rows of another shape, or with words hamon would not write, are not there. */
static bool take_row(const char *const *v, struct rows_node *ret)
{
        struct rows_node n = { .beat = 0 };

        for (size_t i = 0; i < COLUMNS; i++)
                if (!v[i])
                        return false;
        if (!is_name(v[0]) || !str_copy(n.name, sizeof n.name, v[0]) ||
            !str_copy(n.address, sizeof n.address, v[1]) ||
            !str_copy(n.role, sizeof n.role, v[2]) ||
            !str_copy(n.verdict, sizeof n.verdict, v[3]) ||
            !str_copy(n.reason, sizeof n.reason, v[4]) ||
            parse_uint(v[5], 0, UINT64_MAX, &n.beat) < 0)
                return false;
        *ret = n;
        return true;
}

static void compare(const struct rows *r, struct rows_node *n)
{
        const struct rows_node *before = find(r, n->name);

        if (!before)
                return;
        n->moved = before->moved;
        n->moved_at = before->moved_at;
        if (n->beat != before->beat) {
                n->moved = true;
                n->moved_at = r->read_before;
        }
}

static void take_rows(struct rows *r, const struct sql_answer *a)
{
        struct rows_node fresh[ROWS_NODES] = { { .beat = 0 } };
        const char *const *values;
        size_t n = 0;

        while (a->columns == COLUMNS && n < ROWS_NODES && (values = sql_row(a)))
                if (take_row(values, &fresh[n]))
                        compare(r, &fresh[n++]);
        memcpy(r->nodes, fresh, n * sizeof fresh[0]);
        r->n_nodes = n;
        r->read_before = r->read_at;
}

static void tell(struct rows *r, const struct sql_answer *a)
{
        bool failed = a->end != SQL_DONE;

        if (failed == r->failing)
                return;
        r->failing = failed;
        if (failed)
                log_event(LOG_WARN, "rows", LS("error", a->text), LI("number", a->error));
        else
                log_event(LOG_INFO, "rows", LS("msg", "the tables can be used again"));
}

static void on_answer(void *arg, const struct sql_answer *a)
{
        struct rows *r = arg;
        bool done = a->end == SQL_DONE;

        tell(r, a);
        if (r->turn == TURN_EVENT && (done || a->sent)) { /* sent: it may be there; never twice */
                drop_event(r);
                r->lost += !done;
                r->until_trim -= r->until_trim > 0;
        }
        if (!done)
                return;
        soon(r);
        if (r->turn == TURN_READ) {
                take_rows(r, a);
                if (r->fn)
                        r->fn(r->arg, r->nodes, r->n_nodes); /* may free r */
        }
}

/* ---- the interface ---- */

static void word(char *dst, size_t size, const char *src)
{
        str_copy(dst, size, src);
        for (char *p = dst; *p; p++)
                if (*p < ' ' || *p > '~')
                        *p = '?';
}

void rows_put_node(struct rows *r, const char *address, const char *role, const char *verdict,
                   const char *reason)
{
        word(r->own.address, sizeof r->own.address, address);
        word(r->own.role, sizeof r->own.role, role);
        word(r->own.verdict, sizeof r->own.verdict, verdict);
        word(r->own.reason, sizeof r->own.reason, reason);
        r->put_due = true;
        soon(r);
}

void rows_read(struct rows *r)
{
        r->read_due = true;
        soon(r);
}

void rows_event(struct rows *r, uint64_t epoch, const char *kind, const char *detail)
{
        struct waiting *h = calloc(1, sizeof *h);

        if (!h) {
                r->lost++;
                return;
        }
        if (r->n_events == ROWS_EVENTS) {
                /* not the one that is under way */
                size_t i = sql_busy(r->sql) && r->turn == TURN_EVENT;
                free(r->events[i]);
                r->n_events--;
                memmove(r->events + i, r->events + i + 1,
                        (r->n_events - i) * sizeof(struct waiting *));
                r->lost++;
        }
        h->at = loop_now(r->loop);
        h->epoch = epoch;
        word(h->kind, sizeof h->kind, kind);
        word(h->detail, sizeof h->detail, detail);
        r->events[r->n_events++] = h;
        soon(r);
}

uint64_t rows_lost(const struct rows *r)
{
        return r->lost;
}

bool rows_fresh(const struct rows_node *n, msec_t now, msec_t within)
{
        return n->moved && n->moved_at >= 0 && now - n->moved_at < within;
}

int rows_new(struct loop *l, const struct rows_config *c, rows_fn fn, void *arg, struct rows **ret)
{
        struct sql_config sc = { .socket = c->socket,
                                 .host = c->host,
                                 .port = c->port,
                                 .user = c->user,
                                 .password = c->password,
                                 .begin = BEGIN,
                                 .connect = c->connect,
                                 .answer = c->answer };
        struct rows *r = calloc(1, sizeof *r);

        if (!r)
                return -ENOMEM;
        r->loop = l;
        r->fn = fn;
        r->arg = arg;
        r->read_at = r->read_before = -1;
        buf_init(&r->query, STATEMENT_MAX);
        int e = is_name(c->database) && is_name(c->me) &&
                                str_copy(r->database, sizeof r->database, c->database) &&
                                str_copy(r->me, sizeof r->me, c->me)
                        ? timer_init(&r->start, l, on_start, r)
                        : -EINVAL;
        if (e == 0)
                e = sql_new(l, &sc, on_answer, NULL, r, &r->sql);
        if (e < 0) {
                rows_free(r);
                return e;
        }
        *ret = r;
        return 0;
}

void rows_free(struct rows *r)
{
        if (!r)
                return;
        sql_free(r->sql);
        timer_done(&r->start);
        for (size_t i = 0; i < r->n_events; i++)
                free(r->events[i]);
        buf_done(&r->query);
        free(r);
}
