/* Who must be fenced before an operator may take the lead, and what stands against it: rows. */
#include "hamon/core/takeover.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void who_is_clean(void **unused)
{
        static const struct {
                bool asked, answers;
                enum ha_state state;
                bool mounted;
                msec_t valid;
                enum takeover_other is;
        } ROWS[] = {
                { false, false, ST_STANDBY, false, 0, OTHER_UNASKED },
                { true, false, ST_STANDBY, false, 0, OTHER_SILENT }, /* what it said once is old */
                { true, true, ST_STANDBY, false, 0, OTHER_CLEAN },
                { true, true, ST_STANDBY, true, 0, OTHER_DIRTY },
                { true, true, ST_STANDBY, false, 1, OTHER_LEADS },
                { true, true, ST_CLAIMING, false, 0, OTHER_CLEAN },
                { true, true, ST_HALTED, false, 0, OTHER_CLEAN },
                { true, true, ST_MAINTENANCE, false, 0, OTHER_CLEAN },
                { true, true, ST_MAINTENANCE, true, 0, OTHER_DIRTY },
                { true, true, ST_PROMOTING, false, 0, OTHER_LEADS },
                { true, true, ST_MASTER, false, 0, OTHER_LEADS },
                { true, true, ST_DEMOTING, true, 5, OTHER_LEADS },
                { true, true, ST_FENCING, false, 0, OTHER_DIRTY }, /* it has no proof yet */
                { true, true, ST_INIT, false, 0, OTHER_DIRTY },    /* it does not know yet */
                { true, true, ST_INIT, false, 5, OTHER_LEADS },
                { true, true, ST_COUNT_, false, 0, OTHER_DIRTY }, /* a word of a newer hamon */
        };

        (void)unused;
        for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++)
                if (takeover_classify(ROWS[i].asked, ROWS[i].answers, ROWS[i].state,
                                      ROWS[i].mounted, ROWS[i].valid) != ROWS[i].is)
                        fail_msg("row %zu is not %s", i, TAKEOVER_OTHERS[ROWS[i].is]);
}

#define SILENT    .is = OTHER_SILENT
#define CLEAN     .is = OTHER_CLEAN
#define FENCED    SILENT, .fenced = true
#define IN_VIEW   .in_view = true
#define MAYBE     .may_be_in_view = true
#define HERE      .state = ST_STANDBY, .guard = true, .quorum = true, .members = 3
#define NO_QUORUM .state = ST_STANDBY, .guard = true, .members = 1

static void what_stands_against_it(void **unused)
{
        static const struct {
                struct takeover_view v;
                struct takeover_node others[2];
                enum takeover_bar bar;
                size_t culprit;
        } ROWS[] = {
                { { HERE }, { { CLEAN }, { CLEAN } }, BAR_NONE, 2 },
                { { HERE }, { { CLEAN }, { SILENT } }, BAR_UNFENCED, 1 },
                { { HERE }, { { CLEAN }, { FENCED } }, BAR_NONE, 2 },
                { { HERE }, { { FENCED }, { SILENT } }, BAR_UNFENCED, 1 },
                { { HERE }, { { FENCED }, { FENCED } }, BAR_NONE, 2 },
                { { HERE }, { { .is = OTHER_DIRTY }, { CLEAN } }, BAR_UNFENCED, 0 },
                { { HERE }, { { CLEAN }, { .is = OTHER_UNASKED } }, BAR_UNASKED, 1 },
                /* nothing is taken from one that leads, whoever says that it was fenced */
                { { HERE },
                  { { .is = OTHER_LEADS, .fenced = true }, { FENCED } },
                  BAR_HOLDER_LIVES,
                  0 },
                /* two of three that the database still counts: without them it stops */
                { { HERE }, { { SILENT, IN_VIEW }, { SILENT, IN_VIEW } }, BAR_BREAKS_QUORUM, 2 },
                { { HERE }, { { FENCED, IN_VIEW }, { FENCED, IN_VIEW } }, BAR_BREAKS_QUORUM, 2 },
                { { HERE }, { { SILENT, IN_VIEW }, { CLEAN, IN_VIEW } }, BAR_UNFENCED, 0 },
                { { HERE }, { { FENCED, IN_VIEW }, { CLEAN, IN_VIEW } }, BAR_NONE, 2 },
                { { HERE }, { { CLEAN, IN_VIEW }, { CLEAN, IN_VIEW } }, BAR_NONE, 2 },
                /* the database does not tell who its members are */
                { { HERE }, { { FENCED, MAYBE }, { FENCED, MAYBE } }, BAR_BREAKS_QUORUM, 2 },
                { { HERE }, { { FENCED, MAYBE }, { CLEAN, MAYBE } }, BAR_NONE, 2 },
                { { HERE }, { { FENCED, MAYBE }, { SILENT, IN_VIEW } }, BAR_BREAKS_QUORUM, 2 },
                { { .state = ST_STANDBY, .guard = true, .quorum = true, .members = 2 },
                  { { FENCED, MAYBE }, { CLEAN, MAYBE } },
                  BAR_NONE,
                  2 },
                /* first the fence, then the database: never the other way round */
                { { NO_QUORUM }, { { SILENT }, { SILENT } }, BAR_UNFENCED, 0 },
                { { NO_QUORUM }, { { FENCED }, { SILENT } }, BAR_UNFENCED, 1 },
                { { NO_QUORUM }, { { FENCED }, { FENCED } }, BAR_NO_QUORUM, 2 },
                { { NO_QUORUM }, { { CLEAN }, { CLEAN } }, BAR_NO_QUORUM, 2 },
                /* this node */
                { { .state = ST_INIT }, { { SILENT }, { SILENT } }, BAR_BUSY, 2 },
                { { .state = ST_FENCING }, { { SILENT }, { SILENT } }, BAR_BUSY, 2 },
                { { .state = ST_MASTER }, { { SILENT }, { SILENT } }, BAR_LEADS, 2 },
                { { .state = ST_DEMOTING }, { { SILENT }, { SILENT } }, BAR_LEADS, 2 },
                { { .state = ST_MAINTENANCE }, { { SILENT }, { SILENT } }, BAR_MAINTENANCE, 2 },
                { { HERE, .maintenance = true }, { { CLEAN }, { CLEAN } }, BAR_MAINTENANCE, 2 },
                { { .state = ST_HALTED }, { { CLEAN }, { CLEAN } }, BAR_NO_GUARD, 2 },
                { { .state = ST_HALTED, .guard = true, .quorum = true, .members = 3 },
                  { { CLEAN }, { FENCED } },
                  BAR_NONE,
                  2 },
        };

        (void)unused;
        for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
                struct takeover_view v = ROWS[i].v;
                size_t culprit = 99;
                v.n = 2;
                v.others = ROWS[i].others;
                enum takeover_bar bar = takeover_bar(&v, &culprit);
                if (bar != ROWS[i].bar || culprit != ROWS[i].culprit)
                        fail_msg("row %zu: %s of %zu, not %s of %zu", i, BARS[bar].name, culprit,
                                 BARS[ROWS[i].bar].name, ROWS[i].culprit);
        }
}

static void every_row_has_words(void **unused)
{
        (void)unused;
        for (size_t i = 0; i < BAR_COUNT_; i++) {
                assert_non_null(BARS[i].name);
                assert_true(strlen(BARS[i].sentence) > 10);
        }
        for (size_t i = 0; i < OTHER_COUNT_; i++)
                assert_non_null(TAKEOVER_OTHERS[i]);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(who_is_clean),
                cmocka_unit_test(what_stands_against_it),
                cmocka_unit_test(every_row_has_words),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
