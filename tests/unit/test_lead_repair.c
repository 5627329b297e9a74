/* One local repair: a service that hangs is restarted once, by the recovering hook, and as long as
 * that may help the master does not go. */
#include "tests/unit/lead_fixture.h"

static bool logged(const char *part)
{
        return file_has(at(&lw.tmp, "log"), part);
}

static const char *now_line(void)
{
        buf_reset(&lw.answer);
        lead_now(lw.lead, &lw.answer);
        return buf_str(&lw.answer);
}

/* A master that has been one for long enough to assert things. */
static void lead_with(const char *grace)
{
        lw.grace = grace;
        world_configure("");
        world_start();
        become_master();
        TURN_UNTIL(lw.active && lw.node.verdict.fitness == FIT);
}

static void repair_is_asked(void)
{
        lw.hung = true;
        TURN_UNTIL(hook_ran("recover") > 0 && hook_had("recover", "HAMON_REPAIR=a1\n"));
        assert_true(logged("from=a1 to=begun"));
        assert_true(logged("reason=container_paused"));
        assert_true(is_state(ST_MASTER));
}

static void what_hangs_is_restarted_once(void **unused)
{
        (void)unused;
        lead_with("20s");
        repair_is_asked();
        if (!strstr(now_line(), "a1 hangs, and is restarted once"))
                fail_msg("%s", buf_str(&lw.answer));
        lw.hung = false;
        TURN_UNTIL(logged("from=a1 to=helped"));
        assert_true(is_state(ST_MASTER));
        assert_null(strstr(now_line(), "a1 hangs"));

        unlink(at(&lw.tmp, "env.recover"));
        lw.hung = true; /* twice is no accident */
        TURN_UNTIL(lw.node.verdict.reason == REASON_CONTAINER_PAUSED);
        TURN_WHILE(7000, is_state(ST_MASTER));
        assert_false(hook_had("recover", "HAMON_REPAIR=a1\n"));
        TURN_UNTIL(hook_ran("demote") > 0);
        assert_true(hook_had("demote", "HAMON_REASON=unfit\n"));
}

/* A restart that does not end, or does not help, holds it up for no longer than grace. */
static void it_has_as_long_as_grace(void **unused)
{
        (void)unused;
        lead_with("3s");
        hook_does("recover", "sleep 30");
        repair_is_asked();
        msec_t began = clock_ms();
        TURN_UNTIL(is_state(ST_DEMOTING));
        assert_in_range(clock_ms() - began, 2500, 12000);
        assert_int_equal(lw.node.verdict.fitness, UNFIT);
        TURN_UNTIL(hook_ran("demote") > 0);
}

/* Nobody else is fit: it stays, and tells that the repair did not help. */
static void it_stays_when_nobody_can(void **unused)
{
        (void)unused;
        lw.others[0].says.candidate = lw.others[1].says.candidate = false;
        lead_with("2s");
        repair_is_asked();
        TURN_UNTIL(logged("from=a1 to=failed"));
        TURN_UNTIL(logged("alert to=stay"));
        assert_true(is_state(ST_MASTER));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                LEAD_CASE(what_hangs_is_restarted_once),
                LEAD_CASE(it_has_as_long_as_grace),
                LEAD_CASE(it_stays_when_nobody_can),
        };

        return cmocka_run_group_tests(tests, world_group_setup, server_group_teardown);
}
