/* mailcow.conf with the values all nodes share. */
#include "hamon/mailcow_merge.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct {
        const char *own, *shared, *want;
} ROWS[] = {
        { "", "", "" },
        { "A=1\n", "", "A=1\n" },
        { "A=1\n", "A=2\n", "A=2\n" },
        { "# head\nA=1\n\nB=x\n", "B=y\n", "# head\nA=1\n\nB=y\n" },
        { "A=1", "A=2", "A=2\n" },
        { "A=1\r\n", "B=2\r\n", "A=1\r\nB=2\n" },
        { "DBPASS=own\nHTTP_BIND=10.0.0.2\n", "HTTP_BIND=10.0.0.1\nDBPASS=all\n",
          "DBPASS=all\nHTTP_BIND=10.0.0.2\n" },
        { "A=1\n", "HTTPS_BIND=10.0.0.1\n", "A=1\n" }, /* not even where it has none */
        { "#API_KEY=\n", "API_KEY=k\n", "#API_KEY=\nAPI_KEY=k\n" },
        { "A=1\nA=2\n", "A=3\nA=4\n", "A=1\nA=4\n" }, /* the last one wins, in both */
        { "AB=1\n", "A=2\n", "AB=1\nA=2\n" },
        { "A=1\n", "if true; then\n  A=2\nfi\n=3\n", "A=1\n" },
};

static void merges(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
                CLEANUP(buf_done)
                struct buf out = BUF(4096), again = BUF(4096), shared = BUF(4096), keys = BUF(4096);
                assert_int_equal(mailcow_shared(ROWS[i].shared, NULL, &shared), 0);
                assert_int_equal(mailcow_merge(ROWS[i].own, buf_str(&shared), &out, NULL), 0);
                assert_string_equal(buf_str(&out), ROWS[i].want);
                /* once is enough */
                assert_int_equal(mailcow_merge(buf_str(&out), buf_str(&shared), &again, &keys), 0);
                assert_string_equal(buf_str(&again), buf_str(&out));
                assert_string_equal(buf_str(&keys), "");
        }
        struct buf small = BUF(4);
        assert_int_equal(mailcow_merge("A=12345\n", "", &small, NULL), -EFBIG);
        buf_done(&small);
}

static void names_what_changed(void **state)
{
        CLEANUP(buf_done) struct buf out = BUF(4096), keys = BUF(4096);

        (void)state;
        assert_int_equal(mailcow_merge("A=1\nB=2\nC=3\n", "A=1\nB=x\nD=4\n", &out, &keys), 0);
        assert_string_equal(buf_str(&out), "A=1\nB=x\nC=3\nD=4\n");
        assert_string_equal(buf_str(&keys), "B D");
}

static void shares(void **state)
{
        char master[] = "MASTER", *own[] = { master };
        const struct strlist more = { .v = own, .n = 1 };
        CLEANUP(buf_done) struct buf out = BUF(4096), bad = BUF(4096);

        (void)state;
        assert_int_equal(mailcow_shared("# c\nB=2\nMASTER=y\nA=0\nHTTP_BIND=1\nA=\"x y\"\nA B=1\n",
                                        &more, &out),
                         0);
        assert_string_equal(buf_str(&out), "A=\"x y\"\nB=2\n");
        assert_int_equal(mailcow_shared("A=\033[31m\n", NULL, &bad), -EBADMSG);
}

static void hides(void **state)
{
        CLEANUP(buf_done) struct buf out = BUF(4096);

        (void)state;
        mailcow_mask("DBPASS=a\nDBROOT=b\nREDISPASS=c\nSOGO_URL_ENCRYPTION_KEY=d\n#API_KEY=e\n"
                     "DBNAME=mailcow\n# PASS\n",
                     &out);
        assert_string_equal(buf_str(&out), "DBPASS=(hidden)\nDBROOT=(hidden)\nREDISPASS=(hidden)\n"
                                           "SOGO_URL_ENCRYPTION_KEY=(hidden)\n#API_KEY=(hidden)\n"
                                           "DBNAME=mailcow\n# PASS\n");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(merges),
                cmocka_unit_test(names_what_changed),
                cmocka_unit_test(shares),
                cmocka_unit_test(hides),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
