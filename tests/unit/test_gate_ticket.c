/* signup/gate/ticket.c and keys.c: what was issued is read back on every node, each single bit that
 * is changed is noticed, and a ticket is good for one purpose, one portal and a limited time. */
#include "signup/gate/ticket.h"
#include "tests/unit/gate_fixture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define OLD   "the old key of this test, long enough"
#define NEW   "the new key of this test, long enough"
#define OTHER "somebody else's key, also long enough"
#define BIND  "https://mail.example/signup/"

enum { NOW = 1790000000, TTL = 600 };

static const struct ticket_rule RULE = { TICKET_FORM, 3, TTL, BIND };

static void issue(const struct keys *k, char ret[TICKET_TEXT])
{
        struct ticket t = { .kind = TICKET_FORM, .count = 9, .locale = "de-de", .payload_len = 3 };

        memcpy(t.payload, "\0z\xff", 3);
        assert_int_equal(ticket_issue(k, &t, BIND, NOW, ret), 0);
}

static void expect(enum ticket_end have, enum ticket_end want, const char *what)
{
        if (have != want)
                fail_msg("%s: %s, expected %s", what, TICKET_ENDS[have], TICKET_ENDS[want]);
}

static void test_round(void **unused)
{
        CLEANUP(keys_freep) struct keys *one = keys(NEW "\n"), *two = keys("# two\r\n\r\n" NEW);
        char text[TICKET_TEXT];
        struct ticket t;

        (void)unused;
        issue(one, text);
        expect(ticket_read(two, text, &RULE, NOW + 3, &t), TICKET_OK, "another node");
        assert_int_equal(t.kind, TICKET_FORM);
        assert_int_equal(t.issued, NOW);
        assert_int_equal(t.count, 9);
        assert_string_equal(t.locale, "de-de");
        assert_int_equal(t.payload_len, 3);
        assert_memory_equal(t.payload, "\0z\xff", 3);
}

static void test_longest(void **unused)
{
        CLEANUP(keys_freep) struct keys *k = keys(NEW);
        struct ticket t = { .kind = TICKET_FORM,
                            .count = UINT16_MAX,
                            .locale = "abcdefghijklmno",
                            .payload_len = TICKET_PAYLOAD };
        char text[TICKET_TEXT];

        (void)unused;
        assert_int_equal(ticket_issue(k, &t, BIND, NOW, text), 0);
        assert_true(strlen(text) < TICKET_TEXT);
        expect(ticket_read(k, text, &RULE, NOW + 3, &t), TICKET_OK, "the longest");
        t.count++;
        assert_int_equal(ticket_issue(k, &t, BIND, NOW, text), -EINVAL);
        t.count = 0;
        t.payload_len++;
        assert_int_equal(ticket_issue(k, &t, BIND, NOW, text), -EINVAL);
        t.payload_len = 0;
        str_copy(t.locale, sizeof t.locale, "de_de");
        assert_int_equal(ticket_issue(k, &t, BIND, NOW, text), -EINVAL);
}

static void test_time(void **unused)
{
        static const struct {
                int64_t age;
                enum ticket_end end;
        } CASES[] = {
                { INT32_MIN, TICKET_EARLY },
                { -1, TICKET_EARLY },
                { 0, TICKET_EARLY },
                { 2, TICKET_EARLY },
                { 3, TICKET_OK },
                { TTL, TICKET_OK },
                { TTL + 1, TICKET_EXPIRED },
                { INT32_MAX, TICKET_EXPIRED },
        };
        CLEANUP(keys_freep) struct keys *k = keys(NEW);
        struct ticket_rule quick = RULE;
        char text[TICKET_TEXT];
        struct ticket t;

        (void)unused;
        issue(k, text);
        for (size_t i = 0; i < ARRAY_SIZE(CASES); i++)
                expect(ticket_read(k, text, &RULE, NOW + CASES[i].age, &t), CASES[i].end, "age");
        quick.min_age = 0; /* our clocks need not agree */
        expect(ticket_read(k, text, &quick, NOW - TICKET_SKEW, &t), TICKET_OK, "skew");
        expect(ticket_read(k, text, &quick, NOW - TICKET_SKEW - 1, &t), TICKET_EARLY, "future");
}

