/* hamon/web/alert_book.c, alert_view.c: who tells what of others, how often, and what happens when
 * the one who speaks goes away. */
#include "tests/unit/alert_world.h"

/* ---- who speaks ---- */

static void test_calm_is_silent(void **unused)
{
        (void)unused;
        world(3);
        run(600000);
        ASSERT_TOLD(0);
}

static void test_silent_node_is_told_once_and_over_once(void **unused)
{
        (void)unused;
        world(3);
        run(60000);
        w.up[2] = false;
        run(PATIENCE);
        ASSERT_TOLD(0); /* not before it has lasted */
        run(60000);
        ASSERT_TOLD(1);
        assert_int_equal(count_by(0, "node_silent:n3", PHASE_OPEN), 1); /* by the leader */
        w.up[2] = true;
        run(120000);
        ASSERT_TOLD(2);
        assert_int_equal(count("node_silent:n3", PHASE_OVER), 1);
}

static void test_short_silence_is_no_news(void **unused)
{
        (void)unused;
        world(3);
        for (int i = 0; i < 20; i++) {
                w.up[2] = !w.up[2];
                run(20000);
        }
        ASSERT_TOLD(0);
}

static void test_leader_dies(void **unused)
{
        (void)unused;
        world(3);
        run(60000);
        w.up[0] = false;
        run(6000);
        w.leader = 1;
        run(120000);
        ASSERT_TOLD(1);
        assert_int_equal(count_by(1, "node_silent:n1", PHASE_OPEN), 1);
        w.up[0] = true;
        run(60000);
        ASSERT_TOLD(2);
        assert_int_equal(count_by(1, "node_silent:n1", PHASE_OVER), 1);
}

/* The leader saw a node fall silent, and dies `after` that: before, while, after it told. */
static void test_leader_dies_while_telling(void **unused)
{
        size_t twice = 0;

        (void)unused;
        for (msec_t after = 1000; after <= 90000; after += 1000) {
                world(5);
                run(60000);
                w.up[4] = false;
                run(after);
                w.up[0] = false;
                run(7000);
                w.leader = 1;
                run(200000);
                size_t n = count("node_silent:n5", PHASE_OPEN);
                assert_true(n == 1 || n == 2);
                if (n == 2) /* only if it died within SLACK after it spoke */
                        assert_in_range(after, PATIENCE + 2 * STALE,
                                        PATIENCE + 2 * STALE + SLACK + 2 * STEP);
                twice += n == 2;
                assert_int_equal(count("node_silent:n1", PHASE_OPEN), 1);
                w.up[4] = true;
                run(60000);
                assert_int_equal(count("node_silent:n5", PHASE_OVER), 1);
        }
        assert_in_range(twice, 1, 5); /* of 90: the price for never telling nothing */
}

static void test_leader_changes_while_it_lasts(void **unused)
{
        size_t twice = 0;

        (void)unused;
        for (msec_t after = 1000; after <= 90000; after += 1000) {
                world(5);
                run(60000);
                w.up[4] = false;
                run(after);
                w.leader = 2; /* a switchover: all live on */
                run(200000);
                size_t n = count("node_silent:n5", PHASE_OPEN);
                assert_true(n == 1 || n == 2);
                twice += n == 2;
                w.leader = 3;
                w.up[4] = true;
                run(60000);
                assert_int_equal(count("node_silent:n5", PHASE_OVER), 1);
                ASSERT_TOLD(n + 1);
        }
        assert_in_range(twice, 0, 4); /* of 90: it spoke, and was another's less than SLACK later */
}

/* Who told the beginning is gone when it ends. */
static void test_teller_is_gone_at_the_end(void **unused)
{
        (void)unused;
        world(5);
        w.up[4] = false;
        run(120000);
        assert_int_equal(count_by(0, "node_silent:n5", PHASE_OPEN), 1);
        w.up[0] = false;
        w.leader = 1;
        run(60000);
        w.up[4] = true;
        run(60000);
        assert_int_equal(count_by(1, "node_silent:n5", PHASE_OVER), 1);
        assert_int_equal(count("node_silent:n5", PHASE_OVER), 1);
}

/* ---- cuts ---- */

static void test_cut_off_node(void **unused)
{
        (void)unused;
        world(3);
        run(60000);
        w.side[0] = 1; /* the leader, alone */
        run(6000);
        w.leader = 1;
        w.believed[0] = -1;
        run(PATIENCE + 3 * STALE);
        assert_int_equal(count_by(1, "node_silent:n1", PHASE_OPEN), 1);
        assert_int_equal(count_by(0, "no_quorum", PHASE_OPEN), 1);
        ASSERT_TOLD(2); /* each side what only it can know; n1 says nothing of n2 and n3 */
        run(600000);
        ASSERT_TOLD(2);
        w.side[0] = 0;
        run(120000);
        assert_int_equal(count("node_silent:n1", PHASE_OVER), 1);
        assert_int_equal(count_by(0, "no_quorum", PHASE_OVER), 1);
        ASSERT_TOLD(4);
}

/* No quorum, nobody leads: the one message of that side, by its first node. */
static void test_no_quorum(void **unused)
{
        (void)unused;
        world(5);
        w.up[0] = w.up[2] = w.up[4] = false;
        w.leader = -1;
        run(PATIENCE + 5000);
        ASSERT_TOLD(0);
        run(600000);
        ASSERT_TOLD(1);
        assert_int_equal(count_by(1, "no_quorum", PHASE_OPEN), 1);
        w.up[0] = w.up[2] = w.up[4] = true;
        w.leader = 2;
        run(120000);
        ASSERT_TOLD(2);
        assert_int_equal(count_by(1, "no_quorum", PHASE_OVER), 1);
}

