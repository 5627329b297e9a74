/* Noise -> verdict as scripts: what came when, and what the check says then. rise 2, fall 3, grace
 * 1000 ms, stale 5000 ms throughout. */
#include "hamon/core/verdict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const struct rule RULE = { .rise = 2, .fall = 3, .grace = 1000, .stale = 5000 };

#define TIMEOUT   REASON_GALERA_TIMEOUT     /* a sample: `fall` applies */
#define REFUSED   REASON_GALERA_REFUSED     /* certain */
#define NO_QUORUM REASON_GALERA_NON_PRIMARY /* certain, no grace */
#define WAITING   REASON_CONTAINER_WAITING

struct row {
        msec_t at;
        enum result result;
        enum reason reason;
        enum verdict verdict;
        enum reason says; /* reason afterwards */
        msec_t next;      /* verdict_next() afterwards */
};

enum { MAX_ROWS = 14 };

struct script {
        const char *name;
        struct row rows[MAX_ROWS]; /* ends before the second row that is at 0 */
};

static const struct script SCRIPTS[] = {
        { "the first pass is enough",
          { { 0, RES_PASS, REASON_OK, V_UP, REASON_OK, 5000 },
            { 900, RES_PASS, REASON_OK, V_UP, REASON_OK, 5000 } } },
        { "silence before the first result is nothing",
          { { 0, RES_SKIP, REASON_STARTING, V_UNKNOWN, REASON_OK, -1 },
            { 9000, RES_SKIP, REASON_STARTING, V_UNKNOWN, REASON_OK, -1 },
            { 9100, RES_PASS, REASON_OK, V_UP, REASON_OK, 5000 } } },
        { "fall filters samples, grace follows",
          { { 0, RES_PASS, REASON_OK, V_UP, REASON_OK, 5000 },
            { 100, RES_FAIL, TIMEOUT, V_UP, TIMEOUT, 5000 },
            { 200, RES_FAIL, TIMEOUT, V_UP, TIMEOUT, 5000 },
            { 300, RES_FAIL, TIMEOUT, V_SUSPECT, TIMEOUT, 800 },
            { 1099, RES_FAIL, TIMEOUT, V_SUSPECT, TIMEOUT, 1 },
            { 1100, RES_FAIL, TIMEOUT, V_DOWN, TIMEOUT, 5000 } } },
        { "two bad samples are forgotten after rise good ones",
          { { 0, RES_PASS, REASON_OK, V_UP, REASON_OK, 5000 },
            { 100, RES_FAIL, TIMEOUT, V_UP, TIMEOUT, 5000 },
            { 200, RES_FAIL, TIMEOUT, V_UP, TIMEOUT, 5000 },
            { 300, RES_PASS, REASON_OK, V_UP, REASON_OK, 5000 },
            { 400, RES_PASS, REASON_OK, V_UP, REASON_OK, 5000 },
            { 2000, RES_FAIL, REFUSED, V_SUSPECT, REFUSED, 1000 } } },
        { "slow samples: grace is over when fall is reached",
          { { 0, RES_PASS, REASON_OK, V_UP, REASON_OK, 5000 },
            { 1000, RES_FAIL, TIMEOUT, V_UP, TIMEOUT, 5000 },
            { 2000, RES_FAIL, TIMEOUT, V_UP, TIMEOUT, 5000 },
            { 3000, RES_FAIL, TIMEOUT, V_DOWN, TIMEOUT, 5000 } } },
        { "a certain failure needs no second",
          { { 0, RES_PASS, REASON_OK, V_UP, REASON_OK, 5000 },
            { 100, RES_FAIL, REFUSED, V_SUSPECT, REFUSED, 1000 },
            { 1100, RES_FAIL, REFUSED, V_DOWN, REFUSED, 5000 } } },
        { "grace ends without a further failure",
          { { 0, RES_PASS, REASON_OK, V_UP, REASON_OK, 5000 },
            { 100, RES_FAIL, REFUSED, V_SUSPECT, REFUSED, 1000 },
            { 1099, RES_SKIP, REASON_OK, V_SUSPECT, REFUSED, 1 },
            { 1100, RES_SKIP, REASON_OK, V_DOWN, REFUSED, 4000 } } },
        { "lost quorum has no grace",
          { { 0, RES_PASS, REASON_OK, V_UP, REASON_OK, 5000 },
            { 100, RES_FAIL, NO_QUORUM, V_DOWN, NO_QUORUM, 5000 } } },
        { "lost quorum ends a grace that runs",
          { { 0, RES_PASS, REASON_OK, V_UP, REASON_OK, 5000 },
            { 100, RES_FAIL, REFUSED, V_SUSPECT, REFUSED, 1000 },
            { 200, RES_FAIL, NO_QUORUM, V_DOWN, NO_QUORUM, 5000 },
            { 300, RES_FAIL, REFUSED, V_DOWN, REFUSED, 5000 } } },
        { "lost quorum as the first news",
          { { 0, RES_FAIL, NO_QUORUM, V_DOWN, NO_QUORUM, 5000 } } },
        { "never up: unknown, then down, never suspect",
          { { 0, RES_FAIL, TIMEOUT, V_UNKNOWN, TIMEOUT, 5000 },
            { 100, RES_FAIL, TIMEOUT, V_UNKNOWN, TIMEOUT, 5000 },
            { 200, RES_FAIL, TIMEOUT, V_UNKNOWN, TIMEOUT, 800 },
            { 1000, RES_FAIL, TIMEOUT, V_DOWN, TIMEOUT, 5000 } } },
        { "never up and certain: down after grace, also in silence",
          { { 0, RES_FAIL, REFUSED, V_UNKNOWN, REFUSED, 1000 },
            { 1000, RES_SKIP, REASON_OK, V_DOWN, REFUSED, 4000 } } },
        { "never up: rise applies after a failure",
          { { 0, RES_FAIL, TIMEOUT, V_UNKNOWN, TIMEOUT, 5000 },
            { 100, RES_PASS, REASON_OK, V_UNKNOWN, TIMEOUT, 5000 },
            { 200, RES_PASS, REASON_OK, V_UP, REASON_OK, 5000 } } },
        { "down: one good sample does not heal, and the reason stays",
          { { 0, RES_FAIL, NO_QUORUM, V_DOWN, NO_QUORUM, 5000 },
            { 100, RES_PASS, REASON_OK, V_DOWN, NO_QUORUM, 5000 },
            { 200, RES_FAIL, TIMEOUT, V_DOWN, TIMEOUT, 5000 },
            { 300, RES_PASS, REASON_OK, V_DOWN, TIMEOUT, 5000 },
            { 400, RES_PASS, REASON_OK, V_UP, REASON_OK, 5000 } } },
        { "suspect: a good sample in between does not restart the grace",
          { { 0, RES_PASS, REASON_OK, V_UP, REASON_OK, 5000 },
            { 100, RES_FAIL, REFUSED, V_SUSPECT, REFUSED, 1000 },
            { 500, RES_PASS, REASON_OK, V_SUSPECT, REFUSED, 5000 },
            { 900, RES_FAIL, TIMEOUT, V_SUSPECT, TIMEOUT, 200 },
            { 1100, RES_FAIL, TIMEOUT, V_DOWN, TIMEOUT, 5000 } } },
        { "suspect and healed in grace",
          { { 0, RES_PASS, REASON_OK, V_UP, REASON_OK, 5000 },
            { 100, RES_FAIL, REFUSED, V_SUSPECT, REFUSED, 1000 },
            { 500, RES_PASS, REASON_OK, V_SUSPECT, REFUSED, 5000 },
            { 600, RES_PASS, REASON_OK, V_UP, REASON_OK, 5000 },
            { 1500, RES_FAIL, REFUSED, V_SUSPECT, REFUSED, 1000 } } },
        { "flapping below fall stays up",
          { { 0, RES_PASS, REASON_OK, V_UP, REASON_OK, 5000 },
            { 1000, RES_FAIL, TIMEOUT, V_UP, TIMEOUT, 5000 },
            { 2000, RES_PASS, REASON_OK, V_UP, REASON_OK, 5000 },
            { 3000, RES_FAIL, TIMEOUT, V_UP, TIMEOUT, 5000 },
            { 4000, RES_FAIL, TIMEOUT, V_UP, TIMEOUT, 5000 },
            { 5000, RES_PASS, REASON_OK, V_UP, REASON_OK, 5000 } } },
        { "flapping after down stays down",
          { { 0, RES_FAIL, NO_QUORUM, V_DOWN, NO_QUORUM, 5000 },
            { 1000, RES_PASS, REASON_OK, V_DOWN, NO_QUORUM, 5000 },
            { 2000, RES_FAIL, REFUSED, V_DOWN, REFUSED, 5000 },
            { 3000, RES_PASS, REASON_OK, V_DOWN, REFUSED, 5000 },
            { 4000, RES_FAIL, TIMEOUT, V_DOWN, TIMEOUT, 5000 },
            { 5000, RES_PASS, REASON_OK, V_DOWN, TIMEOUT, 5000 } } },
        { "silence: the verdict stands until it is stale",
          { { 0, RES_PASS, REASON_OK, V_UP, REASON_OK, 5000 },
            { 4999, RES_SKIP, REASON_OK, V_UP, REASON_OK, 1 },
            { 5000, RES_SKIP, REASON_OK, V_UNKNOWN, REASON_STALE, -1 },
            { 9000, RES_SKIP, REASON_OK, V_UNKNOWN, REASON_STALE, -1 },
            { 9100, RES_PASS, REASON_OK, V_UP, REASON_OK, 5000 } } },
        { "silence: down gets stale too, and its history is forgotten",
          { { 0, RES_FAIL, NO_QUORUM, V_DOWN, NO_QUORUM, 5000 },
            { 5000, RES_SKIP, REASON_OK, V_UNKNOWN, REASON_STALE, -1 },
            { 5100, RES_FAIL, TIMEOUT, V_UNKNOWN, TIMEOUT, 5000 },
            { 5200, RES_FAIL, TIMEOUT, V_UNKNOWN, TIMEOUT, 5000 },
            { 5300, RES_FAIL, TIMEOUT, V_UNKNOWN, TIMEOUT, 800 } } },
        { "waiting neither heals nor hurts",
          { { 0, RES_PASS, REASON_OK, V_UP, REASON_OK, 5000 },
            { 100, RES_WAIT, WAITING, V_UP, WAITING, 5000 },
            { 200, RES_FAIL, REFUSED, V_SUSPECT, REFUSED, 1000 },
            { 300, RES_WAIT, WAITING, V_SUSPECT, WAITING, 5000 },
            { 1200, RES_WAIT, WAITING, V_SUSPECT, WAITING, 5000 },
            { 1300, RES_FAIL, REFUSED, V_DOWN, REFUSED, 5000 },
            { 1400, RES_WAIT, WAITING, V_DOWN, WAITING, 5000 },
            { 1500, RES_PASS, REASON_OK, V_DOWN, WAITING, 5000 },
            { 1600, RES_PASS, REASON_OK, V_UP, REASON_OK, 5000 } } },
        { "waiting as the first news is good enough",
          { { 0, RES_WAIT, WAITING, V_UP, WAITING, 5000 } } },
        { "waiting after a first failure proves nothing",
          { { 0, RES_FAIL, TIMEOUT, V_UNKNOWN, TIMEOUT, 5000 },
            { 100, RES_WAIT, WAITING, V_UNKNOWN, WAITING, 5000 } } },
        { "waiting breaks a row of samples",
          { { 0, RES_PASS, REASON_OK, V_UP, REASON_OK, 5000 },
            { 100, RES_FAIL, TIMEOUT, V_UP, TIMEOUT, 5000 },
            { 200, RES_FAIL, TIMEOUT, V_UP, TIMEOUT, 5000 },
            { 300, RES_WAIT, WAITING, V_UP, WAITING, 5000 },
            { 400, RES_FAIL, TIMEOUT, V_UP, TIMEOUT, 5000 } } },
        { "a note comes and goes without moving the verdict",
          { { 0, RES_PASS, REASON_OK, V_UP, REASON_OK, 5000 },
            { 100, RES_PASS, REASON_GALERA_DONOR, V_UP, REASON_GALERA_DONOR, 5000 },
            { 200, RES_PASS, REASON_OK, V_UP, REASON_OK, 5000 } } },
};

