/* After the database was away: once, when it is back, on the master alone. */
#include "hamon/core/outage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { T0 = 50000 };

static const struct check_state UP = { .seen = true, .verdict = V_UP };
static const struct check_state BLIP = { .seen = true, .verdict = V_UP, .bad = true };
static const struct check_state DOWN = { .seen = true, .verdict = V_DOWN, .bad = true };
static const struct check_state BACK = { .seen = true, .verdict = V_SUSPECT, .bad = true };
static const struct check_state STALE = { .seen = true, .verdict = V_UNKNOWN };
static const struct check_state NEVER = { .verdict = V_UNKNOWN };

#define STEP(CHECK, AT) outage_step(&o, true, &(CHECK), false, AT)

static void nothing_happened(void **state)
{
        struct outage o = { 0 };

        (void)state;
        for (msec_t t = T0; t < T0 + 60000; t += 100) {
                assert_false(STEP(UP, t));
                assert_false(STEP(NEVER, t));
                assert_false(
                        STEP(STALE, t)); /* the node was frozen: and so was who would remember */
        }
}

static void once_when_it_is_back(void **state)
{
        struct outage o = { 0 };
        msec_t t = T0;

        (void)state;
        for (; t < T0 + 7000; t += 100)
                assert_false(STEP(DOWN, t));
        assert_false(STEP(BACK, t)); /* passes, not for long enough */
        assert_false(STEP(STALE, t));
        assert_true(STEP(UP, t));
        assert_true(outage_ended(&o, true, t));
        for (msec_t end = t + 60000; t < end; t += 100)
                assert_false(STEP(UP, t));
}

/* A mail that comes in the one second it was away is enough. */
static void a_blip_counts(void **state)
{
        struct outage o = { 0 };

        (void)state;
        assert_false(STEP(BLIP, T0));
        assert_true(STEP(UP, T0 + 1000));
}

static void a_standby_has_nobody_to_tell(void **state)
{
        struct outage o = { 0 };

        (void)state;
        assert_false(outage_step(&o, false, &DOWN, false, T0));
        assert_false(STEP(UP, T0 + 1000));
        assert_false(STEP(DOWN, T0 + 2000));
        assert_false(
                outage_step(&o, false, &UP, false, T0 + 3000)); /* it lost the lead meanwhile */
        assert_false(STEP(UP, T0 + 4000));
}

static void a_failure_is_tried_again_for_a_while(void **state)
{
        struct outage o = { 0 };
        msec_t t = T0;
        unsigned tries = 0;

        (void)state;
        assert_false(STEP(DOWN, t));
        for (; t < T0 + 60000; t += 100) {
                if (!STEP(UP, t))
                        continue;
                tries++;
                assert_int_equal(outage_ended(&o, false, t), tries == OUTAGE_TRIES);
                assert_int_equal(t, T0 + (tries - 1) * OUTAGE_AGAIN_MS);
                assert_false(STEP(UP, t));
        }
        assert_int_equal(tries, OUTAGE_TRIES);
        assert_false(STEP(DOWN, t)); /* the next outage has its own */
        assert_true(STEP(UP, t + OUTAGE_AGAIN_MS));
        assert_false(outage_ended(&o, false, t));
}

static void away_again_meanwhile_is_another_reason(void **state)
{
        struct outage o = { 0 };

        (void)state;
        assert_false(STEP(DOWN, T0));
        assert_true(STEP(UP, T0 + 1000));
        assert_false(outage_step(&o, true, &DOWN, true, T0 + 1200));
        assert_false(outage_step(&o, true, &UP, true, T0 + 1400)); /* it is under way */
        assert_true(outage_ended(&o, true, T0 + 1500));
        assert_false(STEP(UP, T0 + 1600)); /* but not without a pause: it may flap */
        assert_true(STEP(UP, T0 + 1000 + OUTAGE_AGAIN_MS));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(nothing_happened),
                cmocka_unit_test(once_when_it_is_back),
                cmocka_unit_test(a_blip_counts),
                cmocka_unit_test(a_standby_has_nobody_to_tell),
                cmocka_unit_test(a_failure_is_tried_again_for_a_while),
                cmocka_unit_test(away_again_meanwhile_is_another_reason),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
