/* From events to fail-overs. The events are as a rig's three nodes wrote them. */
#include "hamon/web/failovers.h"

#include "harness.h"

enum { ROOM = 200 };

static struct event_line events[ROOM];
static struct failover list[FAILOVERS_MAX];
static size_t n_events;

static int setup(void **state)
{
        (void)state;
        n_events = 0;
        return 0;
}

#define MINUTE "2026-11-28T16:57:"
#define EVENT(at_, rest)                                                                       \
        assert_int_equal(events_parse("{\"at\":\"" MINUTE at_ "Z\",\"node\":\"n1\"," rest "}", \
                                      &events[n_events++]),                                    \
                         0)

#define CLAIM(at_) \
        EVENT(at_, \
              "\"kind\":\"state\",\"from\":\"standby\",\"to\":\"claiming\",\"reason\":\"claim\"")
#define WON(at_, epoch_)                                  \
        EVENT(at_, "\"kind\":\"state\",\"epoch\":" epoch_ \
                   ",\"from\":\"claiming\",\"to\":\"promoting\"")
#define HOOK(at_, detail_) \
        EVENT(at_, "\"kind\":\"hook\",\"to\":\"promote\",\"detail\":\"" detail_ "\"")
#define STEP(at_, ms_, detail_) \
        EVENT(at_, "\"kind\":\"step\",\"detail\":\"" detail_ "\",\"ms\":" ms_)
#define END(at_, to_) EVENT(at_, "\"kind\":\"hook_end\",\"to\":\"" to_ "\"")
#define STATE(at_, from_, to_) \
        EVENT(at_, "\"kind\":\"state\",\"from\":\"" from_ "\",\"to\":\"" to_ "\"")

static void promotion(const char *detail)
{
        CLAIM("20.909");
        WON("20.912", "3");
        if (*detail)
                HOOK("20.915", "master.sh after n2 for n2");
        else
                HOOK("20.915", "master.sh");
        STEP("21.341", "427", "volume attach: attach volume 1001 to server 42");
        STEP("21.402", "487", "volume mount: /dev/x is mounted on /mnt");
        STEP("21.676", "762", "ip assign: 1 address at this node");
        STEP("23.950", "3036", "stack start: new mail is taken");
        STEP("24.518", "3604", "stack start: 9 of 10 had to be started");
        STEP("24.754", "3839", "smtp        ok       71 ms  answers");
        END("24.756", "done");
        STATE("24.756", "promoting", "master");
}

static size_t fold(void)
{
        return failovers_fold(events, n_events, 1795885100000, list, FAILOVERS_MAX);
}

struct want {
        const char *name;
        msec_t from, took;
};

static void expect_phases(const struct failover *f, const struct want *want, size_t n)
{
        assert_int_equal(f->n_phases, n);
        for (size_t i = 0; i < n; i++) {
                assert_string_equal(f->phases[i].name, want[i].name);
                assert_int_equal(f->phases[i].from, want[i].from);
                assert_int_equal(f->phases[i].took, want[i].took);
        }
}

static void test_switchover(void **state)
{
        static const struct want WANT[] = { { "claim", 0, 3 },         { "attach", 3, 430 },
                                            { "mount", 433, 60 },      { "mail", 493, 2549 },
                                            { "services", 493, 3117 }, { "address", 493, 275 },
                                            { "checks", 3610, 237 } };

        (void)state;
        promotion("");
        assert_int_equal(fold(), 1);
        assert_int_equal(list[0].epoch, 3);
        assert_int_equal(list[0].kind, FAILOVER_SWITCHOVER);
        assert_int_equal(list[0].result, FAILOVER_DONE);
        assert_int_equal(list[0].total, 3847);
        assert_string_equal(list[0].node, "n1");
        assert_string_equal(list[0].began, MINUTE "20.909Z");
        expect_phases(&list[0], WANT, ARRAY_SIZE(WANT));
}

/* The time begins when the master fell silent, not when its lease had run out. */
static void test_failover(void **state)
{
        (void)state;
        EVENT("01.000", "\"kind\":\"peer\",\"from\":\"n3\",\"to\":\"silent\"");
        EVENT("08.000", "\"kind\":\"peer\",\"from\":\"n2\",\"to\":\"silent\"");
        EVENT("09.000", "\"kind\":\"peer\",\"from\":\"n2\",\"to\":\"answered\"");
        EVENT("10.000", "\"kind\":\"peer\",\"from\":\"n2\",\"to\":\"silent\"");
        promotion("after");
        assert_int_equal(fold(), 1);
        assert_int_equal(list[0].kind, FAILOVER_FAILOVER);
        assert_string_equal(list[0].old, "n2");
        assert_string_equal(list[0].began, MINUTE "10.000Z");
        assert_int_equal(list[0].total, 14756);
        assert_string_equal(list[0].phases[0].name, "wait");
        assert_int_equal(list[0].phases[0].took, 10909);
        assert_string_equal(list[0].phases[1].name, "claim");
        assert_int_equal(list[0].phases[1].from, 10909);
        assert_int_equal(list[0].phases[1].took, 3);
}

