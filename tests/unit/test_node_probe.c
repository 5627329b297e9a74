/* Probes in the node's verdict: whose answers count, when, and what is shown of them. */
#include "node_fixture.h"

#include "hamon/status.h"

static const struct finding PASS = { RES_PASS, REASON_OK };
static const struct finding REFUSED = { RES_FAIL, REASON_PROBE_REFUSED };

static size_t shown(void)
{
        size_t n = 0;

        for (size_t i = 0; i < node_n_checks(&fx.node); i++)
                n += node_check_probe(&fx.node, i) != PROBE_COUNT_ && node_check_shown(&fx.node, i);
        return n;
}

static void answer_all(struct finding f)
{
        for (enum probe i = 0; i < PROBE_COUNT_; i++)
                node_probe(&fx.node, i, f, "as it is", fx.now);
}

/* One round: all answer well, but for one of them. */
static void round_with(enum probe which, struct finding f, const char *text)
{
        struct galera_facts g = member();

        fx.now += TICK;
        node_galera(&fx.node, &g, fx.now);
        for (enum probe i = 0; i < PROBE_COUNT_; i++)
                node_probe(&fx.node, i, i == which ? f : PASS, i == which ? text : "answers",
                           fx.now);
        eval(FOLD_TICK);
}

static void test_nobody_probes(void **state)
{
        (void)state;
        make_fit(ROLE_MASTER);
        assert_int_equal(shown(), 0);
        answer_all(REFUSED); /* said by nobody who was asked */
        eval(FOLD_TICK);
        assert_node(FIT, REASON_OK);
        assert_int_equal(fx.node.probes[PROBE_SMTP].state.seen, false);
}

static void test_standby(void **state)
{
        (void)state;
        node_probing(&fx.node, true);
        make_fit(ROLE_STANDBY);
        answer_all(REFUSED);
        eval(FOLD_TICK);
        assert_node(FIT, REASON_OK);
        assert_int_equal(shown(), 0);
}

static void test_master(void **state)
{
        char msg[320];

        (void)state;
        make_fit(ROLE_MASTER);
        node_probing(&fx.node, true);
        eval(FOLD_TICK);
        assert_node(UNSURE, REASON_STARTING);        /* nobody has answered yet */
        assert_int_equal(shown(), PROBE_COUNT_ - 3); /* no volume, no POP3 */
        round_with(PROBE_COUNT_, PASS, "");
        assert_node(FIT, REASON_OK);

        round_with(PROBE_IMAPS, REFUSED, "127.0.0.1:993: Connection refused");
        assert_node(FIT, REASON_OK); /* one sample is no news */
        round_with(PROBE_IMAPS, REFUSED, "127.0.0.1:993: Connection refused");
        assert_node(FIT, REASON_PROBE_REFUSED); /* in grace */
        assert_string_equal(fx.changes, "imaps:up>suspect:probe_refused ");
        assert_string_equal(node_message(&fx.node, msg, sizeof msg),
                            "imaps: 127.0.0.1:993: Connection refused");
        for (msec_t end = fx.now + GRACE; fx.now < end;)
                round_with(PROBE_IMAPS, REFUSED, "refused");
        assert_node(UNFIT, REASON_PROBE_REFUSED);
        round_with(PROBE_COUNT_, PASS, "");
        round_with(PROBE_COUNT_, PASS, "");
        assert_node(FIT, REASON_OK);
}

static void fail_for_long(enum probe which, struct finding f)
{
        for (unsigned i = 0; i < GRACE / TICK + 5; i++)
                round_with(which, f, "x");
}

static void test_not_vital(void **state)
{
        static const struct finding FULL = { RES_PASS, REASON_VOLUME_FULL };

        (void)state;
        make_fit(ROLE_MASTER);
        node_probing(&fx.node, true);
        fail_for_long(PROBE_SIEVE, REFUSED);
        assert_int_equal(fx.node.probes[PROBE_SIEVE].state.verdict, V_DOWN);
        assert_node(FIT, REASON_OK);
        fail_for_long(PROBE_SMTP, FULL); /* any note: it is told, and the node stays fit */
        assert_node(FIT, REASON_VOLUME_FULL);
}