/* Each letter of the text is changed into each other letter: 64 * 150 forgeries. */
static void test_forged(void **unused)
{
        static const char LETTERS[] =
                "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=+/. ";
        CLEANUP(keys_freep) struct keys *k = keys(NEW "\n" OLD);
        char text[TICKET_TEXT];
        struct ticket t;

        (void)unused;
        issue(k, text);
        for (size_t i = 0; text[i]; i++) {
                char right = text[i];
                for (const char *c = LETTERS; *c; c++) {
                        text[i] = *c;
                        enum ticket_end end = ticket_read(k, text, &RULE, NOW + 3, &t);
                        if (*c != right && end != TICKET_MALFORMED && end != TICKET_FORGED)
                                fail_msg("letter %zu as %c: %s", i, *c, TICKET_ENDS[end]);
                }
                text[i] = right;
        }
        expect(ticket_read(k, text, &RULE, NOW + 3, &t), TICKET_OK, "unchanged");
}

static void test_cut(void **unused)
{
        CLEANUP(keys_freep) struct keys *k = keys(NEW);
        char text[TICKET_TEXT], other[2 * TICKET_TEXT];
        struct ticket t;

        (void)unused;
        issue(k, text);
        for (size_t i = 0; i < strlen(text); i++) {
                snprintf(other, sizeof other, "%.*s", (int)i, text);
                expect(ticket_read(k, other, &RULE, NOW + 3, &t), TICKET_MALFORMED, "cut");
        }
        snprintf(other, sizeof other, "%sA", text);
        expect(ticket_read(k, other, &RULE, NOW + 3, &t), TICKET_MALFORMED, "a letter more");
        snprintf(other, sizeof other, "%s%s", text, text);
        expect(ticket_read(k, other, &RULE, NOW + 3, &t), TICKET_MALFORMED, "twice");
}

static void test_bound(void **unused)
{
        CLEANUP(keys_freep) struct keys *k = keys(NEW), *foreign = keys(OTHER);
        struct ticket_rule rule = RULE;
        char text[TICKET_TEXT];
        struct ticket t = { .kind = TICKET_FORM };

        (void)unused;
        issue(k, text);
        expect(ticket_read(foreign, text, &RULE, NOW + 3, &t), TICKET_FORGED, "other key");
        rule.bind = "https://mail.example/signup";
        expect(ticket_read(k, text, &rule, NOW + 3, &t), TICKET_FORGED, "other portal");
        rule.bind = BIND;
        for (rule.kind = 0; rule.kind < TICKET_KIND_COUNT_; rule.kind++)
                expect(ticket_read(k, text, &rule, NOW + 3, &t),
                       rule.kind == TICKET_FORM ? TICKET_OK : TICKET_FOREIGN, "purpose");
}

/* No field's end can be moved into its neighbour (CVE-2025-68113 of another captcha). */
static void test_spliced(void **unused)
{
        CLEANUP(keys_freep) struct keys *k = keys(NEW);
        static const struct key_field ONE[] = { { "ab", 2 }, { "c", 1 } },
                                      TWO[] = { { "a", 1 }, { "bc", 2 } },
                                      THREE[] = { { "abc", 3 }, { "", 0 } };
        unsigned char a[KEY_MAC], b[KEY_MAC], c[KEY_MAC], d[KEY_MAC];

        (void)unused;
        assert_int_equal(keys_mac(k, 0, KEY_TICKET, ONE, 2, a), 0);
        assert_int_equal(keys_mac(k, 0, KEY_TICKET, TWO, 2, b), 0);
        assert_int_equal(keys_mac(k, 0, KEY_TICKET, THREE, 2, c), 0);
        assert_int_equal(keys_mac(k, 0, KEY_ANSWER, ONE, 2, d), 0);
        assert_false(keys_equal(a, b, KEY_MAC));
        assert_false(keys_equal(a, c, KEY_MAC));
        assert_false(keys_equal(b, c, KEY_MAC));
        assert_false(keys_equal(a, d, KEY_MAC));
}

/* Every byte counts, also the last one. */
static void test_equal(void **unused)
{
        unsigned char a[KEY_MAC], b[KEY_MAC];

        (void)unused;
        memset(a, 'x', sizeof a);
        memset(b, 'x', sizeof b);
        assert_true(keys_equal(a, b, sizeof a));
        for (size_t i = 0; i < sizeof a; i++) {
                b[i] ^= 1;
                assert_false(keys_equal(a, b, sizeof a));
                assert_true(keys_equal(a, b, i));
                b[i] ^= 1;
        }
}

