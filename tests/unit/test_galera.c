/* hamon/galera.c against a real mariadbd in a directory of its own: a single-node Galera cluster,
 * bootstrapped, stopped, killed, cut from its quorum. Without mariadbd the test fails. */
#include "tests/unit/galera_helper.h"

#include "hamon/core/judge.h"
#include "tests/unit/galera_server.h"

#define PASSWORD "test-password"

enum { TIMEOUT = 400 };

/* ---- the client ---- */

static struct galera_config config(void)
{
        return (struct galera_config){
                .socket = path, .user = "hamon", .password = PASSWORD, .timeout = TIMEOUT
        };
}

static struct finding judgement(void)
{
        return judge_galera(&facts);
}

static void assert_judged(enum reason want)
{
        enum reason got = judgement().reason;

        if (got != want)
                fail_msg("%s, not %s (%s)", reason_name(got), reason_name(want), facts.text);
}

static bool ask_until(enum reason want)
{
        msec_t end = clock_ms() + PATIENCE;

        do {
                ask();
        } while (judgement().reason != want && clock_ms() < end);
        return judgement().reason == want;
}

static int setup(void **unused)
{
        struct galera_config c = config();

        (void)unused;
        loop_setup();
        galera_open(&c);
        return 0;
}

/* Whatever the test did: the server runs, and is whole. */
static int teardown(void **unused)
{
        (void)unused;
        galera_shut();
        loop_teardown();
        if (server > 0)
                kill(server, SIGCONT);
        return 0;
}

/* ---- the tests ---- */

static void test_primary(void **unused)
{
        (void)unused;
        ask();
        assert_reach(DB_OK);
        assert_judged(REASON_OK);
        assert_true(facts.wsrep_on && facts.primary && facts.ready && facts.connected);
        assert_false(facts.rejecting || facts.read_only || facts.desync);
        assert_int_equal(facts.local_state, WSREP_SYNCED);
        assert_int_equal(facts.size, 1);
        assert_true(facts.conf_id >= 1);
        assert_true(facts.last_committed >= 1);
        assert_string_equal(facts.cluster_status, "Primary");
        assert_string_equal(facts.state_comment, "Synced");
        assert_int_equal(strlen(facts.cluster_uuid), 36);
}

static void test_tcp(void **unused)
{
        struct galera_config c = config();

        (void)unused;
        c.socket = "";
        c.host = "127.0.0.1";
        c.port = port;
        galera_open(&c);
        ask();
        assert_judged(REASON_OK);
        ask();
        assert_judged(REASON_OK);
}

static void test_wrong_password(void **unused)
{
        struct galera_config c = config();

        (void)unused;
        c.password = "not-the-password";
        galera_open(&c);
        ask();
        assert_reach(DB_AUTH);
        assert_int_equal(facts.error, 1045);
        assert_null(strstr(facts.text, c.password));
        c.password = NULL;
        galera_open(&c);
        ask();
        assert_reach(DB_AUTH);
        c = config();
        c.user = "nobody-of-that-name";
        galera_open(&c);
        ask();
        assert_reach(DB_AUTH);
        c = config();
        c.database = "mysql";
        galera_open(&c);
        ask();
        assert_reach(DB_AUTH);
        assert_int_equal(facts.error, 1044);
}

static void test_states(void **unused)
{
        static const struct {
                const char *set, *back;
                enum reason why;
        } ROWS[] = {
                { "SET GLOBAL read_only=1", "SET GLOBAL read_only=0", REASON_GALERA_READ_ONLY },
                { "SET GLOBAL wsrep_desync=1", "SET GLOBAL wsrep_desync=0", REASON_GALERA_DONOR },
                { "SET GLOBAL wsrep_reject_queries=ALL", "SET GLOBAL wsrep_reject_queries=NONE",
                  REASON_GALERA_REJECTING },
                { "SET GLOBAL wsrep_reject_queries=ALL_KILL",
                  "SET GLOBAL wsrep_reject_queries=NONE", REASON_GALERA_REJECTING },
        };

        (void)unused;
        ask();
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
                try_sql(ROWS[i].set); /* ALL_KILL kills the one who says it, too */
                ask();
                assert_judged(ROWS[i].why);
                assert_int_equal(facts.desync, ROWS[i].why == REASON_GALERA_DONOR);
                sql(ROWS[i].back);
                assert_true(ask_until(REASON_OK));
        }
}

static void test_non_primary(void **unused)
{
        (void)unused;
        ask();
        sql("SET GLOBAL wsrep_cluster_address='gcomm://127.0.0.1:1'");
        assert_true(ask_until(REASON_GALERA_NON_PRIMARY));
        assert_reach(DB_OK);
        assert_string_equal(facts.cluster_status, "non-Primary");
        assert_true(*facts.evs_state); /* no leave: it looks for the others */
        assert_int_equal(facts.conf_id, -1);
        assert_true(facts.wsrep_on && facts.connected);
        assert_false(facts.primary || facts.ready);

        sql("SET GLOBAL wsrep_provider_options='pc.bootstrap=YES'");
        assert_true(ask_until(REASON_OK));
}

