/* What a node tells of its member comes back as it was said; and the runner that asks for it. */
#include "harness.h"

#include "hamon/galera_word.h"
#include "hamon/runner.h"
#include <errno.h>

#define A "5d2f7c2a-0b1e-11f0-9c3a-2b7a3c1d4e5f"
#define B "6d2f7c2a-0b1e-11f0-9c3a-2b7a3c1d4e5f"

static const char *const WORDS[] = {
        "db=down data=empty",
        "db=runs data=unplaced",
        "db=primary data=placed uuid=" A " seqno=0",
        "db=runs data=placed uuid=" A " seqno=9223372036854775807 me=" A " view=" A "," B,
};

static void test_round(void **unused)
{
        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(WORDS); i++) {
                CLEANUP(buf_done) struct buf out = BUF(900);
                struct recover_node n;
                assert_int_equal(galera_word_parse(WORDS[i], &n), 0);
                assert_true(n.known);
                galera_word_write(&out, &n);
                assert_string_equal(buf_str(&out), WORDS[i]);
        }
}

static void test_later_version(void **unused)
{
        struct recover_node n;

        (void)unused;
        assert_int_equal(galera_word_parse("db=runs color=red data=empty\n", &n), 0);
        assert_true(n.runs && n.empty);
}

static void test_nonsense(void **unused)
{
        static const char *const BAD[] = {
                "",
                "db",
                "db=up data=empty",
                "data=empty",
                "db=runs data=much",
                "db=runs data=placed",
                "db=runs data=placed uuid=" A,
                "db=runs data=placed uuid=x seqno=1",
                "db=runs data=placed uuid=" A " seqno=-1",
                "db=runs data=empty view=" A,
                "db=runs data=empty me=" A " view=",
                "db=runs data=empty me=" A " view=" A ",x",
                "error: not known yet",
        };
        struct recover_node n;

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(BAD); i++)
                if (galera_word_parse(BAD[i], &n) == 0)
                        fail_msg("taken: %s", BAD[i]);
}

/* The longest there is must fit into an answer of the peer channel. */
static void test_longest(void **unused)
{
        CLEANUP(buf_done) struct buf out = BUF(900);
        struct recover_node n = { .known = true, .runs = true, .placed = true, .seqno = INT64_MAX };

        (void)unused;
        str_copy(n.uuid, sizeof n.uuid, A);
        str_copy(n.me, sizeof n.me, A);
        for (n.n_view = 0; n.n_view < RECOVER_NODES; n.n_view++)
                str_copy(n.view[n.n_view], RECOVER_ID, B);
        galera_word_write(&out, &n);
        assert_int_equal(out.error, 0);
}

/* ---- the runner ---- */

struct seen {
        struct loop loop;
        int ends, code;
        char text[64];
};

static void on_end(void *arg, const struct runner_end *e)
{
        struct seen *s = arg;

        s->ends++;
        s->code = e->code;
        str_copy(s->text, sizeof s->text, e->text);
        loop_stop(&s->loop);
}

static void go(struct seen *s, struct runner *r, const char *script, msec_t deadline)
{
        const char *const argv[] = { "/bin/sh", "-c", script, NULL };

        assert_int_equal(runner_start(r, argv, deadline), 0);
        assert_int_equal(runner_start(r, argv, deadline), -EBUSY);
        s->loop.stop = false;
        loop_run(&s->loop);
        assert_false(runner_busy(r));
}

static void test_runner(void **unused)
{
        struct seen s = { .ends = 0 };
        struct runner *r = NULL;

        (void)unused;
        assert_int_equal(loop_init(&s.loop), 0);
        assert_int_equal(runner_new(&s.loop, on_end, &s, &r), 0);
        go(&s, r, "echo one; exit 3", 60000);
        assert_int_equal(s.code, 3);
        assert_string_equal(s.text, "one\n");
        go(&s, r, "yes | head -c 1000000", 60000); /* more than is kept must not make it wait */
        assert_int_equal(s.ends, 2);
        go(&s, r, "exec sleep 600", 100);
        assert_int_equal(s.code, -1);
        assert_string_equal(s.text, "");
        runner_free(r);
        loop_done(&s.loop);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_round),    cmocka_unit_test(test_later_version),
                cmocka_unit_test(test_nonsense), cmocka_unit_test(test_longest),
                cmocka_unit_test(test_runner),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
