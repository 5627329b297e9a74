/* Who was told to end and only waits: real processes in real pid namespaces. */
#include "hamon/stack_linger.h"

#include "tests/unit/linger_process.h"

static void test_kinds(void **state)
{
        static const struct {
                enum linger_kind kind;
                int want;
        } ROWS[] = {
                { LINGER_NONE, 0 },
                { LINGER_READS, 0 },
                { LINGER_WRITES, 1 },
                { LINGER_DELETED, 0 },
                { LINGER_MAPS, 1 },
                { LINGER_CHILD, 1 },
                { LINGER_NO_SPACE, -ENOTSUP },
        };
        struct tmp tmp;

        (void)state;
        assert_int_equal(tmp_make(&tmp), 0);
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
                struct linger_process p = linger_start(ROWS[i].kind, at(&tmp, "file"));
                if (p.first < 0) {
                        linger_stop(&p);
                        tmp_remove(&tmp);
                        skip();
                }
                int found = stack_linger_look(p.first);
                linger_stop(&p);
                unlink(at(&tmp, "file"));
                if (found != ROWS[i].want)
                        fail_msg("kind %d: %d, not %d", (int)ROWS[i].kind, found, ROWS[i].want);
        }
        tmp_remove(&tmp);
}

static void test_gone(void **state)
{
        pid_t pid = fork();

        (void)state;
        if (pid == 0)
                _exit(0);
        waitpid(pid, NULL, 0);
        assert_int_equal(stack_linger_look(pid), -ESRCH);
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_kinds),
                                            cmocka_unit_test(test_gone) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
