/* signup/limit.c: buckets, by the clock that is given to them. */
#include "signup_fixture.h"

#include "signup/limit.h"

#include <pthread.h>

static const struct rate FIVE = { .count = 5, .period = 5000 };

static void test_bucket(void **state)
{
        struct limit *l;
        msec_t wait = 0;

        (void)state;
        assert_int_equal(limit_new(64, &l), 0);
        for (int i = 0; i < 5; i++)
                assert_true(limit_take(l, LIMIT_ADDRESS, "a", 1, &FIVE, 100, &wait));
        assert_false(limit_take(l, LIMIT_ADDRESS, "a", 1, &FIVE, 100, &wait));
        assert_int_equal(wait, 1000);
        assert_true(limit_take(l, LIMIT_ADDRESS, "b", 1, &FIVE, 100, &wait));
        assert_true(limit_take(l, LIMIT_NETWORK, "a", 1, &FIVE, 100, &wait));
        assert_false(limit_take(l, LIMIT_ADDRESS, "a", 1, &FIVE, 1099, &wait));
        assert_int_equal(wait, 1);
        assert_true(limit_take(l, LIMIT_ADDRESS, "a", 1, &FIVE, 1100, &wait));
        assert_false(limit_take(l, LIMIT_ADDRESS, "a", 1, &FIVE, 1100, &wait));
        limit_give(l, LIMIT_ADDRESS, "a", 1, &FIVE);
        assert_true(limit_take(l, LIMIT_ADDRESS, "a", 1, &FIVE, 1100, &wait));
        for (int i = 0; i < 5; i++) /* full again, and not fuller */
                assert_true(limit_take(l, LIMIT_ADDRESS, "a", 1, &FIVE, 100000, &wait));
        assert_false(limit_take(l, LIMIT_ADDRESS, "a", 1, &FIVE, 100000, &wait));
        limit_free(l);
}

static void test_no_limit(void **state)
{
        struct rate off = { .count = 0 };
        struct limit *l;
        msec_t wait;

        (void)state;
        assert_int_equal(limit_new(8, &l), 0);
        for (int i = 0; i < 1000; i++)
                assert_true(limit_take(l, LIMIT_GLOBAL, "", 0, &off, 0, &wait));
        limit_give(l, LIMIT_GLOBAL, "", 0, &off);
        limit_free(l);
}

/* More keys than buckets: whoever has used up most is forgotten last. */
static void test_eviction(void **state)
{
        struct limit *l;
        msec_t wait;

        (void)state;
        assert_int_equal(limit_new(8, &l), 0);
        for (int i = 0; i < 5; i++)
                assert_true(limit_take(l, LIMIT_ADDRESS, "guilty", 6, &FIVE, 0, &wait));
        for (int i = 0; i < 100; i++)
                limit_take(l, LIMIT_ADDRESS, &i, sizeof i, &FIVE, 0, &wait);
        assert_false(limit_take(l, LIMIT_ADDRESS, "guilty", 6, &FIVE, 0, &wait));
        limit_free(l);
}

static void test_long_keys(void **state)
{
        static const char A[] = "a-domain-that-is-longer-than-a-key.example",
                          B[] = "a-domain-that-is-longer-than-a-key.examplf";
        struct limit *l;
        msec_t wait;

        (void)state;
        assert_int_equal(limit_new(64, &l), 0);
        for (int i = 0; i < 5; i++)
                assert_true(limit_take(l, LIMIT_DOMAIN, A, sizeof A, &FIVE, 0, &wait));
        assert_false(limit_take(l, LIMIT_DOMAIN, A, sizeof A, &FIVE, 0, &wait));
        assert_true(limit_take(l, LIMIT_DOMAIN, B, sizeof B, &FIVE, 0, &wait));
        limit_free(l);
}

struct racer {
        struct limit *l;
        unsigned won;
};

static void *race(void *arg)
{
        struct racer *r = arg;
        struct rate rate = { .count = 100, .period = 1000000 };
        msec_t wait;

        for (int i = 0; i < 200; i++)
                r->won += limit_take(r->l, LIMIT_GLOBAL, "", 0, &rate, 0, &wait);
        return NULL;
}

static void test_threads(void **state)
{
        enum { THREADS = 8 };
        struct racer racers[THREADS];
        pthread_t threads[THREADS];
        unsigned won = 0;
        struct limit *l;

        (void)state;
        assert_int_equal(limit_new(64, &l), 0);
        for (int i = 0; i < THREADS; i++) {
                racers[i] = (struct racer){ .l = l };
                assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
        }
        for (int i = 0; i < THREADS; i++) {
                pthread_join(threads[i], NULL);
                won += racers[i].won;
        }
        assert_int_equal(won, 100);
        limit_free(l);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_bucket),   cmocka_unit_test(test_no_limit),
                cmocka_unit_test(test_eviction), cmocka_unit_test(test_long_keys),
                cmocka_unit_test(test_threads),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