static void run_script(const struct script *s)
{
        struct check_state c = { .seen = false };

        for (size_t i = 0; i < MAX_ROWS && (i == 0 || s->rows[i].at > 0); i++) {
                const struct row *r = &s->rows[i];
                enum verdict before = c.verdict;
                enum verdict v =
                        verdict_step(&c, &RULE, (struct finding){ r->result, r->reason }, r->at);
                msec_t next = verdict_next(&c, &RULE, r->at);
                if (v != r->verdict || c.verdict != v || c.reason != r->says || next != r->next)
                        fail_msg("%s, at %lld: %s, %s, next %lld", s->name, (long long)r->at,
                                 VERDICTS[v], reason_name(c.reason), (long long)next);
                if (v != before && c.changed_at != r->at)
                        fail_msg("%s, at %lld: changed_at", s->name, (long long)r->at);
        }
}

static void test_scripts(void **unused)
{
        (void)unused;
        for (size_t i = 0; i < sizeof SCRIPTS / sizeof SCRIPTS[0]; i++)
                run_script(&SCRIPTS[i]);
}

/* Whatever comes, in any order of four results and three reasons: what always holds. */
static void test_always(void **unused)
{
        static const enum reason WHY[] = { TIMEOUT, REFUSED, NO_QUORUM };
        unsigned seed = 1;
        struct check_state c = { .seen = false };
        msec_t now = 0;

        (void)unused;
        for (int i = 0; i < 300000; i++) {
                seed = seed * 1103515245U + 12345U;
                unsigned bits = seed >> 16;
                enum result res = (enum result)(bits & 3);
                enum reason why = res == RES_FAIL   ? WHY[(bits >> 2) % 3]
                                  : res == RES_WAIT ? WAITING
                                                    : REASON_OK;
                enum verdict before = c.verdict;
                now += 1 + (bits >> 4) % 1500;

                enum verdict v = verdict_step(&c, &RULE, (struct finding){ res, why }, now);
                msec_t next = verdict_next(&c, &RULE, now);
                assert_true(v < V_COUNT_ && v == c.verdict);
                assert_true(next == -1 || next > 0); /* the daemon never spins */
                if (res == RES_FAIL && why == NO_QUORUM)
                        assert_int_equal(v, V_DOWN);
                if (res == RES_PASS && c.streak >= RULE.rise)
                        assert_int_equal(v, V_UP);
                if (res == RES_PASS && before == V_DOWN && v == V_DOWN)
                        assert_int_not_equal(c.reason, REASON_OK); /* no "down: ok" */
                if (v == V_UP && before != V_UP)
                        assert_true(res == RES_PASS || res == RES_WAIT);
                if (v == V_SUSPECT && before != V_SUSPECT)
                        assert_int_equal(before, V_UP);
                if (now - c.fresh_at >= RULE.stale && c.seen)
                        assert_int_equal(v, V_UNKNOWN);
        }
}

