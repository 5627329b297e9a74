/* The order of starts and stops: pure data in, an order out. Rows name services by single letters;
 * "b<a" says that b needs a. */
#include "hamon/stack_plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct stack_plan plan;

/* "r d<r p!<x s? w~ t+": a service each, what it needs, '!' first to stop, '?' warm, '~' a rival,
 * '+' for taking mail, '^' for that and without the volume. */
static void make(const char *text)
{
        char word[64];
        int used;

        plan.n = 0;
        while (sscanf(text, "%63s%n", word, &used) == 1) {
                struct stack_member *m = &plan.v[plan.n++];
                text += used;
                *m = (struct stack_member){ .set = SET_ACTIVE, .state = CTR_EXITED };
                m->service[0] = word[0];
                const char *p = word + 1;
                for (; *p && *p != '<'; p++) {
                        m->first = m->first || *p == '!';
                        m->rival = m->rival || *p == '~';
                        m->early = m->early || *p == '^';
                        m->mail = m->mail || *p == '+' || *p == '^';
                        m->set = *p == '?' ? SET_WARM : m->rival ? SET_IGNORED : m->set;
                }
                for (p += *p == '<'; *p; p++)
                        snprintf(m->needs + strlen(m->needs), sizeof m->needs - strlen(m->needs),
                                 "%s%c", *m->needs ? " " : "", *p);
        }
}

/* One wave after the other: all that may begin, then all of these are over. */
static const char *waves(void)
{
        static char out[256];
        char wave[64];

        out[0] = '\0';
        while (!stack_plan_over(&plan)) {
                size_t n = 0;
                for (ssize_t i; (i = stack_plan_next(&plan)) >= 0;)
                        wave[n++] = plan.v[i].service[0];
                wave[n] = '\0';
                assert_true(n > 0);
                for (size_t i = 0; i < plan.n; i++)
                        if (plan.v[i].turn == TURN_BUSY)
                                plan.v[i].turn = TURN_OVER;
                snprintf(out + strlen(out), sizeof out - strlen(out), "%s%s", *out ? " " : "",
                         wave);
        }
        return out;
}

static void test_orders(void **state)
{
        static const struct {
                const char *members, *only, *started, *stopped;
        } ROWS[] = {
                { "", NULL, "", "" },
                { "r", NULL, "r", "r" },
                { "d<r r", NULL, "r d", "d r" },
                { "n<pr p<r r o", NULL, "ro p n", "no p r" },
                { "r d<r p! n<d", NULL, "rp d n", "p n d r" }, /* first: all others wait for it */
                { "a<b b<c c<a", NULL, "a c b", "a b c" },     /* a circle is cut, at its first */
                { "a<a b", NULL, "ab", "ab" },
                { "d<m m? r", NULL, "dr", "dr" },        /* of another set: not waited for */
                { "d<x", NULL, "d", "d" },               /* no such container */
                { "p! w~<p d<p", NULL, "pw d", "pw d" }, /* the rival: stopped at any time */
                { "p! d<p m? w~", "d", "d", "d" },       /* one alone */
                { "a! b! c", NULL, "abc", "ab c" },
                { "ab<c c", NULL, "c a", "a c" },
                { "r+ d+<r p!+ s^<d", NULL, "rp d s", "p rds" }, /* nobody brings them work */
                { "r+ d+<r p!+ s^<d n<dr", NULL, "rp d sn", "p sn rd" },
        };

        (void)state;
        for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
                make(ROWS[i].members);
                stack_plan_aim(&plan, STACK_START, SET_ACTIVE, PART_ALL, ROWS[i].only);
                assert_string_equal(waves(), ROWS[i].started);
                stack_plan_aim(&plan, STACK_STOP, SET_ACTIVE, PART_ALL, ROWS[i].only);
                assert_string_equal(waves(), ROWS[i].stopped);
        }
}

