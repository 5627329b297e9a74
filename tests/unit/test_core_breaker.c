/* hamon/core/breaker.c: who is kept from claiming, for how long. */
#include "hamon/core/breaker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { WAIT = 3600000, T0 = 5000000 };

static const struct breaker_rule RULE = { .wait = WAIT, .max = 3, .pause = 30000, .most = 300000 };

static struct lease_row row(uint64_t epoch, uint64_t failovers, msec_t age, const char *loser)
{
        struct lease_row r = { .epoch = epoch, .failovers = failovers, .since_age = age };

        strncpy(r.loser, loser, sizeof r.loser - 1);
        return r;
}

static void see(struct breaker *b, struct lease_row r, msec_t now)
{
        breaker_see(b, &RULE, &r, "n1", now);
}

static void test_ban(void **unused)
{
        struct breaker b = { .banned = false };

        (void)unused;
        assert_false(breaker_banned(&b, T0));
        breaker_ban(&b, &RULE, 7, T0);
        assert_true(breaker_banned(&b, T0));
        assert_true(breaker_banned(&b, T0 + WAIT - 1));
        assert_false(breaker_banned(&b, T0 + WAIT));
        breaker_forgive(&b);
        assert_false(breaker_banned(&b, T0));
}

/* After a reboot, or when another one counted it: the row tells. */
static void test_ban_from_row(void **unused)
{
        struct breaker b = { .banned = false };

        (void)unused;
        see(&b, row(7, 1, 1000, "n2"), T0);
        assert_false(breaker_banned(&b, T0));
        see(&b, row(7, 0, 1000, "n1"), T0); /* acked: the name means nothing */
        assert_false(breaker_banned(&b, T0));
        see(&b, row(7, 1, WAIT, "n1"), T0); /* too long ago */
        assert_false(breaker_banned(&b, T0));
        see(&b, row(7, 1, 1000, "n1"), T0);
        assert_true(breaker_banned(&b, T0 + WAIT - 1001));
        assert_false(breaker_banned(&b, T0 + WAIT - 1000));
}

/* `hamon ack` on any node closes it on all: the count is 0 again. */
static void test_ack(void **unused)
{
        struct breaker b = { .banned = false };

        (void)unused;
        breaker_ban(&b, &RULE, 7, T0);
        see(&b, row(7, 0, 1000, ""), T0 + 1); /* our loss is not in the row yet */
        assert_true(breaker_banned(&b, T0 + 1));
        see(&b, row(8, 1, 0, "n1"), T0 + 2);
        assert_true(breaker_banned(&b, T0 + 2));
        see(&b, row(8, 0, 0, ""), T0 + 3);
        assert_false(breaker_banned(&b, T0 + 3));

        breaker_ban(&b, &RULE, 7, T0);
        see(&b, row(9, 0, 0, ""), T0 + 1); /* counted and acked while we did not look */
        assert_false(breaker_banned(&b, T0 + 1));

        see(&b, row(9, 2, 0, "n1"), T0 + 2); /* known from the row only: the epoch need not move */
        assert_true(breaker_banned(&b, T0 + 2));
        see(&b, row(9, 0, 0, ""), T0 + 3);
        assert_false(breaker_banned(&b, T0 + 3));
}

static void test_open(void **unused)
{
        static const struct {
                uint64_t failovers;
                msec_t age;
                bool counts, open;
        } ROWS[] = {
                { 0, 0, true, false },        { 2, 1000, true, false },
                { 3, 1000, false, false },    { 3, 1000, true, true },
                { 4, 1000, false, true },     { 4, WAIT, true, true },
                { 4, WAIT + 1, true, false }, { 9, WAIT + 1, false, false },
        };

        (void)unused;
        for (unsigned i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
                struct lease_row r = row(7, ROWS[i].failovers, ROWS[i].age, "n2");
                if (breaker_open(&RULE, &r, ROWS[i].counts) != ROWS[i].open)
                        fail_msg("row %u", i);
        }
}

static void test_pause(void **unused)
{
        static const msec_t PAUSES[] = {
                30000, 30000, 30000, 30000, 60000, 120000, 240000, 300000
        };

        (void)unused;
        for (unsigned i = 0; i < sizeof PAUSES / sizeof PAUSES[0]; i++) {
                struct lease_row r = row(7, i, 1000, "n2");
                assert_int_equal(breaker_pause(&RULE, &r), PAUSES[i]);
        }
        struct lease_row many = row(7, UINT64_MAX, 1000, "n2"), old = row(7, 9, WAIT + 1, "n2");
        assert_int_equal(breaker_pause(&RULE, &many), 300000);
        assert_int_equal(breaker_pause(&RULE, &old), 30000);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_ban),   cmocka_unit_test(test_ban_from_row),
                cmocka_unit_test(test_ack),   cmocka_unit_test(test_open),
                cmocka_unit_test(test_pause),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