/* 128 random bits: no two of 2,000 alike, and each byte takes many values. */
static void test_nonces(void **unused)
{
        enum { N = 2000 };
        CLEANUP(keys_freep) struct keys *k = keys(NEW);
        static unsigned char nonces[N][TICKET_NONCE];
        static bool seen[TICKET_NONCE][256];
        char text[TICKET_TEXT];
        struct ticket t;

        (void)unused;
        assert_true(TICKET_NONCE * 8 >= 128);
        for (size_t i = 0; i < N; i++) {
                issue(k, text);
                expect(ticket_read(k, text, &RULE, NOW + 3, &t), TICKET_OK, "fresh");
                memcpy(nonces[i], t.nonce, TICKET_NONCE);
                for (size_t a = 0; a < i; a++)
                        assert_memory_not_equal(nonces[a], nonces[i], TICKET_NONCE);
                for (size_t a = 0; a < TICKET_NONCE; a++)
                        seen[a][t.nonce[a]] = true;
        }
        for (size_t a = 0; a < TICKET_NONCE; a++) {
                int values = 0;
                for (int v = 0; v < 256; v++)
                        values += seen[a][v];
                assert_true(values > 200); /* of 2,000 even ones: 255.9 */
        }
}

/* The three steps of a rotation, two nodes that are never in the same one. */
static void test_rotation(void **unused)
{
        static const char *const STEPS[] = { OLD, OLD "\n" NEW, NEW "\n" OLD, NEW };
        struct ticket t;
        char text[TICKET_TEXT];

        (void)unused;
        for (size_t i = 0; i + 1 < ARRAY_SIZE(STEPS); i++) {
                CLEANUP(keys_freep) struct keys *a = keys(STEPS[i]), *b = keys(STEPS[i + 1]);
                if (i + 2 < ARRAY_SIZE(STEPS)) { /* the last one waits for the old tickets' end */
                        issue(a, text);
                        expect(ticket_read(b, text, &RULE, NOW + 3, &t), TICKET_OK, STEPS[i + 1]);
                }
                issue(b, text);
                expect(ticket_read(a, text, &RULE, NOW + 3, &t), TICKET_OK, STEPS[i]);
        }
        CLEANUP(keys_freep) struct keys *before = keys(OLD), *after = keys(NEW);
        issue(before, text);
        expect(ticket_read(after, text, &RULE, NOW + 3, &t), TICKET_FORGED,
               "a key that was dropped");
}

static void test_key_file(void **unused)
{
        static const struct {
                const char *text, *error;
        } CASES[] = {
                { "", "keys: no key in it" },
                { "# nothing\n\n", "keys: no key in it" },
                { "\nshort\n", "keys:2: a key has 32 to 256 characters, this one 5" },
                { NEW "\n" NEW "\n", "keys:2: this key is there twice" },
                { NEW "1\n" NEW "2\n" NEW "3\n" NEW "4\n" NEW "5\n" NEW "6\n" NEW "7\n" NEW
                      "8\n" NEW "9\n",
                  "keys:9: more than 8 keys" },
        };
        struct keys *k = NULL;

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
                CLEANUP(buf_done) struct buf error = BUF(512);
                assert_int_equal(keys_parse(CASES[i].text, "keys", &k, &error), -EINVAL);
                if (!strstr(buf_str(&error), CASES[i].error))
                        fail_msg("%s", buf_str(&error));
                assert_null(strstr(buf_str(&error), "this test")); /* part of the keys */
        }
        CLEANUP(buf_done) struct buf error = BUF(512);
        assert_int_equal(keys_load("/nonexistent/keys", &k, &error), -ENOENT);
        assert_non_null(strstr(buf_str(&error), "/nonexistent/keys"));
        assert_null(k);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_round),    cmocka_unit_test(test_longest),
                cmocka_unit_test(test_time),     cmocka_unit_test(test_forged),
                cmocka_unit_test(test_cut),      cmocka_unit_test(test_bound),
                cmocka_unit_test(test_equal),    cmocka_unit_test(test_nonces),
                cmocka_unit_test(test_spliced),  cmocka_unit_test(test_rotation),
                cmocka_unit_test(test_key_file),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
