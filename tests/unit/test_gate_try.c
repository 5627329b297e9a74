/* signup/gate/gate.c: one try for one ticket, whatever the gate, whatever came of it, on whichever
 * instance, and however many come at the same time. */
#include "signup/gate/gate.h"
#include "signup/gate/pow.h"
#include "tests/unit/gate_fixture.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { NOW = 1790000000, TTL = 600, AGE = 3, BITS = 4 };

static struct gate gate, other; /* two instances: same key, same store */

static int setup(void **unused)
{
        const char *text = "the key of this test, long enough for it";
        struct spent *s = NULL;

        (void)unused;
        assert_int_equal(spent_memory_new(1000, &s), 0);
        gate = (struct gate){ .keys = keys(text),
                              .spent = s,
                              .kinds = ~0u,
                              .bind = "b",
                              .min_age = AGE,
                              .ttl = TTL };
        other = gate;
        other.keys = keys(text);
        return 0;
}

static int teardown(void **unused)
{
        (void)unused;
        keys_free((struct keys *)gate.keys);
        keys_free((struct keys *)other.keys);
        spent_free(gate.spent);
        return 0;
}

static void form(char text[TICKET_TEXT])
{
        assert_int_equal(gate_form(&gate, "de-de", BITS, NOW, text), 0);
}

/* What a visitor, or a machine, would find. */
static void solve(const char *text, enum gate_kind kind, char ret[GATE_RESPONSE])
{
        const struct ticket_rule rule = { TICKET_FORM, 0, TTL, "b" };
        struct ticket t;

        assert_int_equal(ticket_read(gate.keys, text, &rule, NOW, &t), TICKET_OK);
        if (kind != GATE_POW) {
                assert_int_equal(gate_answer(gate.keys, &t, kind, ret), 0);
                return;
        }
        for (unsigned i = 0;; i++) {
                snprintf(ret, GATE_RESPONSE, "%u", i);
                if (pow_check(text, t.count, ret))
                        return;
        }
}

static enum gate_end try_at(const struct gate *g, enum gate_kind kind, const char *ticket,
                            const char *response, int64_t now)
{
        struct ticket t;

        return gate_try(g, &(struct gate_try){ kind, ticket, response }, now, &t);
}

static void expect(enum gate_end have, enum gate_end want, const char *what)
{
        if (have != want)
                fail_msg("%s: %s, expected %s", what, GATE_ENDS[have], GATE_ENDS[want]);
}

static void test_once(void **unused)
{
        (void)unused;
        for (enum gate_kind kind = GATE_IMAGE; kind <= GATE_POW; kind++) {
                char text[TICKET_TEXT], right[GATE_RESPONSE];
                const char *name = GATE_KINDS[kind];

                form(text); /* right, and again */
                solve(text, kind, right);
                expect(try_at(&gate, kind, text, right, NOW + AGE), GATE_PASSED, name);
                expect(try_at(&gate, kind, text, right, NOW + AGE), GATE_SPENT, name);
                expect(try_at(&other, kind, text, right, NOW + AGE), GATE_SPENT, name);

                form(text); /* wrong, then right */
                solve(text, kind, right);
                expect(try_at(&gate, kind, text, "no", NOW + AGE), GATE_WRONG, name);
                for (enum gate_kind k = GATE_IMAGE; k <= GATE_POW; k++) {
                        char answer[GATE_RESPONSE];
                        solve(text, k, answer);
                        expect(try_at(&other, k, text, answer, NOW + AGE), GATE_SPENT, name);
                }

                form(text); /* too fast, then right */
                solve(text, kind, right);
                expect(try_at(&gate, kind, text, right, NOW + AGE - 1), GATE_EARLY, name);
                expect(try_at(&other, kind, text, right, NOW + AGE), GATE_PASSED, name);

                form(text);
                solve(text, kind, right);
                expect(try_at(&gate, kind, text, right, NOW + TTL + 1), GATE_EXPIRED, name);
        }
}

/* The spent set forgets nothing that could still be used. */
static void test_forgets_late(void **unused)
{
        char text[TICKET_TEXT], right[GATE_RESPONSE];
        struct spent *small = NULL;
        struct gate g = gate;

        (void)unused;
        assert_int_equal(spent_memory_new(1, &small), 0);
        g.spent = small;
        form(text);
        solve(text, GATE_IMAGE, right);
        expect(try_at(&g, GATE_IMAGE, text, right, NOW + AGE), GATE_PASSED, "first");

        char next[TICKET_TEXT];
        form(next); /* no room: not passed, not forgotten */
        solve(next, GATE_IMAGE, right);
        expect(try_at(&g, GATE_IMAGE, next, right, NOW + TTL), GATE_DOWN, "full");
        expect(try_at(&g, GATE_IMAGE, text, right, NOW + TTL), GATE_SPENT, "first again");

        assert_int_equal(gate_form(&gate, "", BITS, NOW + TTL, next), 0);
        expect(try_at(&g, GATE_IMAGE, next, "no", NOW + TTL + 60), GATE_WRONG, "room again");
        spent_free(small);
}

