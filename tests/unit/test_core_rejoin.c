/* A member that left its group: not at once, not where it leads, ever more slowly, and told. */
#include "hamon/core/rejoin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { T0 = 50000, TICK = 250 };

static const struct rejoin_view OUT = { .left = true, .others = true, .idle = true };
static const struct rejoin_view IN = { .well = true, .others = true, .idle = true };
static const struct rejoin_view ON_ITS_WAY = { .others = true, .idle = true };

/* When the first deed comes; `until`: never. */
static msec_t first_deed(struct rejoin *r, const struct rejoin_view *v, msec_t from, msec_t until,
                         enum rejoin_deed *ret)
{
        for (msec_t t = from; t < until; t += TICK)
                if ((*ret = rejoin_step(r, v, t)) != REJOIN_REST)
                        return t;
        return until;
}

static void never(const struct rejoin_view *v)
{
        struct rejoin r = { 0 };
        enum rejoin_deed deed;

        assert_int_equal(first_deed(&r, v, T0, T0 + 3600000, &deed), T0 + 3600000);
}

static void not_where_it_is_no_use_or_does_harm(void **state)
{
        struct rejoin_view v = IN;

        (void)state;
        never(&v);
        v = ON_ITS_WAY;
        never(&v);
        v = OUT;
        v.others = false; /* there is no group: that is for the recovery */
        never(&v);
        v = OUT;
        v.idle = false;
        never(&v);
        v = OUT;
        v.busy = true;
        never(&v);
}

static void once_it_is_out_for_good(void **state)
{
        struct rejoin r = { 0 };
        enum rejoin_deed deed;
        msec_t t = T0;

        (void)state;
        for (int i = 0; i < 5; i++, t += REJOIN_LEFT_MS) { /* a moment each time */
                assert_int_equal(first_deed(&r, &OUT, t, t + REJOIN_LEFT_MS - 2 * TICK, &deed),
                                 t + REJOIN_LEFT_MS - 2 * TICK);
                assert_int_equal(rejoin_step(&r, &ON_ITS_WAY, t + REJOIN_LEFT_MS - TICK),
                                 REJOIN_REST);
        }
        assert_int_equal(first_deed(&r, &OUT, t, t + 60000, &deed), t + REJOIN_LEFT_MS);
        assert_int_equal(deed, REJOIN_START);
}

static void that_it_helped_is_told_once(void **state)
{
        struct rejoin r = { 0 };
        enum rejoin_deed deed;
        msec_t t = first_deed(&r, &OUT, T0, T0 + 60000, &deed);

        (void)state;
        assert_int_equal(deed, REJOIN_START);
        assert_true(r.trying);
        t += TICK;
        assert_int_equal(first_deed(&r, &ON_ITS_WAY, t, t + 7200000, &deed), t + 7200000);
        t += 7200000; /* a full copy takes its time */
        assert_int_equal(rejoin_step(&r, &IN, t), REJOIN_HELPED);
        assert_false(r.trying);
        assert_int_equal(first_deed(&r, &IN, t + TICK, t + 60000, &deed), t + 60000);
}

/* Each try may cost another node a full copy: they become rarer, and are told. */
static void it_leaves_again_and_again(void **state)
{
        struct rejoin r = { 0 };
        enum rejoin_deed deed;
        msec_t t = T0, before = 0;

        (void)state;
        for (int i = 0; i < 8; i++) {
                t = first_deed(&r, &OUT, t, t + 3600000, &deed);
                assert_int_equal(deed, REJOIN_START);
                msec_t gap = t - before;
                if (i > 0) {
                        msec_t want = (msec_t)REJOIN_AGAIN_MS << (i - 1);
                        if (want > REJOIN_SLOWEST_MS)
                                want = REJOIN_SLOWEST_MS;
                        assert_in_range(gap, want, want + TICK);
                }
                before = t;
                t = first_deed(&r, &OUT, t + TICK, t + 3600000, &deed);
                assert_int_equal(deed, REJOIN_FAILED);
                assert_in_range(t - before, REJOIN_LEFT_MS, REJOIN_LEFT_MS + 2 * TICK);
                t += TICK;
        }
        /* well for a while, and what was before is forgotten */
        assert_int_equal(rejoin_step(&r, &IN, t), REJOIN_REST);
        assert_int_equal(rejoin_step(&r, &IN, t + REJOIN_WELL_MS), REJOIN_REST);
        t += REJOIN_WELL_MS + TICK;
        assert_int_equal(first_deed(&r, &OUT, t, t + 60000, &deed), t + REJOIN_LEFT_MS);
        assert_int_equal(deed, REJOIN_START);
}

/* It came back for a moment: that is no reason to begin anew with the count. */
static void a_moment_is_no_while(void **state)
{
        struct rejoin r = { 0 };
        enum rejoin_deed deed;
        msec_t first = first_deed(&r, &OUT, T0, T0 + 60000, &deed);

        (void)state;
        assert_int_equal(rejoin_step(&r, &IN, first + 5000), REJOIN_HELPED);
        msec_t second = first_deed(&r, &OUT, first + 6000, first + 600000, &deed);
        assert_int_equal(deed, REJOIN_START);
        assert_in_range(second - first, REJOIN_AGAIN_MS, REJOIN_AGAIN_MS + TICK);
}

/* While a person or the lead has the node, nothing begins; what was begun is still told. */
static void it_waits_for_its_turn(void **state)
{
        struct rejoin r = { 0 };
        struct rejoin_view v = OUT;
        enum rejoin_deed deed;

        (void)state;
        v.idle = false;
        assert_int_equal(first_deed(&r, &v, T0, T0 + 60000, &deed), T0 + 60000);
        assert_int_equal(rejoin_step(&r, &OUT, T0 + 60000), REJOIN_START);
        v = IN;
        v.idle = false;
        v.busy = true; /* the deed has not ended */
        assert_int_equal(rejoin_step(&r, &v, T0 + 61000), REJOIN_REST);
        v.busy = false;
        assert_int_equal(rejoin_step(&r, &v, T0 + 62000), REJOIN_HELPED);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(not_where_it_is_no_use_or_does_harm),
                cmocka_unit_test(once_it_is_out_for_good),
                cmocka_unit_test(that_it_helped_is_told_once),
                cmocka_unit_test(it_leaves_again_and_again),
                cmocka_unit_test(a_moment_is_no_while),
                cmocka_unit_test(it_waits_for_its_turn),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
