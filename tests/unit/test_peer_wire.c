/* The words of the peer channel: hamon/peer_state.c, and that a proof
 * depends on each single thing it is said to. */
#include "hamon/peer.h"
#include "hamon/peer_state.h"
#include "hamon/peer_wire.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- states ---- */

static const struct peer_state STATE = { .name = "n1",
                                         .role = "master",
                                         .state = "MASTER",
                                         .verdict = "fit",
                                         .reason = "ok",
                                         .vrrp = "",
                                         .epoch = UINT64_MAX,
                                         .incarnation = 0xfedcba9876543210,
                                         .valid_ms = 8123,
                                         .ttl_ms = 10000,
                                         .mounted = true,
                                         .mailcow = "2026-08",
                                         .schema = "05082026_1130",
                                         .images = "00ff",
                                         .sync = "in_step",
                                         .digest = "0123456789abcdef",
                                         .out_ms = 17 };

static void test_state(void **unused)
{
        CLEANUP(buf_done) struct buf b = BUF(900);
        struct peer_state s, negative = STATE, blank = STATE;

        (void)unused;
        assert_int_equal(peer_state_write(&b, &STATE), 0);
        assert_string_equal(buf_str(&b),
                            "name=n1 role=master state=MASTER epoch=18446744073709551615 "
                            "valid_ms=8123 verdict=fit reason=ok incarnation=fedcba9876543210 "
                            "ttl_ms=10000 vrrp= mounted=yes candidate=no mailcow=2026-08 "
                            "schema=05082026_1130 images=00ff sync=in_step "
                            "digest=0123456789abcdef out_ms=17");
        memset(&s, 0xff, sizeof s);
        assert_int_equal(peer_state_parse(buf_str(&b), &s), 0);
        assert_string_equal(s.name, STATE.name);
        assert_string_equal(s.role, STATE.role);
        assert_string_equal(s.state, STATE.state);
        assert_string_equal(s.verdict, STATE.verdict);
        assert_string_equal(s.reason, STATE.reason);
        assert_string_equal(s.vrrp, "");
        assert_true(s.epoch == STATE.epoch && s.incarnation == STATE.incarnation);
        assert_true(s.valid_ms == 8123 && s.ttl_ms == 10000 && s.mounted && !s.candidate);
        assert_string_equal(s.mailcow, STATE.mailcow);
        assert_string_equal(s.schema, STATE.schema);
        assert_string_equal(s.images, STATE.images);
        assert_string_equal(s.sync, STATE.sync);
        assert_string_equal(s.digest, STATE.digest);
        assert_true(s.out_ms == 17);

        negative.valid_ms = -5;
        buf_reset(&b);
        assert_int_equal(peer_state_write(&b, &negative), 0);
        assert_int_equal(peer_state_parse(buf_str(&b), &s), 0);
        assert_true(s.valid_ms == 0);
        str_copy(blank.reason, sizeof blank.reason, "two words");
        assert_int_equal(peer_state_write(&b, &blank), -EINVAL);
}

static void test_state_refused(void **unused)
{
        static const struct {
                const char *text;
                int r;
        } CASES[] = {
                { "name=n1 state=MASTER", 0 },
                { "state=MASTER later=1=2  name=n1", 0 }, /* of a later version */
                { "", -EBADMSG },
                { "name=n1", -EBADMSG },
                { "state=MASTER", -EBADMSG },
                { "name=n1 state=MASTER word", -EBADMSG },
                { "name=n1 state=MASTER epoch=-1", -EBADMSG },
                { "name=n1 state=MASTER epoch=", -EBADMSG },
                { "name=n1 state=MASTER valid_ms=9223372036854775808", -EBADMSG },
                { "name=n1 state=MASTER incarnation=12", -EBADMSG },
                { "name=n1 state=MASTER incarnation=FEDCBA9876543210", -EBADMSG },
                { "name=n1 state=MASTER mounted=maybe", -EBADMSG },
                { "name=n1 state=MASTER reason=a/b", -EBADMSG },
                { "name=n1 state=MASTERMASTERMASTERMASTER", -EBADMSG },
        };

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
                struct peer_state s = { .name = "kept" };
                int r = peer_state_parse(CASES[i].text, &s);
                if (r != CASES[i].r || strcmp(s.name, r < 0 ? "kept" : "n1") != 0)
                        fail_msg("\"%s\": %d", CASES[i].text, r);
        }
}

