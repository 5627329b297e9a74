/* What the guard believes, and what it keeps. */
#include "hamon/guard_state.h"
#include "tests/unit/harness.h"

enum { NOW = 1000000 };

static struct guard_message msg(enum guard_verb verb, uint64_t epoch, msec_t deadline)
{
        return (struct guard_message){
                .magic = GUARD_MAGIC, .verb = verb, .epoch = epoch, .deadline = deadline
        };
}

static void the_rules(void **state)
{
        static const struct {
                enum guard_verb verb;
                uint64_t epoch;
                msec_t deadline;
                int want;
                enum guard_mode mode;
                msec_t kept; /* deadline */
        } STEPS[] = {
                { GUARD_SAY_ARM, 5, NOW + 100, 0, GUARD_IS_ARMED, NOW + 100 },
                { GUARD_SAY_ARM, 5, NOW + 100, 0, GUARD_IS_ARMED, NOW + 100 },
                { GUARD_SAY_ARM, 5, NOW + 99, -ERANGE, GUARD_IS_ARMED, NOW + 100 },
                { GUARD_SAY_ARM, 4, NOW + 900, -ESTALE, GUARD_IS_ARMED, NOW + 100 },
                { GUARD_SAY_OFF, 4, 0, -ESTALE, GUARD_IS_ARMED, NOW + 100 },
                { GUARD_SAY_ARM, 5, NOW + 4000000, -ERANGE, GUARD_IS_ARMED, NOW + 100 },
                { GUARD_SAY_ARM, 6, -1, -ERANGE, GUARD_IS_ARMED, NOW + 100 },
                { GUARD_SAY_STATUS, 0, 0, 0, GUARD_IS_ARMED, NOW + 100 },
                { GUARD_SAY_ARM, 6, NOW + 50, 0, GUARD_IS_ARMED, NOW + 50 },
                { GUARD_SAY_OFF, 6, 0, 0, GUARD_IS_OFF, NOW + 50 },
                { GUARD_SAY_ARM, 6, NOW + 10, 0, GUARD_IS_ARMED, NOW + 10 },
                { GUARD_SAY_FENCE, 0, 0, 0, GUARD_IS_ARMED, NOW },
                { GUARD_SAY_ARM, 6, NOW + 500, -EBUSY, GUARD_IS_ARMED, NOW },
                { GUARD_SAY_FENCE, 0, 0, 0, GUARD_IS_ARMED, NOW },
                { GUARD_SAY_ARM, 7, NOW + 500, 0, GUARD_IS_ARMED, NOW + 500 },
                { GUARD_SAY_OFF, 0, 0, 0, GUARD_IS_OFF, NOW + 500 },
                { GUARD_SAY_ARM, 1, NOW + 900, 0, GUARD_IS_ARMED, NOW + 900 }, /* a new database */
                { GUARD_SAY_OFF, 1, 0, 0, GUARD_IS_OFF, NOW + 900 },
        };
        struct guard_state s;

        (void)state;
        guard_state_init(&s);
        for (size_t i = 0; i < ARRAY_SIZE(STEPS); i++) {
                struct guard_message m = msg(STEPS[i].verb, STEPS[i].epoch, STEPS[i].deadline);
                int r = guard_state_apply(&s, &m, NOW);
                if (r != STEPS[i].want || s.mode != STEPS[i].mode || s.deadline != STEPS[i].kept)
                        fail_msg("row %zu: %d, mode %u, deadline %lld", i, r, s.mode,
                                 (long long)(s.deadline - NOW));
        }
}

static void due_and_the_watchdog(void **state)
{
        struct guard_message m = msg(GUARD_SAY_ARM, 5, NOW + 100);
        struct guard_state s;

        (void)state;
        guard_state_init(&s);
        assert_false(guard_state_due(&s, NOW));
        assert_true(guard_state_may_pet(&s, NOW, 50));
        assert_int_equal(guard_state_apply(&s, &m, NOW), 0);
        assert_false(guard_state_due(&s, NOW + 99));
        assert_true(guard_state_due(&s, NOW + 100));
        assert_true(guard_state_may_pet(&s, NOW + 149, 50));
        assert_false(guard_state_may_pet(&s, NOW + 150, 50));

        guard_state_fenced(&s);
        assert_false(guard_state_due(&s, NOW + 200));
        assert_true(guard_state_may_pet(&s, NOW + 200, 50));
        assert_int_equal(guard_state_apply(&s, &m, NOW),
                         -ERANGE); /* what missed it says it again */
        assert_int_equal(s.mode, GUARD_HAS_FENCED);
        m.deadline = NOW + 300;
        assert_int_equal(guard_state_apply(&s, &m, NOW + 200), 0);
        assert_int_equal(s.mode, GUARD_IS_ARMED);
}

static void fill(struct fence_target *t, unsigned from, unsigned n)
{
        for (unsigned i = 0; i < n; i++)
                snprintf(t->id[t->n++], TARGET_ID_SIZE, "%064x", from + i);
}

