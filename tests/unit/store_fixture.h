/* What the tests of hamon/store.c share: a real mariadbd, a Galera cluster of one, with hamon's
 * tables, and clients that say one statement of the lease at a time. */
#pragma once

#include "hamon/store.h"

#include "hamon/store_sql.h"
#include "tests/unit/galera_server.h"

#include <errno.h>

#define PASSWORD "store-password"

/* Long where nothing hangs: a busy machine makes no failures. */
enum { CONNECT = 10000, ANSWER = 10000, AVOID = 60000, SHORT = 500 };

static const struct store_names NAMES = { .database = "hamon", .lease = STORE_LEASE, .me = "n1" };

static struct loop loop;
static struct client {
        struct store *store;
        bool answered;
        struct store_answer a;
        char text[256];
} one, two;

/* ---- the client ---- */

static inline void on_answer(void *arg, const struct store_answer *a)
{
        struct client *c = arg;

        assert_false(c->answered);
        c->answered = true;
        c->a = *a;
        str_copy(c->text, sizeof c->text, a->text);
        c->a.text = c->text;
}

static inline void turn(void)
{
        loop.now_valid = false;
        assert_int_equal(event_base_loop(loop.base, EVLOOP_ONCE), 0);
}

static inline void on_tick(void *arg)
{
        timer_set(arg, 10);
}

static MYSQL *locker;     /* another transaction */
static struct timer tick; /* a loop that waits for nothing still turns */

static inline struct store_config config(const struct store_member *members, size_t n)
{
        return (struct store_config){ .members = members,
                                      .n_members = n,
                                      .user = "hamon",
                                      .password = PASSWORD,
                                      .database = "hamon",
                                      .lease = STORE_LEASE,
                                      .me = "n1",
                                      .incarnation = 11,
                                      .connect = CONNECT,
                                      .answer = ANSWER,
                                      .avoid = AVOID };
}

static inline void open_with(struct client *c, const struct store_config *sc)
{
        store_free(c->store);
        *c = (struct client){ .answered = false };
        assert_int_equal(store_new(&loop, sc, &c->store), 0);
}

/* As node `me` through our own member and, over TCP, the same server again as a peer. */
static inline void open_as(struct client *c, const char *me, uint64_t incarnation)
{
        const struct store_member members[] = { { .socket = path },
                                                { .host = "127.0.0.1", .port = port } };
        struct store_config sc = config(members, 1);

        sc.me = me;
        sc.incarnation = incarnation;
        open_with(c, &sc);
}

/* For what hangs. */
static inline void open_short(struct client *c)
{
        const struct store_member m = { .socket = path };
        struct store_config sc = config(&m, 1);

        sc.connect = sc.answer = SHORT;
        open_with(c, &sc);
}

static inline void send_only(struct client *c, const struct lease_statement *st)
{
        c->answered = false;
        assert_int_equal(store_send(c->store, st, on_answer, c), 0);
        assert_false(c->answered); /* from the loop, not from within */
}

static inline void await(struct client *c)
{
        for (msec_t end = clock_ms() + PATIENCE; !c->answered; turn())
                if (clock_ms() > end)
                        fail_msg("no answer");
}

static inline enum lease_answer say(struct client *c, struct lease_statement st)
{
        send_only(c, &st);
        await(c);
        return c->a.answer;
}

static inline void assert_answer(struct client *c, enum lease_answer want)
{
        if (c->a.answer != want)
                fail_msg("answer %d, not %d: error %u %s", c->a.answer, want, c->a.error, c->text);
}

#define SAY(c, want, ...)                                    \
        do {                                                 \
                say(c, (struct lease_statement)__VA_ARGS__); \
                assert_answer(c, want);                      \
        } while (0)

static inline const struct lease_row *read_row(struct client *c)
{
        msec_t end = clock_ms() + PATIENCE;

        while (say(c, (struct lease_statement){ .op = OP_READ }) != ANSWER_DONE)
                if (clock_ms() > end)
                        fail_msg("cannot read: error %u %s", c->a.error, c->text);
        return &c->a.row;
}

static inline void run(int (*make)(struct buf *, const struct store_names *))
{
        CLEANUP(buf_done) struct buf q = BUF(4096);

        assert_int_equal(make(&q, &NAMES), 0);
        sql(buf_str(&q));
}

static inline void create(enum store_table t)
{
        CLEANUP(buf_done) struct buf q = BUF(4096);

        assert_int_equal(store_sql_create_table(&q, &NAMES, t), 0);
        sql(buf_str(&q));
        buf_reset(&q);
        assert_int_equal(store_sql_grant(&q, &NAMES, t, "hamon"), 0);
        sql(buf_str(&q));
}

static inline int setup(void **unused)
{
        (void)unused;
        assert_int_equal(loop_init(&loop), 0);
        assert_int_equal(timer_init(&tick, &loop, on_tick, &tick), 0);
        timer_set(&tick, 10);
        sql("UPDATE hamon.lease SET holder='',incarnation=0,token=0,epoch=epoch+1,beat=0");
        open_as(&one, "n1", 11);
        open_as(&two, "n2", 22);
        return 0;
}

static inline int teardown(void **unused)
{
        (void)unused;
        store_free(one.store);
        store_free(two.store);
        one.store = two.store = NULL;
        if (locker)
                mysql_close(locker);
        locker = NULL;
        timer_done(&tick);
        loop_done(&loop);
        if (server > 0)
                kill(server, SIGCONT);
        return 0;
}

/* ---- one server for all ---- */

static inline int group_setup(void **unused)
{
        (void)unused;
        server_install();
        server_start(true);
        sql("CREATE USER hamon@'%' IDENTIFIED BY '" PASSWORD "'");
        run(store_sql_create_database);
        for (enum store_table t = 0; t < TABLE_COUNT_; t++)
                create(t);
        run(store_sql_insert_lease);
        return 0;
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
