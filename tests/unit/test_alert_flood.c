/* hamon/web/alert_book.c, alert_flood.c: a node's own events, what is told once for many, and how
 * much at most. */
#include "tests/unit/alert_world.h"

/* ---- own events ---- */

static void event(const char *kind, const char *from, const char *to, const char *reason)
{
        struct event_line e = { .at_ms = w.now, .took = -1 };
        struct alert_message m;

        str_copy(e.node, sizeof e.node, "n1");
        str_copy(e.kind, sizeof e.kind, kind);
        str_copy(e.from, sizeof e.from, from);
        str_copy(e.to, sizeof e.to, to);
        str_copy(e.reason, sizeof e.reason, reason);
        const struct alert_rule *r = alert_rule_find(&e);
        assert_non_null(r);
        alert_rule_message(r, &e, "mail", &m);
        alert_book_event(&w.book[0], r, &m, w.now);
        listen_to(0);
}

static void test_event_is_told_at_once(void **unused)
{
        (void)unused;
        world(3);
        event("state", "claiming", "promoting", "lease_won");
        event("state", "promoting", "master", "hook_ok");
        ASSERT_TOLD(2);
        assert_string_equal(w.told[0].m.title, "n1 takes over the lead");
        assert_string_equal(w.told[1].m.title, "n1 is master now");
        assert_string_not_equal(w.told[0].m.id, w.told[1].m.id);
}

/* A beginning and its end that are read in the same moment are both told. */
static void test_begin_and_end_at_once(void **unused)
{
        (void)unused;
        world(3);
        event("state", "master", "fencing", "lease_lost");
        event("state", "fencing", "standby", "hook_ok");
        ASSERT_TOLD(2);
        assert_int_equal(w.told[0].m.phase, PHASE_OPEN);
        assert_int_equal(w.told[1].m.phase, PHASE_OVER);
        assert_int_equal(w.told[1].m.level, LOG_ERROR);  /* who hears of one hears of both */
        event("state", "fencing", "standby", "hook_ok"); /* the end of nothing */
        run(60000);
        ASSERT_TOLD(2);
}

static void test_hold_of_an_event(void **unused)
{
        (void)unused;
        world(3);
        event("guard", "armed", "silent", "");
        run(5000);
        event("guard", "silent", "armed", "");
        run(60000);
        ASSERT_TOLD(0);
        event("guard", "armed", "silent", "");
        run(60000);
        ASSERT_TOLD(1);
        event("start", "", "standby", ""); /* a new daemon tells anew what is wrong */
        event("guard", "", "silent", "");
        run(60000);
        ASSERT_TOLD(1);
        event("start", "", "standby", "");
        run(60000);
        ASSERT_TOLD(2);
        assert_int_equal(count("guard:n1", PHASE_OVER), 1);
}

static void test_more_like_this(void **unused)
{
        (void)unused;
        world(3);
        for (int i = 0; i < 13; i++)
                event("clock_gap", "", "", "");
        ASSERT_TOLD(1);
        run(14 * 60000);
        ASSERT_TOLD(1);
        run(120000);
        ASSERT_TOLD(2);
        assert_int_equal(w.told[1].m.more, 11); /* and the one that says so */
        run(60 * 60000);
        ASSERT_TOLD(2);
}

/* Something that comes and goes: two pairs, then silence for a while, then how it is. */
static void test_flapping(void **unused)
{
        (void)unused;
        world(3);
        run(10000);
        for (int i = 0; i < 8; i++) {
                w.up[2] = false;
                run(50000);
                w.up[2] = true;
                run(30000);
        }
        ASSERT_TOLD(4);
        w.up[2] = false;
        run(REPEAT);
        ASSERT_TOLD(5);
        assert_int_equal(w.told[4].m.phase, PHASE_OPEN);
        assert_int_equal(w.told[4].m.more, 6);
}

/* ---- flood ---- */

static struct alert_message message(enum log_level level, unsigned i)
{
        struct alert_message m = { .level = level, .at_ms = i };

        snprintf(m.key, sizeof m.key, "k%u", i);
        snprintf(m.title, sizeof m.title, "title %u", i);
        return m;
}

