/* The table of probes is whole, and what the volume said is judged. */
#include "hamon/core/probes.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void test_table(void **state)
{
        (void)state;
        for (enum probe i = 0; i < PROBE_COUNT_; i++) {
                const struct probe_row *row = &PROBES[i];
                assert_non_null(row->name);
                assert_int_equal(probe_by_name(row->name), i); /* no two alike */
                assert_true((row->kind == KIND_VOLUME) == (row->port == 0));
                assert_true((row->kind == KIND_VOLUME) == (*row->service == '\0'));
        }
        assert_int_equal(probe_by_name("smt"), PROBE_COUNT_);
        assert_int_equal(probe_by_name(""), PROBE_COUNT_);
}

static void test_volume(void **state)
{
        static const struct {
                int error;
                enum result result;
                enum reason reason;
        } ROWS[] = {
                { 0, RES_PASS, REASON_OK },
                { ENOSPC, RES_PASS, REASON_VOLUME_FULL },
                { EDQUOT, RES_PASS, REASON_VOLUME_FULL },
                { EROFS, RES_FAIL, REASON_VOLUME_READ_ONLY },
                { ENODEV, RES_FAIL, REASON_VOLUME_NOT_MOUNTED },
                { ETIMEDOUT, RES_FAIL, REASON_VOLUME_HUNG },
                { EIO, RES_FAIL, REASON_VOLUME_IO_ERROR },
                { EACCES, RES_FAIL, REASON_VOLUME_IO_ERROR },
                { EAGAIN, RES_SKIP, REASON_STARTING },
        };

        (void)state;
        for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
                struct finding f = probe_judge_volume(ROWS[i].error);
                assert_int_equal(f.result, ROWS[i].result);
                assert_int_equal(f.reason, ROWS[i].reason);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_table),
                cmocka_unit_test(test_volume),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
