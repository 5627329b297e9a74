/* What Docker left stopped: tried again at a pace, told once, and Docker restarted by nobody but a
 * standby that is no use without. */
#include "hamon/core/warm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { T0 = 50000 };

static const struct warm_view LEFT = { .left = true, .allowed = true, .standby = true };
static const struct warm_view WELL = { .allowed = true, .standby = true, .candidate = true };

/* It was seen, waited for, and tried in vain: Docker keeps the port. */
static msec_t stick(struct warm *w)
{
        assert_int_equal(warm_step(w, &LEFT, T0), WARM_REST);
        assert_int_equal(warm_step(w, &LEFT, T0 + WARM_FIRST_MS), WARM_START);
        assert_true(warm_ended(w, false, true, T0 + WARM_FIRST_MS + 500));
        return T0 + WARM_FIRST_MS + 500;
}

static void nothing_left_is_nothing_to_do(void **state)
{
        struct warm w = { 0 };

        (void)state;
        for (msec_t t = T0; t < T0 + 60000; t += 100)
                assert_int_equal(warm_step(&w, &WELL, t), WARM_REST);
}

static void tried_at_a_pace_and_told_once(void **state)
{
        struct warm w = { 0 };
        msec_t tries[4];
        size_t n = 0, told = 0;

        (void)state;
        for (msec_t t = T0; n < 4 && t < T0 + 120000; t += 100) {
                if (warm_step(&w, &LEFT, t) != WARM_START)
                        continue;
                tries[n++] = t;
                told += warm_ended(&w, false, false, t);
        }
        assert_int_equal(n, 4);
        assert_int_equal(tries[0], T0 + WARM_FIRST_MS);
        for (size_t i = 1; i < n; i++)
                assert_int_equal(tries[i] - tries[i - 1], WARM_AGAIN_MS);
        assert_int_equal(told, 1);
        assert_true(warm_ended(&w, true, false, tries[3])); /* success is news each time */
        assert_true(warm_ended(&w, true, false, tries[3]));
}

/* One helped: the next one of those that were left is not kept waiting. */
static void the_next_follows_at_once(void **state)
{
        struct warm w = { 0 };

        (void)state;
        warm_step(&w, &LEFT, T0);
        assert_int_equal(warm_step(&w, &LEFT, T0 + WARM_FIRST_MS), WARM_START);
        assert_true(warm_ended(&w, true, false, T0 + 4000));
        assert_int_equal(warm_step(&w, &LEFT, T0 + 4000), WARM_START);
}

static void well_again_is_forgotten(void **state)
{
        struct warm w = { 0 };
        msec_t t = stick(&w);

        (void)state;
        assert_int_equal(warm_step(&w, &WELL, t), WARM_REST);
        assert_int_equal(warm_step(&w, &LEFT, t + 100),
                         WARM_REST); /* not "stuck" from the last time */
        assert_int_equal(warm_step(&w, &LEFT, t + 100 + WARM_FIRST_MS), WARM_START);
        assert_true(warm_ended(&w, false, false, t + 4000)); /* and told anew */
}

static void one_deed_at_a_time(void **state)
{
        struct warm w = { 0 };
        struct warm_view busy = LEFT;
        msec_t t = stick(&w);

        (void)state;
        busy.busy = true;
        for (msec_t end = t + 60000; t < end; t += 100)
                assert_int_equal(warm_step(&w, &busy, t), WARM_REST);
        assert_int_equal(warm_step(&w, &LEFT, t), WARM_RESTART);
}

/* What a person does to it makes what was known of it old. */
static void after_maintenance_it_begins_anew(void **state)
{
        struct warm w = { 0 };
        struct warm_view maintenance = LEFT;
        msec_t t = stick(&w);

        (void)state;
        maintenance.maintenance = true;
        for (msec_t end = t + 60000; t < end; t += 100)
                assert_int_equal(warm_step(&w, &maintenance, t), WARM_REST);
        assert_int_equal(warm_step(&w, &LEFT, t), WARM_REST);
        assert_int_equal(warm_step(&w, &LEFT, t + WARM_FIRST_MS), WARM_START);
}

static void docker_is_restarted_once(void **state)
{
        struct warm w = { 0 };
        msec_t t = stick(&w);

        (void)state;
        assert_int_equal(warm_step(&w, &LEFT, t), WARM_RESTART); /* there is nothing to wait for */
        assert_true(w.restarting);
        assert_true(warm_ended(&w, false, false, t)); /* told, though a failure was before */
        assert_false(w.restarting);
        assert_int_equal(warm_step(&w, &LEFT, t), WARM_REST); /* Docker starts them first */
        t += WARM_FIRST_MS;
        assert_int_equal(warm_step(&w, &LEFT, t), WARM_START);
        warm_ended(&w, false, true, t);
        for (msec_t end = t + WARM_AGAIN_MS; t < end; t += 100)
                assert_int_equal(warm_step(&w, &LEFT, t), WARM_REST);
        assert_int_equal(warm_step(&w, &LEFT, t), WARM_START);
        assert_int_equal(warm_step(&w, &WELL, t), WARM_REST);
        assert_true(w.restarted); /* for the whole boot */
}

static void another_programs_port_is_no_reason(void **state)
{
        struct warm w = { 0 };

        (void)state;
        warm_step(&w, &LEFT, T0);
        assert_int_equal(warm_step(&w, &LEFT, T0 + WARM_FIRST_MS), WARM_START);
        warm_ended(&w, false, false, T0 + WARM_FIRST_MS);
        for (msec_t t = T0 + WARM_FIRST_MS; t < T0 + 120000; t += 100)
                assert_int_not_equal(warm_step(&w, &LEFT, t), WARM_RESTART);
}

/* A restart ends every container of the node: each of these alone forbids it. */
static void who_is_of_use_does_not_restart_docker(void **state)
{
        static const struct {
                const char *name;
                struct warm_view but;
        } ROWS[] = {
                { "off", { .left = true, .standby = true } },
                { "no standby", { .left = true, .allowed = true } },
                { "lease", { .left = true, .allowed = true, .standby = true, .lease = true } },
                { "volume", { .left = true, .allowed = true, .standby = true, .mounted = true } },
                { "fit", { .left = true, .allowed = true, .standby = true, .candidate = true } },
        };

        (void)state;
        for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
                struct warm w = { 0 };
                msec_t t = stick(&w), end = t + 60000;

                for (; t < end; t += 100)
                        if (warm_step(&w, &ROWS[i].but, t) == WARM_RESTART)
                                fail_msg("%s: Docker was restarted", ROWS[i].name);
                assert_int_equal(warm_step(&w, &LEFT, t),
                                 WARM_RESTART); /* else it would have been */
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(nothing_left_is_nothing_to_do),
                cmocka_unit_test(tried_at_a_pace_and_told_once),
                cmocka_unit_test(the_next_follows_at_once),
                cmocka_unit_test(well_again_is_forgotten),
                cmocka_unit_test(one_deed_at_a_time),
                cmocka_unit_test(after_maintenance_it_begins_anew),
                cmocka_unit_test(docker_is_restarted_once),
                cmocka_unit_test(another_programs_port_is_no_reason),
                cmocka_unit_test(who_is_of_use_does_not_restart_docker),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