/* The first of a side waits longest for those before it: a short split of all is told once. */
static void test_all_cut_from_all(void **unused)
{
        (void)unused;
        world(3);
        for (unsigned i = 0; i < 3; i++)
                w.side[i] = i;
        w.leader = -1;
        run(PATIENCE + 2 * STALE + 5000);
        ASSERT_TOLD(1);
        assert_int_equal(count_by(0, "no_quorum", PHASE_OPEN), 1);
        for (unsigned i = 0; i < 3; i++)
                w.side[i] = 0;
        w.leader = 1;
        run(120000);
        ASSERT_TOLD(2);
}

static void test_quorum_and_nobody_serves(void **unused)
{
        (void)unused;
        world(3);
        w.leader = -1;
        run(60000);
        ASSERT_TOLD(1);
        assert_int_equal(count_by(0, "nobody_serves", PHASE_OPEN), 1);
        w.leader = 2;
        run(60000);
        ASSERT_TOLD(2);
        assert_int_equal(count_by(2, "nobody_serves", PHASE_OVER), 1);
}

static void test_all_see_it_one_tells(void **unused)
{
        (void)unused;
        world(5);
        w.provider_down = true;
        run(4 * PATIENCE - 1000);
        ASSERT_TOLD(0);
        run(60000);
        ASSERT_TOLD(1);
        w.provider_down = false;
        run(60000);
        ASSERT_TOLD(2);
}

/* The web process of the leader starts anew with an empty memory, and with what it knew. */
static void test_restart(void **unused)
{
        struct alert_book before;

        (void)unused;
        world(3);
        w.up[2] = false;
        run(120000);
        ASSERT_TOLD(1);
        before = w.book[0];
        book_new(0);
        w.book[0] = before;
        run(120000);
        ASSERT_TOLD(1);
        w.up[2] = true;
        run(60000);
        ASSERT_TOLD(2);
}

/* Tellings of `key` with a change of the leader at the same time, or up to SLACK later; or by one
 * who came up so shortly before that it cannot know what was told. */
static size_t excused(const char *key, const msec_t *changes, size_t n)
{
        size_t found = 0;

        for (size_t i = 0; i < w.n_told; i++) {
                found += strcmp(w.told[i].m.key, key) == 0 &&
                         w.told[i].at - w.up_at[w.told[i].by] < PATIENCE + 2 * STALE + SLACK;
                for (size_t k = 0; k < n && strcmp(w.told[i].m.key, key) == 0; k++)
                        found += changes[k] >= w.told[i].at - 2 * STEP &&
                                 changes[k] <= w.told[i].at + SLACK + 2 * STEP;
        }
        return found;
}

static void random_fault(void)
{
        size_t victim = (size_t)rand() % w.n, down = 0;

        for (size_t k = 0; k < w.n; k++)
                down += !w.up[k];
        if (!w.up[victim])
                w.up_at[victim] = w.now;
        w.up[victim] = !w.up[victim] || (down + 1) * 2 >= w.n;
}

static bool random_leader(void)
{
        int was = w.leader;

        if (w.leader < 0 || !w.up[w.leader] || rand() % 4 == 0)
                do
                        w.leader = rand() % (int)w.n;
                while (!w.up[w.leader]);
        return w.leader != was;
}

/* Random worlds: what lasted is told, and its end too; and not twice, unless the speaker went
 * within SLACK after it spoke. */
static void test_random_worlds(void **unused)
{
        msec_t changes[64];

        (void)unused;
        rule.repeat = 0; /* each is to be told */
        for (unsigned seed = 1; seed <= 60; seed++) {
                size_t n_changes = 0;
                srand(seed);
                world(3 + 2 * (seed % 2));
                for (int i = 0; i < 12; i++) {
                        random_fault();
                        if (!w.up[w.leader])
                                changes[n_changes++] = w.now;
                        run(7000 + rand() % 60000);
                        if (random_leader())
                                changes[n_changes++] = w.now;
                        run(rand() % 60000);
                }
                run(120000);
                for (size_t k = 0; k < w.n; k++) {
                        char key[32];
                        snprintf(key, sizeof key, "node_silent:%s", NAMES[k]);
                        size_t open = count(key, PHASE_OPEN), over = count(key, PHASE_OVER);
                        size_t spare = excused(key, changes, n_changes), down = !w.up[k];
                        if (open + spare < over + down || open > over + down + spare) {
                                print_told();
                                fail_msg("seed %u: %s told %zu times, over %zu times", seed, key,
                                         open, over);
                        }
                }
        }
        rule.repeat = REPEAT;
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_calm_is_silent),
                cmocka_unit_test(test_silent_node_is_told_once_and_over_once),
                cmocka_unit_test(test_short_silence_is_no_news),
                cmocka_unit_test(test_leader_dies),
                cmocka_unit_test(test_leader_dies_while_telling),
                cmocka_unit_test(test_leader_changes_while_it_lasts),
                cmocka_unit_test(test_teller_is_gone_at_the_end),
                cmocka_unit_test(test_cut_off_node),
                cmocka_unit_test(test_no_quorum),
                cmocka_unit_test(test_all_cut_from_all),
                cmocka_unit_test(test_quorum_and_nobody_serves),
                cmocka_unit_test(test_all_see_it_one_tells),
                cmocka_unit_test(test_restart),
                cmocka_unit_test(test_random_worlds),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