/* Waking when verdict_next() says is early enough: a step right then moves the verdict. */
static void test_next_is_when(void **unused)
{
        static const struct finding FIRST[] = { { RES_PASS, REASON_OK },
                                                { RES_FAIL, REFUSED },
                                                { RES_FAIL, NO_QUORUM } };

        (void)unused;
        for (size_t i = 0; i < sizeof FIRST / sizeof FIRST[0]; i++) {
                struct check_state c = { .seen = false };
                enum verdict v = verdict_step(&c, &RULE, FIRST[i], 0);
                msec_t next = verdict_next(&c, &RULE, 0);
                struct finding silence = { RES_SKIP, REASON_OK };
                assert_int_equal(verdict_step(&c, &RULE, silence, next - 1), v);
                assert_int_not_equal(verdict_step(&c, &RULE, silence, next), v);
        }
}

/* ---- the node ---- */

#define UP                                                                           \
        {                                                                            \
                .seen = true, .verdict = V_UP, .last = RES_PASS, .reason = REASON_OK \
        }
#define DONOR                                                                                  \
        {                                                                                      \
                .seen = true, .verdict = V_UP, .last = RES_PASS, .reason = REASON_GALERA_DONOR \
        }
#define BLIP                                                                                    \
        {                                                                                       \
                .seen = true, .verdict = V_UP, .last = RES_FAIL, .reason = TIMEOUT, .bad = true \
        }
