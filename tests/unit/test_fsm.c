/* `hamon fsm`: what it prints is the table that was reviewed, tests/unit/fsm.expected. Whoever
 * changes the machine changes both, and the difference stands in the review. */
#include "harness.h"

#include "hamon/core/fsm.h"

static struct tmp tmp;
static struct ran ran;
static char hamon[512];

static int setup(void **unused)
{
        (void)unused;
        str_copy(hamon, sizeof hamon, program("hamon"));
        return tmp_make(&tmp);
}

static int teardown(void **unused)
{
        (void)unused;
        tmp_remove(&tmp);
        return 0;
}

static void test_text(void **unused)
{
        char path[512];

        (void)unused;
        assert_non_null(getenv("MHA_SOURCE"));
        snprintf(path, sizeof path, "%s/tests/unit/fsm.expected", getenv("MHA_SOURCE"));
        RUN(&tmp, &ran, hamon, "fsm");
        assert_int_equal(ran.code, 0);
        assert_string_equal(ran.err, "");
        if (!file_holds(path, ran.out))
                fail_msg("the table is not the one in tests/unit/fsm.expected; after a review: "
                         "hamon fsm >tests/unit/fsm.expected");
}

static void test_dot(void **unused)
{
        char arrow[128];

        (void)unused;
        RUN(&tmp, &ran, hamon, "fsm", "--dot");
        assert_int_equal(ran.code, 0);
        assert_int_equal(strncmp(ran.out, "digraph hamon {\n", 16), 0);
        assert_string_equal(ran.out + strlen(ran.out) - 2, "}\n");
        for (int s = 0; s < ST_COUNT_; s++)
                for (int e = 0; e < EV_COUNT_; e++) {
                        if (FSM[s][e].next == (enum ha_state)s)
                                continue;
                        snprintf(arrow, sizeof arrow, "\t%s -> %s [label=\"", HA_STATES[s],
                                 HA_STATES[FSM[s][e].next]);
                        const char *line = strstr(ran.out, arrow);
                        if (!line || !strstr(line, HA_EVENTS[e]) ||
                            strstr(line, HA_EVENTS[e]) > strchr(line, '\n'))
                                fail_msg("no %s in %s", HA_EVENTS[e], arrow);
                }
}

static void test_mistakes(void **unused)
{
        (void)unused;
        RUN(&tmp, &ran, hamon, "fsm", "--svg");
        assert_int_equal(ran.code, 64);
        assert_string_equal(ran.out, "");
        assert_non_null(strstr(ran.err, "--svg"));
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        const struct CMUnitTest tests[] = { CASE(test_text), CASE(test_dot), CASE(test_mistakes) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
