/* hamon/rows.c against a real mariadbd: what two nodes see of one another, what a hanging or
 * missing database costs (events, and no time), and that texts cannot break a statement. */
#include "hamon/rows.h"

#include "hamon/store_sql.h"
#include "lib/log.h"
#include "tests/unit/galera_server.h"

#include <errno.h>

enum { CONNECT = 10000, ANSWER = 10000, SHORT = 300 };

static const struct store_names NAMES = { .database = "hamon", .lease = STORE_LEASE, .me = "n1" };

static struct loop loop;
static struct timer tick;
static struct seen {
        struct rows *rows;
        unsigned reads;
        struct rows_node nodes[ROWS_NODES];
        size_t n;
        bool free_now;
} one, two;

static void on_tick(void *arg)
{
        timer_set(arg, 10);
}

static void turn(void)
{
        loop.now_valid = false;
        assert_int_equal(event_base_loop(loop.base, EVLOOP_ONCE), 0);
}

#define TURN_UNTIL(condition)                                           \
        for (msec_t end_ = clock_ms() + PATIENCE; !(condition); turn()) \
                if (clock_ms() > end_)                                  \
        fail_msg("never came true: %s", #condition)

static void on_rows(void *arg, const struct rows_node *nodes, size_t n)
{
        struct seen *s = arg;

        s->reads++;
        s->n = n;
        memcpy(s->nodes, nodes, n * sizeof *nodes);
        if (s->free_now) {
                rows_free(s->rows);
                s->rows = NULL;
        }
}

static void open_as(struct seen *s, const char *me, msec_t connect, msec_t answer)
{
        struct rows_config c = { .socket = path,
                                 .user = "hamon",
                                 .password = "rows-password",
                                 .database = "hamon",
                                 .me = me,
                                 .connect = connect,
                                 .answer = answer };

        rows_free(s->rows);
        *s = (struct seen){ .reads = 0 };
        assert_int_equal(rows_new(&loop, &c, on_rows, s, &s->rows), 0);
}

static void read_now(struct seen *s)
{
        unsigned before = s->reads;

        rows_read(s->rows);
        assert_int_equal(s->reads, before); /* from the loop, not from within */
        TURN_UNTIL(s->reads > before);
}

static const struct rows_node *node(const struct seen *s, const char *name)
{
        for (size_t i = 0; i < s->n; i++)
                if (strcmp(s->nodes[i].name, name) == 0)
                        return &s->nodes[i];
        return NULL;
}

/* The one value of a query, as root, without turning the loop. */
static char *value(const char *query)
{
        static char text[2048];
        MYSQL *my = mysql_init(NULL);

        assert_non_null(mysql_real_connect(my, NULL, "root", NULL, "hamon", 0, path, 0));
        if (mysql_query(my, query) != 0)
                fail_msg("%s: %s", query, mysql_error(my));
        MYSQL_RES *res = mysql_store_result(my);
        MYSQL_ROW row = mysql_fetch_row(res);
        str_copy(text, sizeof text, row && row[0] ? row[0] : "NULL");
        mysql_free_result(res);
        mysql_close(my);
        return text;
}

static int setup(void **unused)
{
        (void)unused;
        log_init(STDERR_FILENO, LOG_ERROR);
        assert_int_equal(loop_init(&loop), 0);
        assert_int_equal(timer_init(&tick, &loop, on_tick, &tick), 0);
        timer_set(&tick, 10);
        sql("DELETE FROM hamon.node");
        sql("DELETE FROM hamon.event");
        open_as(&one, "n1", CONNECT, ANSWER);
        open_as(&two, "n2", CONNECT, ANSWER);
        return 0;
}

static int teardown(void **unused)
{
        (void)unused;
        rows_free(one.rows);
        rows_free(two.rows);
        one.rows = two.rows = NULL;
        timer_done(&tick);
        loop_done(&loop);
        if (server > 0)
                kill(server, SIGCONT);
        return 0;
}

/* ---- nodes ---- */

static void test_put_and_read(void **unused)
{
        (void)unused;
        rows_put_node(one.rows, "10.0.0.1", "master", "fit", "ok");
        TURN_UNTIL(strcmp(value("SELECT COUNT(*) FROM node"), "1") == 0);
        rows_put_node(one.rows, "10.0.0.1", "standby", "unfit", "galera_refused");
        rows_put_node(two.rows, "10.0.0.2", "it's", "a \\ 'trap", "--");
        TURN_UNTIL(strcmp(value("SELECT SUM(beat) FROM node"), "3") == 0);
        read_now(&one);
        assert_int_equal(one.n, 2);
        const struct rows_node *a = node(&one, "n1"), *b = node(&one, "n2");
        assert_string_equal(a->address, "10.0.0.1");
        assert_string_equal(a->role, "standby");
        assert_string_equal(a->verdict, "unfit");
        assert_string_equal(a->reason, "galera_refused");
        assert_true(a->beat == 2 && b->beat == 1);
        assert_string_equal(b->role, "it's");
        assert_string_equal(b->verdict, "a \\ 'trap");
}

/* By our clock alone, and never younger than it may be. */
static void test_fresh(void **unused)
{
        (void)unused;
        rows_put_node(two.rows, "10.0.0.2", "standby", "fit", "ok");
        TURN_UNTIL(strcmp(value("SELECT SUM(beat) FROM node"), "1") == 0);
        loop.now_valid = false;
        msec_t before = loop_now(&loop);
        read_now(&one);
        assert_false(node(&one, "n2")->moved); /* it may be a year old */
        assert_false(rows_fresh(node(&one, "n2"), loop_now(&loop), INT64_MAX));
        read_now(&one);
        assert_false(node(&one, "n2")->moved);
        msec_t last_read = clock_ms();

        rows_put_node(two.rows, "10.0.0.2", "standby", "fit", "ok");
        TURN_UNTIL(strcmp(value("SELECT SUM(beat) FROM node"), "2") == 0);
        msec_t moved = clock_ms();
        read_now(&one);
        const struct rows_node *n = node(&one, "n2");
        assert_true(n->moved && n->moved_at >= before && n->moved_at <= last_read);
        assert_true(rows_fresh(n, n->moved_at + 999, 1000));
        assert_false(rows_fresh(n, n->moved_at + 1000, 1000));
        assert_true(n->moved_at <= moved);

        msec_t at = n->moved_at;         /* it stays as old as it is */
        TURN_UNTIL(clock_ms() > at + 1); /* a quick machine does all of this in one millisecond */
        read_now(&one);
        read_now(&one);
        assert_true(node(&one, "n2")->moved_at == at);
        sql("UPDATE hamon.node SET beat=0"); /* restored from a backup: another one, too */
        read_now(&one);
        assert_true(node(&one, "n2")->moved_at > at);
        sql("DELETE FROM hamon.node");
        read_now(&one);
        assert_int_equal(one.n, 0);
        rows_put_node(two.rows, "10.0.0.2", "standby", "fit", "ok");
        TURN_UNTIL(strcmp(value("SELECT SUM(beat) FROM node"), "1") == 0);
        read_now(&one);
        assert_false(node(&one, "n2")->moved); /* begins anew */
}

static void test_odd_rows(void **unused)
{
        (void)unused;
        sql("INSERT INTO hamon.node (name,beat) VALUES ('good',18446744073709551615),"
            "('two words',1),('',2),('a;b',3)");
        read_now(&one);
        assert_int_equal(one.n, 1);
        assert_true(one.nodes[0].beat == UINT64_MAX);
        assert_string_equal(one.nodes[0].name, "good");
        for (int i = 0; i < 30; i++) {
                char q[96];
                snprintf(q, sizeof q, "INSERT INTO hamon.node (name) VALUES ('m%02d')", i);
                sql(q);
        }
        read_now(&one);
        assert_true(one.n <= ROWS_NODES && one.n > 10);
}

/* What is put while another is under way: the newest counts, the rest never was. */
static void test_newest_wins(void **unused)
{
        char address[32];

        (void)unused;
        for (int i = 0; i < 100; i++) {
                snprintf(address, sizeof address, "10.0.0.%d", i);
                rows_put_node(one.rows, address, "standby", "fit", "ok");
        }
        TURN_UNTIL(strcmp(value("SELECT address FROM node"), "10.0.0.99") == 0);
        assert_string_equal(value("SELECT beat FROM node"), "1");
}

static void test_free_within(void **unused)
{
        (void)unused;
        one.free_now = true;
        rows_event(one.rows, 1, "state", "never told");
        rows_read(one.rows);
        TURN_UNTIL(one.reads == 1);
        turn();
        rows_read(two.rows); /* under way */
        turn();
        rows_free(two.rows);
        two.rows = NULL;
        turn();
}

/* ---- events ---- */

static void test_events(void **unused)
{
        static char longest[2000];

        (void)unused;
        memset(longest, '\'', sizeof longest - 1);
        rows_event(one.rows, UINT64_MAX, "state", "it's \\ a \"trap\"; -- \n\xc3\xa4");
        rows_event(one.rows, 3, "hook_end", longest);
        TURN_UNTIL(strcmp(value("SELECT COUNT(*) FROM event"), "2") == 0);
        assert_string_equal(value("SELECT detail FROM event WHERE kind='state'"),
                            "it's \\ a \"trap\"; -- ???");
        assert_string_equal(value("SELECT CONCAT(node,' ',epoch) FROM event WHERE kind='state'"),
                            "n1 18446744073709551615");
        assert_string_equal(value("SELECT LENGTH(detail) FROM event WHERE epoch=3"), "1000");
        assert_string_equal(value("SELECT COUNT(*) FROM event WHERE ABS(TIMESTAMPDIFF(SECOND,at,"
                                  "UTC_TIMESTAMP(3))) <= 60"),
                            "2");
        assert_int_equal(rows_lost(one.rows), 0);
}

/* The database hangs: the queue has a bound, nobody waits, and what was kept comes later, with the
 * time at which it happened. */
static void test_hanging(void **unused)
{
        char detail[32];

        (void)unused;
        open_as(&one, "n1", SHORT, SHORT);
        log_init(open("/dev/null", O_WRONLY | O_CLOEXEC), LOG_ERROR);
        server_freeze();
        msec_t began = clock_ms();
        for (int i = 0; i < ROWS_EVENTS + 6; i++) {
                snprintf(detail, sizeof detail, "%d", i);
                rows_event(one.rows, 1, "state", detail);
        }
        assert_true(clock_ms() - began < PATIENCE);
        assert_int_equal(rows_lost(one.rows), 6);
        for (msec_t end = clock_ms() + 2 * SHORT; clock_ms() < end; turn())
                rows_put_node(one.rows, "10.0.0.1", "standby", "fit", "ok");
        kill(server, SIGCONT);
        rows_put_node(one.rows, "10.0.0.1", "standby", "fit", "ok");
        TURN_UNTIL((rows_put_node(one.rows, "10.0.0.1", "standby", "fit", "ok"), turn(),
                    strcmp(value("SELECT COUNT(*) FROM event"), "64") == 0));
        assert_string_equal(value("SELECT detail FROM event ORDER BY id LIMIT 1"), "6");
        assert_string_equal(value("SELECT detail FROM event ORDER BY id DESC LIMIT 1"), "69");
        assert_string_equal(value("SELECT COUNT(*) FROM event WHERE at < UTC_TIMESTAMP(3) - "
                                  "INTERVAL 400000 MICROSECOND"),
                            "64");
}

static void test_away(void **unused)
{
        (void)unused;
        open_as(&one, "n1", SHORT, SHORT);
        server_stop(SIGTERM);
        for (int i = 0; i < 3; i++) {
                rows_put_node(one.rows, "10.0.0.1", "standby", "fit", "ok");
                rows_read(one.rows);
                rows_event(one.rows, 1, "state", "x");
                for (int k = 0; k < 5; k++)
                        turn();
        }
        assert_int_equal(one.reads, 0);
        server_start(false);
        TURN_UNTIL((rows_read(one.rows), turn(), one.reads > 0));
        TURN_UNTIL(strcmp(value("SELECT COUNT(*) FROM event"), "3") == 0);
        assert_int_equal(rows_lost(one.rows), 0);
}

/* Old ones go, a hundred at a time and not at each turn. */
static void test_trim(void **unused)
{
        (void)unused;
        sql("INSERT INTO hamon.event (at,node) SELECT '2020-01-01','n9' FROM hamon.seq_1_to_150");
        rows_event(one.rows, 1, "state", "new");
        TURN_UNTIL(strcmp(value("SELECT COUNT(*) FROM event WHERE node='n9'"), "50") == 0);
        for (int i = 0; i < 60; i++) {
                rows_event(one.rows, 1, "state", "new");
                TURN_UNTIL(rows_lost(one.rows) == 0 &&
                           atol(value("SELECT COUNT(*) FROM event WHERE node='n1'")) == i + 2);
        }
        TURN_UNTIL(strcmp(value("SELECT COUNT(*) FROM event WHERE node='n9'"), "0") == 0);
        assert_string_equal(value("SELECT COUNT(*) FROM event"), "61");
}

static void test_refused(void **unused)
{
        struct rows_config c = { .socket = path,
                                 .user = "hamon",
                                 .database = "ha`mon",
                                 .me = "n1",
                                 .connect = 1,
                                 .answer = 1 };
        struct rows *r = NULL;

        (void)unused;
        assert_int_equal(rows_new(&loop, &c, NULL, NULL, &r), -EINVAL);
        c.database = "hamon";
        c.me = "n'1";
        assert_int_equal(rows_new(&loop, &c, NULL, NULL, &r), -EINVAL);
        c.me = "";
        assert_int_equal(rows_new(&loop, &c, NULL, NULL, &r), -EINVAL);
        c.me = "n1";
        c.user = "";
        assert_int_equal(rows_new(&loop, &c, NULL, NULL, &r), -EINVAL);
        assert_null(r);
}

/* ---- the server ---- */

static void run(int (*make)(struct buf *, const struct store_names *))
{
        CLEANUP(buf_done) struct buf q = BUF(4096);

        assert_int_equal(make(&q, &NAMES), 0);
        sql(buf_str(&q));
}

static int install(void **unused)
{
        CLEANUP(buf_done) struct buf q = BUF(4096);

        (void)unused;
        server_install();
        server_start(false);
        run(store_sql_create_database);
        assert_int_equal(store_sql_create_user(&q, "hamon", "rows-password"), 0);
        sql(buf_str(&q));
        for (enum store_table t = 0; t < TABLE_COUNT_;
             t++) { /* with the rights it has in earnest */
                buf_reset(&q);
                assert_int_equal(store_sql_create_table(&q, &NAMES, t), 0);
                sql(buf_str(&q));
                buf_reset(&q);
                assert_int_equal(store_sql_grant(&q, &NAMES, t, "hamon"), 0);
                sql(buf_str(&q));
        }
        return 0;
}

static int uninstall(void **unused)
{
        (void)unused;
        server_stop(SIGTERM);
        server_remove();
        return 0;
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(test_put_and_read), TEST(test_fresh),       TEST(test_odd_rows),
                TEST(test_newest_wins),  TEST(test_free_within), TEST(test_events),
                TEST(test_hanging),      TEST(test_away),        TEST(test_trim),
                TEST(test_refused),
        };

        return cmocka_run_group_tests(tests, install, uninstall);
}