static unsigned long connections(void)
{
        MYSQL *my = mysql_init(NULL);
        MYSQL_RES *res;

        assert_non_null(mysql_real_connect(my, NULL, "root", NULL, NULL, 0, path, 0));
        unsigned long id = mysql_thread_id(my);
        assert_int_equal(mysql_query(my, "SELECT 1"), 0);
        res = mysql_store_result(my);
        mysql_free_result(res);
        mysql_close(my);
        return id; /* the server counts them up */
}

static void test_connection_is_kept(void **unused)
{
        (void)unused;
        ask();
        unsigned long before = connections();
        for (int i = 0; i < 200; i++)
                ask();
        assert_judged(REASON_OK);
        assert_int_equal(connections(), before + 1);
}

/* The end of an idle connection starts a poll by itself, once. */
static void test_idle_end(void **unused)
{
        (void)unused;
        ask();
        sql("KILL CONNECTION USER hamon");
        assert_true(until_reports(2));
        assert_judged(REASON_OK);
        sql("KILL CONNECTION USER hamon");
        ticks = 0;
        while (ticks < 20)
                turn();
        assert_int_equal(reports, 2); /* the next is for the next poll */
        ask();
        assert_judged(REASON_OK);
        assert_int_equal(reports, 3);
}

static void test_stopped_process(void **unused)
{
        (void)unused;
        ask();
        assert_judged(REASON_OK);
        server_freeze();
        ticks = 0;
        ask(); /* on the kept connection */
        assert_reach(DB_TIMEOUT);
        assert_non_null(strstr(facts.text, "query"));
        for (int i = 0; i < 3; i++) { /* it accepts, and does not greet */
                ask();
                assert_reach(DB_TIMEOUT);
                assert_non_null(strstr(facts.text, "greeting"));
        }
        assert_true(ticks > 3);
        kill(server, SIGCONT);
        assert_true(ask_until(REASON_OK));
}

static void test_killed(void **unused)
{
        (void)unused;
        ask();
        assert_judged(REASON_OK);
        server_stop(SIGKILL);
        assert_true(until_reports(2)); /* unasked */
        if (facts.reach != DB_REFUSED)
                ask();
        assert_reach(DB_REFUSED);
        assert_int_equal(facts.error, 2002);
        ask();
        assert_reach(DB_REFUSED);
        server_start(true);
        assert_true(ask_until(REASON_OK));
}

/* Restarted between two polls, and with a query under way. */
static void test_restarted(void **unused)
{
        (void)unused;
        ask();
        assert_judged(REASON_OK);
        server_stop(SIGKILL);
        server_start(true);
        ask();
        assert_reach(DB_OK);
        assert_true(ask_until(REASON_OK));

        server_freeze();
        unsigned before = reports;
        galera_poll(galera);
        ticks = 0;
        while (ticks < 3)
                turn(); /* the query is out */
        assert_int_equal(reports, before);
        server_stop(SIGKILL);
        server_start(true);
        assert_true(until_reports(before + 1));
        if (facts.reach != DB_TIMEOUT) /* the start may have taken longer than the deadline */
                assert_reach(DB_OK);
        assert_true(ask_until(REASON_OK));
}

static void test_too_many_connections(void **unused)
{
        MYSQL *others[12];
        size_t n = 0;

        (void)unused;
        for (; n < ARRAY_SIZE(others); n++) {
                others[n] = mysql_init(NULL);
                if (!mysql_real_connect(others[n], NULL, "hamon", PASSWORD, NULL, 0, path, 0))
                        break;
        }
        ask();
        for (size_t i = 0; i <= n && i < ARRAY_SIZE(others); i++)
                mysql_close(others[i]);
        assert_reach(DB_ERROR);
        assert_int_equal(facts.error, 1040);
        assert_non_null(strstr(facts.text, "Too many connections"));
        assert_true(ask_until(REASON_OK));
}

/* The last two leave the server stopped, or without Galera. */
static void test_shut_down(void **unused)
{
        (void)unused;
        ask();
        assert_judged(REASON_OK);
        server_stop(SIGTERM);
        ask();
        assert_reach(DB_REFUSED);
}

static void test_without_galera(void **unused)
{
        (void)unused;
        server_start(false);
        ask();
        assert_reach(DB_OK);
        assert_false(facts.wsrep_on);
        assert_judged(REASON_GALERA_OFF);
        server_stop(SIGKILL);
}

/* ---- one server for all ---- */

static int group_setup(void **unused)
{
        (void)unused;
        server_install();
        server_start(true);
        sql("CREATE USER hamon@'%' IDENTIFIED BY '" PASSWORD "'");
        return 0;
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        const struct CMUnitTest tests[] = {
                CASE(test_primary),         CASE(test_tcp),
                CASE(test_wrong_password),  CASE(test_states),
                CASE(test_non_primary),     CASE(test_connection_is_kept),
                CASE(test_idle_end),        CASE(test_too_many_connections),
                CASE(test_stopped_process), CASE(test_killed),
                CASE(test_restarted),       CASE(test_shut_down),
                CASE(test_without_galera),
        };

        return cmocka_run_group_tests(tests, group_setup, server_group_teardown);
}