static void containers_are_not_forgotten(void **state)
{
        struct fence_target t = { .device = "/dev/a", .mount = "/m" }, more = { .n = 0 };

        (void)state;
        fill(&t, 0, 40);
        guard_target_merge(&t, &more); /* Docker is down: the daemon knows none */
        assert_int_equal(t.n, 40);
        assert_string_equal(t.device, "/dev/a");
        fill(&more, 30, 50);
        str_copy(more.device, sizeof more.device, "/dev/b");
        guard_target_merge(&t, &more);
        assert_int_equal(t.n, TARGET_IDS);
        assert_string_equal(t.device, "/dev/b");
        assert_string_equal(t.mount, "/m");
        for (unsigned i = 0; i < more.n; i++) /* the new ones all */
                assert_string_equal(t.id[i], more.id[i]);
        assert_string_equal(t.id[50],
                            "0000000000000000000000000000000000000000000000000000000000000000");
}

static void a_newer_epoch_brings_its_own(void **state)
{
        struct guard_message m = msg(GUARD_SAY_ARM, 5, NOW + 100);
        struct guard_state s;

        (void)state;
        guard_state_init(&s);
        fill(&m.target, 0, 3);
        assert_int_equal(guard_state_apply(&s, &m, NOW), 0);
        m.target.n = 0;
        m.target.dev = 7;
        assert_int_equal(guard_state_apply(&s, &m, NOW), 0);
        assert_int_equal(s.target.n, 3);
        assert_int_equal(s.target.dev, 7);
        m.epoch = 6;
        m.target.dev = 0;
        fill(&m.target, 50, 1);
        assert_int_equal(guard_state_apply(&s, &m, NOW), 0);
        assert_int_equal(s.target.n, 1);
        assert_string_equal(s.target.id[0], m.target.id[0]);
        assert_int_equal(s.target.dev, 0);
}

static void garbage(void **state)
{
        struct guard_message good = msg(GUARD_SAY_ARM, 5, NOW), m;

        (void)state;
        fill(&good.target, 0, 2);
        str_copy(good.target.mount, TARGET_PATH, "/mnt");
        assert_true(guard_message_ok(&good, sizeof good));
        assert_false(guard_message_ok(&good, sizeof good - 1));
        assert_false(guard_message_ok(&good, 0));
        m = good;
        m.magic++;
        assert_false(guard_message_ok(&m, sizeof m));
        m = good;
        m.verb = GUARD_SAY_COUNT_;
        assert_false(guard_message_ok(&m, sizeof m));
        m = good;
        m.target.n = TARGET_IDS + 1;
        assert_false(guard_message_ok(&m, sizeof m));
        m = good;
        m.target.n = 3; /* the third is "" */
        assert_false(guard_message_ok(&m, sizeof m));
        m = good;
        m.target.id[1][63] = '/';
        assert_false(guard_message_ok(&m, sizeof m));
        m = good;
        memset(m.target.id[0], 'a', TARGET_ID_SIZE);
        assert_false(guard_message_ok(&m, sizeof m));
        m = good;
        memset(m.target.mount, '/', TARGET_PATH);
        assert_false(guard_message_ok(&m, sizeof m));
        m = good;
        m.target.device[0] = 'x';
        assert_false(guard_message_ok(&m, sizeof m));
}

static void kept(void **state)
{
        struct guard_message m = msg(GUARD_SAY_ARM, 5, NOW + 100);
        struct guard_state s, back;
        struct tmp t;

        (void)state;
        assert_int_equal(tmp_make(&t), 0);
        guard_state_init(&s);
        fill(&m.target, 7, 3);
        assert_int_equal(guard_state_apply(&s, &m, NOW), 0);
        assert_int_equal(guard_state_load(at(&t, "state"), &back), -ENOENT);
        assert_int_equal(guard_state_save(at(&t, "state"), &s), 0);
        assert_int_equal(guard_state_load(at(&t, "state"), &back), 0);
        assert_memory_equal(&back, &s, sizeof s);

        s.boot[0] = s.boot[0] == 'x' ? 'y' : 'x';
        guard_state_save(at(&t, "state"), &s);
        assert_int_equal(guard_state_load(at(&t, "state"), &back), -ESTALE);
        put_file(at(&t, "state"), "garbage");
        assert_int_equal(guard_state_load(at(&t, "state"), &back), -EBADMSG);
        tmp_remove(&t);

        char path[32];
        assert_int_equal(guard_path("/run/x/sock", "guard.sock", path, sizeof path), 0);
        assert_string_equal(path, "/run/x/guard.sock");
        assert_int_equal(guard_path("/run/x/sock", "guard.sock", path, 10), -ENAMETOOLONG);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_rules),
                cmocka_unit_test(due_and_the_watchdog),
                cmocka_unit_test(containers_are_not_forgotten),
                cmocka_unit_test(a_newer_epoch_brings_its_own),
                cmocka_unit_test(garbage),
                cmocka_unit_test(kept),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