/* Each of `n` from `first` on ends as `end` says; they expire one second after the other. */
static void take_many(struct spent *s, uint32_t first, uint32_t n, int64_t now, int end)
{
        for (uint32_t i = first; i < first + n; i++) {
                unsigned char nonce[TICKET_NONCE] = { 0 };
                uint32_t mixed = i * 2654435761u;

                memcpy(nonce, &mixed, sizeof mixed);
                int r = s->ops->take(s, nonce, NOW + 1 + (int64_t)i, now);
                if (r != end)
                        fail_msg("%u: %s", i, strerror(-r));
        }
}

/* The table grows and forgets, and no ticket that lives is lost on the way. */
static void test_many(void **unused)
{
        enum { CAP = 20000 };
        struct spent *s = NULL;

        (void)unused;
        assert_int_equal(spent_memory_new(CAP, &s), 0);
        take_many(s, 0, CAP, NOW, 0);
        take_many(s, 0, CAP, NOW, -EALREADY);
        take_many(s, CAP, 1, NOW, -ENOSPC);

        int64_t later = NOW + CAP - 100; /* a hundred still live */
        take_many(s, CAP, CAP - 200, later, 0);
        take_many(s, CAP - 100, CAP - 100, later, -EALREADY);
        spent_free(s);
}

static void test_typed(void **unused)
{
        static const struct {
                const char *before, *between, *after;
                bool small;
        } CASES[] = { { " ", "", "\t", false }, { "", " ", "", true }, { "", "-", ".", false } };
        char text[TICKET_TEXT], right[GATE_RESPONSE];

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
                CLEANUP(buf_done) struct buf b = BUF(256);
                form(text);
                solve(text, GATE_IMAGE, right);
                buf_adds(&b, CASES[i].before);
                for (const char *c = right; *c; c++) {
                        char one = *c >= 'A' && CASES[i].small ? (char)(*c | 32) : *c;
                        buf_addf(&b, "%c%s", one, c[1] ? CASES[i].between : "");
                }
                buf_adds(&b, CASES[i].after);
                expect(try_at(&gate, GATE_IMAGE, text, buf_str(&b), NOW + AGE), GATE_PASSED,
                       buf_str(&b));
        }
}

static void test_refused(void **unused)
{
        static char endless[100000];
        char text[TICKET_TEXT], right[GATE_RESPONSE];
        struct gate closed = gate;

        (void)unused;
        memset(endless, 'A', sizeof endless - 1);
        form(text);
        solve(text, GATE_POW, right);
        expect(try_at(&gate, GATE_IMAGE, "", "", NOW), GATE_MALFORMED, "nothing");
        expect(try_at(&gate, GATE_IMAGE, endless, right, NOW), GATE_MALFORMED, "endless");
        expect(try_at(&gate, GATE_PASS, text, "", NOW + AGE), GATE_FOREIGN, "form as pass");
        expect(try_at(&gate, GATE_KIND_COUNT_, text, right, NOW + AGE), GATE_UNKNOWN, "no gate");
        closed.kinds = 1u << GATE_IMAGE;
        expect(try_at(&closed, GATE_POW, text, right, NOW + AGE), GATE_UNKNOWN, "switched off");
        closed.bind = "c";
        expect(try_at(&closed, GATE_IMAGE, text, right, NOW + AGE), GATE_FORGED, "other portal");
        expect(try_at(&gate, GATE_POW, text, endless, NOW + AGE), GATE_WRONG, "endless answer");

        assert_int_equal(gate_kind_parse("audio"), GATE_AUDIO);
        assert_int_equal(gate_kind_parse("pass"), -ENOENT);
        assert_int_equal(gate_kind_parse(""), -ENOENT);
        assert_int_equal(gate_kind_parse(NULL), -ENOENT);
}

static void test_look(void **unused)
{
        char text[TICKET_TEXT];
        struct ticket t;

        (void)unused;
        form(text);
        for (int i = 0; i < 3; i++)
                expect(gate_look(&gate, text, NOW, &t), GATE_PASSED, "look");
        assert_string_equal(t.locale, "de-de");
        expect(gate_look(&gate, text, NOW + TTL + 1, &t), GATE_EXPIRED, "old");
        text[20] = text[20] == 'A' ? 'B' : 'A'; /* in the nonce */
        expect(gate_look(&gate, text, NOW, &t), GATE_FORGED, "forged");
        form(text);
        expect(try_at(&gate, GATE_AUDIO, text, "", NOW + AGE), GATE_WRONG, "not used up");
}

/* What one gate wants says nothing of what another one wants. */
static void test_answers_differ(void **unused)
{
        unsigned lengths[GATE_ANSWER] = { 0 };

        (void)unused;
        for (int i = 0; i < 200; i++) {
                char text[TICKET_TEXT], image[GATE_RESPONSE], audio[GATE_RESPONSE];
                form(text);
                solve(text, GATE_IMAGE, image);
                solve(text, GATE_AUDIO, audio);
                assert_string_not_equal(image, audio);
                lengths[strlen(image)]++;
                assert_int_equal(strlen(audio), 6);
                assert_int_equal(strspn(audio, "0123456789"), 6);
                expect(try_at(&gate, GATE_IMAGE, text, audio, NOW + AGE), GATE_WRONG, "crossed");
        }
        assert_true(lengths[5] > 50 && lengths[6] > 50);
        assert_int_equal(lengths[5] + lengths[6], 200);
}

