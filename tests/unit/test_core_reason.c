/* The table of reasons is complete and fit for scripts, logs and metrics. */
#include "hamon/core/reason.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_rows(void **unused)
{
        (void)unused;
        for (unsigned i = 0; i < REASON_COUNT_; i++) {
                const struct reason_row *r = &REASONS[i];
                if (!r->name || !*r->name || !r->sentence || !*r->sentence) {
                        fail_msg("reason %u has no name or sentence", i);
                        continue;
                }
                if (strspn(r->name, "abcdefghijklmnopqrstuvwxyz_") != strlen(r->name))
                        fail_msg("'%s' is not made of [a-z_]", r->name);
                if (strpbrk(r->sentence, "\n\"=") || r->sentence[strlen(r->sentence) - 1] == '.')
                        fail_msg("'%s' does not fit into a line", r->sentence);
                if (r->flags & ~(unsigned)(REASON_CERTAIN | REASON_NO_GRACE))
                        fail_msg("%s has unknown flags", r->name);
                assert_string_equal(reason_name((enum reason)i), r->name);
                assert_string_equal(reason_sentence((enum reason)i), r->sentence);
        }
}

static void test_unique(void **unused)
{
        (void)unused;
        for (unsigned i = 0; i < REASON_COUNT_; i++)
                for (unsigned j = i + 1; j < REASON_COUNT_; j++)
                        if (strcmp(REASONS[i].name, REASONS[j].name) == 0 ||
                            strcmp(REASONS[i].sentence, REASONS[j].sentence) == 0)
                                fail_msg("%s and %s are the same", REASONS[i].name,
                                         REASONS[j].name);
}

static void test_flags(void **unused)
{
        (void)unused;
        assert_true(reason_has(REASON_GALERA_NON_PRIMARY, REASON_NO_GRACE));
        assert_true(reason_has(REASON_GALERA_NON_PRIMARY, REASON_CERTAIN));
        assert_true(reason_has(REASON_CONTAINER_EXITED, REASON_CERTAIN));
        assert_false(reason_has(REASON_CONTAINER_EXITED, REASON_NO_GRACE));
        assert_false(reason_has(REASON_GALERA_TIMEOUT, REASON_CERTAIN)); /* a sample */
        assert_false(reason_has(REASON_DOCKER_TIMEOUT, REASON_CERTAIN));
        assert_false(reason_has(REASON_OK, REASON_CERTAIN | REASON_NO_GRACE));
        for (unsigned i = 0; i < REASON_COUNT_;
             i++) /* no grace without certainty: one blip would do */
                if (reason_has((enum reason)i, REASON_NO_GRACE))
                        assert_true(reason_has((enum reason)i, REASON_CERTAIN));
}

static void test_outside(void **unused)
{
        const int outside[] = { REASON_COUNT_, REASON_COUNT_ + 1, -1 };

        (void)unused;
        for (int i = 0; i < 3; i++) {
                assert_string_equal(reason_name((enum reason)outside[i]), "?");
                assert_string_equal(reason_sentence((enum reason)outside[i]), "?");
                assert_false(reason_has((enum reason)outside[i], REASON_CERTAIN));
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_rows),
                cmocka_unit_test(test_unique),
                cmocka_unit_test(test_flags),
                cmocka_unit_test(test_outside),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