/* Who is asked, and whose failure counts, is hamon.conf's word. */
static void test_config(void **state)
{
        struct config c = { .node = { .name = NULL } };

        (void)state;
        assert_int_equal(load_config(&c,
                                     "warm = w1 w2\nactive = a1 a2 a3\n"
                                     "optional = w2 a3 nginx-mailcow\n"
                                     "ignore = i1 rspamd-mailcow\n"
                                     "[probe]\ndisabled = smtps redis\npop3s = 995\n"
                                     "[volume]\nmount = /mnt\n",
                                     ""),
                         0);
        make_fit(ROLE_MASTER);
        assert_int_equal(node_reconfigure(&fx.node, &c), 0);
        config_free(&fx.config);
        fx.config = c;
        fx.node.config = &fx.config;
        node_probing(&fx.node, true);
        assert_int_equal(shown(), PROBE_COUNT_ - 4);
        fail_for_long(PROBE_POP3, REFUSED); /* published nowhere */
        assert_false(fx.node.probes[PROBE_POP3].state.seen);
        fail_for_long(PROBE_POP3S, REFUSED); /* seen, and not vital */
        assert_true(fx.node.probes[PROBE_POP3S].state.seen);
        assert_node(FIT, REASON_OK);
        fail_for_long(PROBE_HTTPS, REFUSED); /* nginx is called optional */
        assert_node(FIT, REASON_OK);
        fail_for_long(PROBE_RSPAMD, REFUSED); /* ignored, and so not asked */
        assert_false(fx.node.probes[PROBE_RSPAMD].state.seen);
        assert_node(FIT, REASON_OK);
        fail_for_long(PROBE_VOLUME, (struct finding){ RES_FAIL, REASON_VOLUME_READ_ONLY });
        assert_node(UNFIT, REASON_VOLUME_READ_ONLY);
}

/* Silence is not health, and what was known of a master is nothing to a standby. */
static void test_stale(void **state)
{
        struct galera_facts g = member();

        (void)state;
        make_fit(ROLE_MASTER);
        node_probing(&fx.node, true);
        round_with(PROBE_COUNT_, PASS, "");
        assert_node(FIT, REASON_OK);
        msec_t patience = fx.config.probe.interval + fx.config.probe.timeout + STALE;
        ticks((unsigned)(patience / TICK) - 1, &g);
        assert_node(FIT, REASON_OK);
        ticks(2, &g);
        assert_node(UNSURE, REASON_STALE);
        round_with(PROBE_COUNT_, PASS, "");
        assert_node(FIT, REASON_OK);
        for (enum probe i = 0; i < PROBE_COUNT_; i++) /* "nobody could ask" is silence too */
                node_probe(&fx.node, i, (struct finding){ RES_SKIP, REASON_STARTING }, "x", fx.now);
        assert_string_equal(fx.node.probes[PROBE_SMTP].text, "answers");

        node_gap(&fx.node, fx.now);
        assert_false(fx.node.probes[PROBE_SMTP].state.seen);
        node_engine(&fx.node, ENGINE_OK, "", true);
        node_set_role(&fx.node, ROLE_STANDBY, false);
        containers(STANDBY_OK);
        eval(FOLD_TICK);
        assert_int_equal(shown(), 0);
        answer_all(REFUSED); /* a late answer */
        assert_false(fx.node.probes[PROBE_SMTP].state.seen);
}

static void test_status(void **state)
{
        CLEANUP(buf_done) struct buf out = BUF(65536);

        (void)state;
        make_fit(ROLE_MASTER);
        node_probing(&fx.node, true);
        round_with(PROBE_SIEVE, REFUSED, "127.0.0.1:4190: Connection refused");
        assert_int_equal(status_json(&fx.node, NULL, fx.now, &out), 0);
        const char *smtp = strstr(buf_str(&out), "{\"name\":\"smtp\",\"verdict\":\"up\"");
        assert_non_null(smtp);
        assert_non_null(strstr(smtp, "\"required\":true"));
        const char *sieve = strstr(smtp, "{\"name\":\"sieve\"");
        assert_non_null(sieve);
        assert_non_null(strstr(sieve, "\"message\":\"127.0.0.1:4190: Connection refused\""));
        assert_null(strstr(smtp, "\"volume\""));
        buf_reset(&out);
        assert_int_equal(status_text(&fx.node, NULL, fx.now, &out), 0);
        assert_non_null(strstr(buf_str(&out), "answers [probe]\n"));
        assert_non_null(strstr(buf_str(&out), "Connection refused [probe] (optional)\n"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(test_nobody_probes), TEST(test_standby), TEST(test_master),
                TEST(test_not_vital),     TEST(test_config),  TEST(test_stale),
                TEST(test_status),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