#define SUSPECT                                                                         \
        {                                                                               \
                .seen = true, .verdict = V_SUSPECT, .last = RES_FAIL, .reason = REFUSED \
        }
#define DOWN                                                                           \
        {                                                                              \
                .seen = true, .verdict = V_DOWN, .last = RES_FAIL, .reason = NO_QUORUM \
        }
#define DOWN2                                                                        \
        {                                                                            \
                .seen = true, .verdict = V_DOWN, .last = RES_FAIL, .reason = REFUSED \
        }
#define STALE                                                              \
        {                                                                  \
                .seen = true, .verdict = V_UNKNOWN, .reason = REASON_STALE \
        }
#define NEW                   \
        {                     \
                .seen = false \
        }

enum { MAX_CHECKS = 4 };

static const struct node_row {
        const char *name;
        size_t n;
        struct check_state checks[MAX_CHECKS];
        bool optional[MAX_CHECKS];
        enum fitness fitness;
        enum reason reason;
        size_t culprit;
} NODES[] = {
        { "no check at all", 0, { NEW }, { false }, UNSURE, REASON_STARTING, 0 },
        { "only optional ones", 2, { UP, DOWN }, { true, true }, UNSURE, REASON_STARTING, 2 },
        { "all up", 3, { UP, UP, UP }, { false }, FIT, REASON_OK, 3 },
        { "one never asked", 3, { UP, NEW, UP }, { false }, UNSURE, REASON_STARTING, 1 },
        { "one stale", 3, { UP, UP, STALE }, { false }, UNSURE, REASON_STALE, 2 },
        { "suspect is fit", 3, { UP, SUSPECT, UP }, { false }, FIT, REFUSED, 1 },
        { "one bad sample is no news", 2, { BLIP, UP }, { false }, FIT, REASON_OK, 2 },
        { "a note", 3, { UP, DONOR, UP }, { false }, FIT, REASON_GALERA_DONOR, 1 },
        { "suspect beats a note", 2, { DONOR, SUSPECT }, { false }, FIT, REFUSED, 1 },
        { "unknown beats suspect", 2, { SUSPECT, STALE }, { false }, UNSURE, REASON_STALE, 1 },
        { "down beats unknown", 3, { STALE, NEW, DOWN }, { false }, UNFIT, NO_QUORUM, 2 },
        { "down stays on top", 3, { DOWN, STALE, SUSPECT }, { false }, UNFIT, NO_QUORUM, 0 },
        { "the first of two", 3, { UP, DOWN2, DOWN }, { false }, UNFIT, REFUSED, 1 },
        { "optional down is shown, no more", 2, { UP, DOWN }, { false, true }, FIT, REASON_OK, 2 },
};