static void test_aim(void **state)
{
        (void)state;
        make("a b? w~");
        stack_plan_aim(&plan, STACK_START, SET_ACTIVE, PART_ALL, NULL);
        assert_int_equal(plan.v[0].turn, TURN_WAITING);
        assert_false(plan.v[0].stop);
        assert_int_equal(plan.v[1].turn, TURN_NONE);
        assert_int_equal(plan.v[2].turn, TURN_WAITING);
        assert_true(plan.v[2].stop); /* a rival is stopped, also where others are started */

        make("a b+ c+? w~ d+");
        stack_plan_aim(&plan, STACK_START, SET_ACTIVE, PART_MAIL, NULL);
        assert_int_equal(plan.v[0].turn, TURN_NONE);
        assert_int_equal(plan.v[1].turn, TURN_WAITING);
        assert_int_equal(plan.v[2].turn, TURN_NONE);
        assert_int_equal(plan.v[3].turn, TURN_WAITING);
        assert_int_equal(plan.v[4].turn, TURN_WAITING);

        for (enum stack_part part = PART_EARLY; part <= PART_REST; part++) {
                make("a b+ c^? w~ d^");
                stack_plan_aim(&plan, STACK_STOP, SET_ACTIVE, part, NULL);
                assert_int_equal(plan.v[0].turn, part == PART_REST ? TURN_WAITING : TURN_NONE);
                assert_int_equal(plan.v[1].turn, TURN_NONE);
                assert_int_equal(plan.v[2].turn, TURN_NONE);
                assert_int_equal(plan.v[3].turn, part == PART_REST ? TURN_WAITING : TURN_NONE);
                assert_int_equal(plan.v[4].turn, part == PART_REST ? TURN_NONE : TURN_WAITING);
        }

        make("a b? w~");
        stack_plan_aim(&plan, STACK_START, SET_WARM, PART_ALL, NULL);
        assert_int_equal(plan.v[0].turn, TURN_NONE);
        assert_int_equal(plan.v[1].turn, TURN_WAITING);
        assert_int_equal(plan.v[2].turn, TURN_NONE);

        stack_plan_aim(&plan, STACK_STOP, SET_WARM, PART_ALL, NULL);
        assert_int_equal(plan.v[0].turn, TURN_NONE);
        assert_true(plan.v[1].stop);
        assert_int_equal(plan.v[2].turn, TURN_WAITING);

        stack_plan_aim(&plan, STACK_LOOK, SET_WARM, PART_ALL, NULL);
        for (size_t i = 0; i < plan.n; i++)
                assert_int_equal(plan.v[i].turn, TURN_WAITING);
        assert_ptr_equal(stack_plan_find(&plan, "b"), &plan.v[1]);
        assert_null(stack_plan_find(&plan, "c"));
}

static void test_hurry(void **state)
{
        (void)state;
        make("r d<r p! n<d");
        stack_plan_aim(&plan, STACK_STOP, SET_ACTIVE, PART_ALL, NULL);
        plan.hurry = true;
        assert_string_equal(waves(), "rdpn");
        stack_plan_aim(&plan, STACK_STOP, SET_ACTIVE, PART_ALL, NULL); /* not for ever */
        assert_string_equal(waves(), "p n d r");
}

static void test_needs(void **state)
{
        static const char *const ROWS[][2] = {
                { "", "" },
                { "mysql-mailcow:service_started:false", "mysql-mailcow" },
                { "a:service_healthy:true,b:service_started:false", "a b" },
                { "a,b,,c:x", "a b c" },
                { ":x,,", "" },
                { "a:", "a" },
        };
        char dst[STACK_NEEDS_SIZE], label[2 * STACK_NEEDS_SIZE];

        (void)state;
        for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
                stack_plan_parse_needs(ROWS[i][0], dst);
                assert_string_equal(dst, ROWS[i][1]);
        }
        memset(label, 'a', sizeof label); /* one that does not fit is left out, not cut */
        label[sizeof label - 1] = '\0';
        memcpy(label, "x,", 2);
        memcpy(label + sizeof label - 3, ",y", 2);
        stack_plan_parse_needs(label, dst);
        assert_string_equal(dst, "x y");
        memset(label, ',', sizeof label - 1);
        for (size_t i = 0; i < sizeof label - 1; i += 2)
                label[i] = 'z';
        stack_plan_parse_needs(label, dst);
        assert_int_equal(strlen(dst), STACK_NEEDS_SIZE - 1);
}

static void test_met(void **state)
{
        (void)state;
        for (enum ctr_state s = CTR_MISSING; s < CTR_STATE_COUNT_; s++) {
                struct stack_member m = { .state = s };
                assert_int_equal(stack_plan_met(&m), s == CTR_RUNNING);
                m.stop = true;
                assert_int_equal(stack_plan_met(&m),
                                 s != CTR_RUNNING && s != CTR_PAUSED && s != CTR_RESTARTING);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_orders), cmocka_unit_test(test_aim),
                cmocka_unit_test(test_hurry),  cmocka_unit_test(test_needs),
                cmocka_unit_test(test_met),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