static void test_flood(void **unused)
{
        struct alert_flood f;
        struct alert_message m, got;
        unsigned n = 0;

        (void)unused;
        alert_flood_init(&f, 12, 60000, 0);
        for (unsigned i = 0; i < 30; i++) {
                m = message(LOG_INFO, i);
                alert_flood_tell(&f, &m, false, 0);
        }
        for (unsigned i = 30; i < 40; i++) {
                m = message(LOG_ERROR, i);
                alert_flood_tell(&f, &m, false, 0);
        }
        m = message(LOG_INFO, 40);
        assert_true(alert_flood_tell(&f, &m, true, 0)); /* paid for by its begin */
        while (alert_flood_next(&f, &got))
                n++;
        assert_int_equal(n, 13); /* 8, and 4 that only errors may have, and the end */
        assert_string_equal(got.title, m.title);
        assert_int_equal(f.held, 28);
        alert_flood_step(&f, "mail", "n1", 59999, 1);
        assert_false(alert_flood_next(&f, &got));
        alert_flood_step(&f, "mail", "n1", 60000, 1);
        assert_true(alert_flood_next(&f, &got));
        assert_string_equal(got.title, "28 more messages of n1");
        assert_int_equal(got.level, LOG_ERROR);
        assert_non_null(strstr(got.text, "title 8; title 9"));
        assert_non_null(strstr(got.text, "and 20 more"));
        assert_false(alert_flood_next(&f, &got));
        assert_int_equal(f.held, 0);
}

/* No message is left to this node. */
static void spend(size_t i)
{
        struct alert_message m;
        bool passed;

        do {
                m = message(LOG_ERROR, 0);
                passed = alert_flood_tell(&w.book[i].flood, &m, false, w.now);
                while (alert_book_next(&w.book[i], &m)) {}
        } while (passed);
}

/* What a pager rang for, it must hear the end of, however much is told meanwhile. */
static void test_end_of_what_was_told(void **unused)
{
        (void)unused;
        world(3);
        w.up[2] = false;
        run(50000);
        assert_int_equal(count("node_silent:n3", PHASE_OPEN), 1);
        spend(0);
        w.up[2] = true;
        run(30000);
        assert_int_equal(count("node_silent:n3", PHASE_OVER), 1);
}

/* And what it was only told about among others does not ring to say that it is over. */
static void test_end_of_what_was_kept_back(void **unused)
{
        (void)unused;
        world(3);
        w.up[2] = false;
        for (msec_t end = w.now + 50000; w.now < end;) {
                spend(0);
                run(STEP);
        }
        assert_int_equal(count("node_silent:n3", PHASE_OPEN), 0);
        assert_true(w.book[0].flood.held > 0);
        w.up[2] = true;
        for (msec_t end = w.now + 30000; w.now < end;) {
                spend(0);
                run(STEP);
        }
        assert_int_equal(count("node_silent:n3", PHASE_OVER), 0);
        run(3 * 60000);
        ASSERT_TOLD(1);
        assert_string_equal(w.told[0].m.key, "more:n1");
}

/* In an hour of a message a second: the burst, one a minute, and all are accounted for. */
static void test_flood_for_an_hour(void **unused)
{
        struct alert_flood f;
        struct alert_message m, got;
        uint64_t n = 0, told = 0;

        (void)unused;
        alert_flood_init(&f, 12, 60000, 0);
        for (unsigned i = 0; i < 3600; i++) {
                m = message(LOG_WARN, i);
                alert_flood_tell(&f, &m, false, i * 1000);
                alert_flood_step(&f, "mail", "n1", i * 1000, i);
                while (alert_flood_next(&f, &got)) {
                        n++;
                        told += strncmp(got.key, "more:", 5) == 0 ? strtoull(got.title, NULL, 10)
                                                                  : 1;
                }
        }
        assert_in_range(n, 60, 12 + 61);
        assert_int_equal(told + f.held, 3600);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_event_is_told_at_once),
                cmocka_unit_test(test_begin_and_end_at_once),
                cmocka_unit_test(test_hold_of_an_event),
                cmocka_unit_test(test_more_like_this),
                cmocka_unit_test(test_flapping),
                cmocka_unit_test(test_flood),
                cmocka_unit_test(test_end_of_what_was_told),
                cmocka_unit_test(test_end_of_what_was_kept_back),
                cmocka_unit_test(test_flood_for_an_hour),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
