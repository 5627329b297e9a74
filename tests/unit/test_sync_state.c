/* How a node stands with what all have the same, as a file and as words. */
#include "harness.h"

#include "hamon/sync_state.h"
#include <errno.h>

static const struct sync_state STATE = { .reason = SYNC_IN_STEP,
                                         .leader = "n1",
                                         .digest = "0123456789abcdef",
                                         .text = "a sentence",
                                         .epoch = 7,
                                         .items = 120,
                                         .bytes = 4096,
                                         .looked_at = 50000,
                                         .in_step_at = 50000 };

static void test_file(void **state)
{
        char path[] = "/tmp/test_sync_state.XXXXXX";
        struct sync_state got;
        int fd = mkstemp(path);

        (void)state;
        assert_true(fd >= 0);
        close(fd);
        for (unsigned i = 0; i < SYNC_REASON_COUNT_; i++) {
                struct sync_state s = STATE;
                s.reason = (enum sync_reason)i;
                assert_int_equal(sync_state_write(path, &s), 0);
                assert_int_equal(sync_state_read(path, &got), 0);
                assert_int_equal(got.reason, i);
                assert_string_equal(sync_sentence(SYNC_REASONS[i].name), SYNC_REASONS[i].sentence);
        }
        assert_string_equal(got.leader, "n1");
        assert_string_equal(got.digest, "0123456789abcdef");
        assert_string_equal(got.text, "a sentence");
        assert_true(got.epoch == 7 && got.items == 120 && got.bytes == 4096);
        assert_true(got.looked_at == 50000 && got.in_step_at == 50000);
        unlink(path);
        assert_int_equal(sync_state_read(path, &got), -ENOENT);
}

static void test_bad(void **state)
{
        static const char *const ROWS[] = {
                "",           "reason\n",    "reason sometimes\n",
                "epoch -1\n", "items 1 2\n", "digest 0123456789abcdef0\n"
        };
        struct sync_state got;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++)
                assert_int_equal(sync_state_parse(ROWS[i], &got), -EBADMSG);
        assert_int_equal(sync_state_parse("reason leads\nof_later 1\n", &got), 0);
        assert_int_equal(got.reason, SYNC_LEADS);
}

static void test_word(void **state)
{
        static const struct {
                enum sync_reason reason;
                msec_t looked_at, in_step_at, now;
                const char *want;
                msec_t out_ms;
        } ROWS[] = {
                { SYNC_IN_STEP, 50000, 50000, 60000, "in_step", 0 },
                { SYNC_LEADS, 50000, 50000, 60000, "leads", 0 },
                { SYNC_UNREACHABLE, 50000, 20000, 60000, "unreachable", 40000 },
                { SYNC_UNREACHABLE, 50000, 0, 60000, "unreachable",
                  60000 }, /* never in this boot */
                { SYNC_UNREACHABLE, 50000, 70000, 60000, "unreachable", 1 },
                { SYNC_IN_STEP, 50000, 50000, 275000, "in_step", 0 },
                { SYNC_IN_STEP, 50000, 50000, 275001, "silent", 225001 }, /* 3 min and 3 x 15 s */
                { SYNC_NONE, 0, 0, 60000, "", 0 },
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
                struct sync_state s = STATE;
                struct sync_word w;
                s.reason = ROWS[i].reason;
                s.looked_at = ROWS[i].looked_at;
                s.in_step_at = ROWS[i].in_step_at;
                sync_state_word(&s, 15000, ROWS[i].now, &w);
                assert_string_equal(w.reason, ROWS[i].want);
                assert_true(w.out_ms == ROWS[i].out_ms);
                assert_true(sync_reason_well(w.reason) == (w.out_ms == 0));
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_file), cmocka_unit_test(test_bad),
                                            cmocka_unit_test(test_word) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