/* It was not heard falling silent (or answers again): the time begins with the claim. */
static void test_failover_without_silence(void **state)
{
        (void)state;
        EVENT("08.000", "\"kind\":\"peer\",\"from\":\"n2\",\"to\":\"silent\"");
        EVENT("09.000", "\"kind\":\"peer\",\"from\":\"n2\",\"to\":\"answered\"");
        promotion("after");
        assert_int_equal(fold(), 1);
        assert_int_equal(list[0].kind, FAILOVER_FAILOVER);
        assert_string_equal(list[0].phases[0].name, "claim");
        assert_int_equal(list[0].total, 3847);
}

static void test_start(void **state)
{
        (void)state;
        CLAIM("20.000");
        WON("20.010", "1");
        HOOK("20.011", "master.sh");
        STATE("25.000", "promoting", "master");
        CLAIM("30.000");
        WON("30.010", "4");
        HOOK("30.011", "master.sh after n1"); /* its own lease, of before the power cut */
        STATE("35.000", "promoting", "master");
        assert_int_equal(fold(), 2);
        assert_int_equal(list[0].kind, FAILOVER_START);
        assert_int_equal(list[1].kind, FAILOVER_START);
}

static void test_not_won(void **state)
{
        (void)state;
        CLAIM("20.000");
        STATE("20.010", "claiming", "standby");
        assert_int_equal(fold(), 0);
        CLAIM("21.000");
        EVENT("21.100", "\"kind\":\"state\",\"from\":\"claiming\",\"to\":\"claiming\"");
        assert_int_equal(fold(), 0);
}

static void test_failed(void **state)
{
        (void)state;
        CLAIM("20.000");
        WON("20.010", "3");
        HOOK("20.011", "master.sh");
        STEP("21.341", "427", "volume attach: attach volume 1001 to server 42");
        END("22.000", "failed");
        STATE("22.000", "promoting", "demoting");
        assert_int_equal(fold(), 1);
        assert_int_equal(list[0].result, FAILOVER_FAILED);
        assert_int_equal(list[0].total, 2000);
        assert_int_equal(list[0].n_phases, 2); /* what failed has no end */
}

/* A hook that ended with "try again" runs anew: the same fail-over, and each phase's last end. */
static void test_again(void **state)
{
        (void)state;
        CLAIM("20.000");
        WON("20.010", "3");
        HOOK("20.020", "master.sh after n2");
        STEP("20.500", "480", "volume attach: attach volume 1001 to server 42");
        END("21.000", "temporary");
        HOOK("22.000", "master.sh after n2");
        STEP("22.100", "100", "volume attach: it is there");
        END("23.000", "done");
        STATE("23.000", "promoting", "master");
        assert_int_equal(fold(), 1);
        assert_string_equal(list[0].phases[1].name, "attach");
        assert_int_equal(list[0].phases[1].took, 2090);
        assert_int_equal(list[0].total, 3000);
}

static void test_running_and_cut_off(void **state)
{
        (void)state;
        CLAIM("20.000");
        WON("20.010", "3");
        assert_int_equal(fold(), 1);
        assert_int_equal(list[0].result, FAILOVER_RUNNING);
        assert_int_equal(list[0].total, 1795885100000 - events[0].at_ms);
        EVENT("25.000", "\"kind\":\"start\",\"to\":\"init\"");
        assert_int_equal(fold(), 1);
        assert_int_equal(list[0].result, FAILOVER_FAILED);
}

/* The oldest ones go. */
static void test_bound(void **state)
{
        (void)state;
        for (int i = 0; i < 6; i++)
                promotion("");
        assert_int_equal(failovers_fold(events, n_events, 0, list, 4), 4);
        assert_int_equal(failovers_fold(events, n_events, 0, list, 0), 0);
}

/* Words of recover hooks and of steps by hand belong to no promotion. */
static void test_other_words(void **state)
{
        (void)state;
        STEP("19.000", "5", "volume attach: by hand");
        promotion("");
        EVENT("40.000", "\"kind\":\"hook\",\"to\":\"recover\",\"detail\":\"master.sh\"");
        STEP("41.000", "1000", "stack start: 1 of 10 had to be started");
        END("41.000", "done");
        assert_int_equal(fold(), 1);
        assert_int_equal(list[0].total, 3847);
        assert_int_equal(list[0].n_phases, 7);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(test_switchover, setup),
                cmocka_unit_test_setup(test_failover, setup),
                cmocka_unit_test_setup(test_failover_without_silence, setup),
                cmocka_unit_test_setup(test_start, setup),
                cmocka_unit_test_setup(test_not_won, setup),
                cmocka_unit_test_setup(test_failed, setup),
                cmocka_unit_test_setup(test_again, setup),
                cmocka_unit_test_setup(test_running_and_cut_off, setup),
                cmocka_unit_test_setup(test_bound, setup),
                cmocka_unit_test_setup(test_other_words, setup),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
