/* hamon/core/fsm.c: the table as data. */
#include "hamon/core/ha.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void test_every_cell(void **unused)
{
        (void)unused;
        for (int s = 0; s < ST_COUNT_; s++)
                for (int e = 0; e < EV_COUNT_; e++) {
                        const struct fsm_cell *c = &FSM[s][e];
                        if (!c->comment || !*c->comment)
                                fail_msg("%s %s has no comment", HA_STATES[s], HA_EVENTS[e]);
                        assert_true(c->next < ST_COUNT_ && c->act < ACT_COUNT_);
                }
}

static void assert_word(const char *word)
{
        if (!word || !*word || strspn(word, "abcdefghijklmnopqrstuvwxyz_") != strlen(word))
                fail_msg("'%s' is no word", word ? word : "(null)");
}

static void test_words(void **unused)
{
        (void)unused;
        for (int s = 0; s < ST_COUNT_; s++)
                assert_word(HA_STATES[s]);
        for (int e = 0; e < EV_COUNT_; e++)
                assert_word(HA_EVENTS[e]);
        for (int a = 0; a < ACT_COUNT_; a++)
                assert_word(HA_ACTS[a]);
        for (int i = 0; i < HOOK_COUNT_; i++)
                assert_word(HA_HOOKS[i]);
        for (int i = 0; i < MODE_COUNT_; i++)
                assert_word(HA_MODES[i]);
        for (int i = 0; i < ALERT_COUNT_; i++)
                assert_word(HA_ALERTS[i]);
}

/* From INIT to every state, and from every state back to serving. */
static void test_reachable(void **unused)
{
        (void)unused;
        for (int from = 0; from < ST_COUNT_; from++) {
                bool seen[ST_COUNT_] = { false };
                seen[from] = true;
                for (int round = 0; round < ST_COUNT_; round++)
                        for (int s = 0; s < ST_COUNT_; s++)
                                for (int e = 0; seen[s] && e < EV_COUNT_; e++)
                                        seen[FSM[s][e].next] = true;
                for (int s = 0; s < ST_COUNT_; s++)
                        if (!seen[s] && s != ST_INIT)
                                fail_msg("%s cannot be reached from %s", HA_STATES[s],
                                         HA_STATES[from]);
        }
}

static void test_lost_lease(void **unused)
{
        (void)unused;
        for (int s = 0; s < ST_COUNT_; s++) {
                const struct fsm_cell *c = &FSM[s][EV_LEASE_LOST];
                if (ha_may_write(c->next))
                        fail_msg("%s goes on to %s without the lease", HA_STATES[s],
                                 HA_STATES[c->next]);
                if (ha_may_write((enum ha_state)s) || s == ST_INIT)
                        assert_true(c->next == ST_FENCING && c->act == ACT_FENCE);
        }
}

/* Nobody writes but with the lease won, and nobody fences but with a proof at the end. */
static void test_ways(void **unused)
{
        (void)unused;
        for (int s = 0; s < ST_COUNT_; s++)
                for (int e = 0; e < EV_COUNT_; e++) {
                        enum ha_state next = FSM[s][e].next;
                        if (!ha_may_write((enum ha_state)s) && ha_may_write(next))
                                assert_int_equal(e, EV_LEASE_WON);
                        if (s == ST_FENCING && next != ST_FENCING)
                                assert_int_equal(e, EV_HOOK_OK);
                        if (s == ST_MASTER && next != ST_MASTER && next != ST_DEMOTING)
                                assert_int_equal(next, ST_FENCING);
                        if (next == ST_MASTER && s != ST_MASTER)
                                assert_true(e == EV_HOOK_OK || (s == ST_INIT && e == EV_LEASE_WON));
                }
}

/* A state that is entered starts what it is for. */
static void test_acts(void **unused)
{
        static const unsigned FITS[ST_COUNT_] = {
                [ST_CLAIMING] = 1u << ACT_CLAIM,
                [ST_PROMOTING] = 1u << ACT_PROMOTE | 1u << ACT_RECOVER,
                [ST_MASTER] = 1u << ACT_SERVE | 1u << ACT_ADOPT,
                [ST_DEMOTING] = 1u << ACT_MOVE | 1u << ACT_DEMOTE,
                [ST_FENCING] = 1u << ACT_FENCE | 1u << ACT_CLEAN,
        };

        (void)unused;
        for (int s = 0; s < ST_COUNT_; s++)
                for (int e = 0; e < EV_COUNT_; e++) {
                        const struct fsm_cell *c = &FSM[s][e];
                        if (c->next != (enum ha_state)s && FITS[c->next] &&
                            !(FITS[c->next] & 1u << c->act))
                                fail_msg("%s %s enters %s by %s", HA_STATES[s], HA_EVENTS[e],
                                         HA_STATES[c->next], HA_ACTS[c->act]);
                }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_every_cell), cmocka_unit_test(test_words),
                cmocka_unit_test(test_reachable),  cmocka_unit_test(test_lost_lease),
                cmocka_unit_test(test_ways),       cmocka_unit_test(test_acts),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