static void test_node(void **unused)
{
        (void)unused;
        for (size_t i = 0; i < sizeof NODES / sizeof NODES[0]; i++) {
                const struct node_row *row = &NODES[i];
                struct node_check checks[MAX_CHECKS];
                for (size_t j = 0; j < row->n; j++)
                        checks[j] = (struct node_check){ &row->checks[j], !row->optional[j] };
                struct node_verdict v = node_judge(checks, row->n, 0);
                if (v.fitness != row->fitness || v.reason != row->reason ||
                    v.culprit != row->culprit)
                        fail_msg("%s: %s, %s, culprit %zu", row->name, FITNESSES[v.fitness],
                                 reason_name(v.reason), v.culprit);
        }
}

static void test_node_age(void **unused)
{
        struct check_state a = UP, b = UP, c = UP, never = NEW;
        const struct node_check checks[] = {
                { &a, true }, { &b, true }, { &c, false }, { &never, true }
        };

        (void)unused;
        a.fresh_at = 900;
        b.fresh_at = 400;
        c.fresh_at = 100; /* optional: does not count */
        assert_int_equal(node_judge(checks, 4, 1000).age, 600);
        assert_int_equal(node_judge(checks, 1, 1000).age, 100);
        assert_int_equal(node_judge(checks + 3, 1, 1000).age, 0);
}

static void test_names(void **unused)
{
        (void)unused;
        for (int i = 0; i < ROLE_COUNT_; i++)
                assert_non_null(ROLES[i]);
        for (int i = 0; i < V_COUNT_; i++)
                assert_non_null(VERDICTS[i]);
        for (int i = 0; i < FITNESS_COUNT_; i++)
                assert_non_null(FITNESSES[i]);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_scripts),      cmocka_unit_test(test_always),
                cmocka_unit_test(test_next_is_when), cmocka_unit_test(test_node),
                cmocka_unit_test(test_node_age),     cmocka_unit_test(test_names),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