/* ---- proofs ---- */

static struct peer_talk talk(void)
{
        struct peer_talk t = { .secret = "secret", .server = "n1", .client = "n2" };

        memset(t.server_nonce, 1, PEER_NONCE);
        memset(t.client_nonce, 2, PEER_NONCE);
        return t;
}

static void test_proofs(void **unused)
{
        struct peer_talk t = talk();
        CLEANUP(buf_done) struct buf ask = BUF(PEER_LINE), answer = BUF(PEER_LINE);
        struct peer_line a, b;

        (void)unused;
        assert_int_equal(peer_wire_ask(&ask, &t, "state"), 0);
        assert_int_equal(peer_wire_answer(&answer, &t, "state", "fine"), 0);
        ask.data[ask.len - 1] = answer.data[answer.len - 1] = '\0';
        assert_int_equal(peer_wire_parse_ask(ask.data, &a), 0);
        assert_int_equal(peer_wire_parse_answer(answer.data, &b), 0);
        assert_string_equal(a.name, "n2");
        assert_memory_equal(a.nonce, t.client_nonce, PEER_NONCE);
        assert_true(peer_wire_ask_proven(&t, &a));
        assert_true(peer_wire_answer_proven(&t, "state", &b));

        for (int i = 0; i < 5; i++) {
                struct peer_talk other = t;
                if (i == 0)
                        other.secret = "Secret";
                if (i == 1)
                        other.server = "n3";
                if (i == 2)
                        other.client = "n3";
                if (i == 3)
                        other.server_nonce[PEER_NONCE - 1] ^= 1;
                if (i == 4)
                        other.client_nonce[0] ^= 128;
                assert_false(peer_wire_ask_proven(&other, &a));
                assert_false(peer_wire_answer_proven(&other, "state", &b));
        }
        assert_false(peer_wire_answer_proven(&t, "release", &b));
        struct peer_line same = b; /* a question is no answer */
        memcpy(same.proof, a.proof, PEER_PROOF);
        same.text = "";
        assert_false(peer_wire_answer_proven(&t, "state", &same));
        for (size_t i = 0; i < PEER_PROOF; i++) {
                struct peer_line bent = a;
                bent.proof[i] ^= 1;
                assert_false(peer_wire_ask_proven(&t, &bent));
        }
        /* where one field ends and the next begins is part of it */
        struct peer_talk shifted = t;
        shifted.server = "n";
        shifted.client = "1n2";
        assert_false(peer_wire_ask_proven(&shifted, &a));
}

static void test_lines_refused(void **unused)
{
        struct peer_talk t = talk();
        CLEANUP(buf_done) struct buf b = BUF(4 * PEER_LINE);
        char longest[PEER_LINE];

        (void)unused;
        memset(longest, 'x', sizeof longest - 1);
        longest[sizeof longest - 1] = '\0';
        assert_int_equal(peer_wire_ask(&b, &t, ""), -EINVAL);
        assert_int_equal(peer_wire_ask(&b, &t, "a\nb"), -EINVAL);
        assert_int_equal(peer_wire_ask(&b, &t, "\x7f"), -EINVAL);
        assert_int_equal(peer_wire_answer(&b, &t, "state", "\xc3\xa9"), -EINVAL);
        assert_int_equal(b.len, 0);
        assert_int_equal(peer_wire_ask(&b, &t, longest), -EFBIG);
        t.client = "no name";
        assert_int_equal(peer_wire_ask(&b, &t, "state"), -EINVAL);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_state),
                cmocka_unit_test(test_state_refused),
                cmocka_unit_test(test_proofs),
                cmocka_unit_test(test_lines_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