static void test_passes(void **unused)
{
        const struct ticket_rule rule = { TICKET_FORM, 0, TTL, "b" };
        char text[TICKET_TEXT];
        struct ticket t;

        (void)unused;
        form(text);
        assert_int_equal(ticket_read(gate.keys, text, &rule, NOW, &t), TICKET_OK);
        for (int i = 0; i < GATE_PASSES; i++) {
                assert_int_equal(gate_pass(&gate, &t, NOW + i, text), 0);
                const struct gate_try again = { GATE_PASS, text, "" };
                expect(gate_try(&other, &again, NOW + i, &t), GATE_PASSED, "pass");
                assert_string_equal(t.locale, "de-de");
                struct ticket ignored;
                expect(gate_try(&gate, &again, NOW + i, &ignored), GATE_SPENT, "pass again");
                expect(try_at(&gate, GATE_IMAGE, text, "", NOW + i), GATE_FOREIGN, "as form");
        }
        assert_int_equal(gate_pass(&gate, &t, NOW, text), -EDQUOT);
}

/* ---- at the same time ---- */

struct race {
        char text[TICKET_TEXT], right[GATE_RESPONSE];
        pthread_barrier_t start;
        int passed[8];
};

static struct race race;

static void *racer(void *arg)
{
        int *passed = arg;
        bool odd = (passed - race.passed) & 1;

        pthread_barrier_wait(&race.start);
        *passed = try_at(odd ? &other : &gate, GATE_IMAGE, race.text, race.right, NOW + AGE) ==
                  GATE_PASSED;
        return NULL;
}

static void test_race(void **unused)
{
        pthread_t threads[ARRAY_SIZE(race.passed)];

        (void)unused;
        for (int round = 0; round < 100; round++) {
                int passed = 0;
                form(race.text);
                solve(race.text, GATE_IMAGE, race.right);
                pthread_barrier_init(&race.start, NULL, ARRAY_SIZE(threads));
                for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
                        assert_int_equal(pthread_create(&threads[i], NULL, racer, &race.passed[i]),
                                         0);
                for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
                        pthread_join(threads[i], NULL);
                        passed += race.passed[i];
                }
                pthread_barrier_destroy(&race.start);
                assert_int_equal(passed, 1);
        }
}

/* ---- proof of work ---- */

static void test_pow(void **unused)
{
        static const char *const BAD[] = {
                "", "-1", "+1", "01", "1 ", " 1", "0x1", "1e3", "1234567890123456", "1\n"
        };
        char text[TICKET_TEXT], right[GATE_RESPONSE], wrong[GATE_RESPONSE + 1];

        (void)unused;
        form(text);
        solve(text, GATE_POW, right);
        assert_true(pow_check(text, BITS, right));
        assert_false(pow_check(text, 3, right));
        assert_false(pow_check(text, 0, right));
        assert_false(pow_check(text, POW_BITS_MAX + 1, right));
        for (size_t i = 0; i < ARRAY_SIZE(BAD); i++)
                assert_false(pow_check(text, BITS, BAD[i]));
        snprintf(wrong, sizeof wrong, "0%s", right);
        assert_false(pow_check(text, BITS, wrong));

        /* with openssl kdf -keylen 32 -kdfopt digest:SHA256 -kdfopt pass:ticket
         * -kdfopt salt:signup-pow:57 -kdfopt iter:5000 PBKDF2 */
        assert_true(pow_check("ticket", 8, "57"));
}

static void test_pow_bits(void **unused)
{
        static const struct {
                unsigned base, max;
                uint64_t normal, recent;
                unsigned bits;
        } CASES[] = {
                { 8, 12, 10, 0, 8 },          { 8, 12, 10, 9, 8 },
                { 8, 12, 10, 10, 9 },         { 8, 12, 10, 20, 10 },
                { 8, 12, 10, 79, 11 },        { 8, 12, 10, UINT64_MAX, 12 },
                { 8, 8, 10, 1000, 8 },        { 9, 3, 10, 1000, 9 },
                { 0, 0, 0, 0, POW_BITS_MIN }, { 99, 99, 1, 9, POW_BITS_MAX },
        };

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(CASES); i++)
                assert_int_equal(
                        pow_bits(CASES[i].base, CASES[i].max, CASES[i].normal, CASES[i].recent),
                        CASES[i].bits);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_once),     cmocka_unit_test(test_forgets_late),
                cmocka_unit_test(test_typed),    cmocka_unit_test(test_refused),
                cmocka_unit_test(test_passes),   cmocka_unit_test(test_answers_differ),
                cmocka_unit_test(test_race),     cmocka_unit_test(test_pow),
                cmocka_unit_test(test_pow_bits), cmocka_unit_test(test_look),
                cmocka_unit_test(test_many),
        };

        return cmocka_run_group_tests(tests, setup, teardown);
}
