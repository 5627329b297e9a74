/* Where a member's data stands, from the files of a real one. */
#include "harness.h"

#include "hamon/galera_data.h"
#include <inttypes.h>

#define A "5d2f7c2a-0b1e-11f0-9c3a-2b7a3c1d4e5f"
#define B "6d2f7c2a-0b1e-11f0-9c3a-2b7a3c1d4e5f"

static struct tmp tmp;
static char boot[64];

static int setup(void **unused)
{
        CLEANUP(freep) char *text = NULL;

        (void)unused;
        if (read_file("/proc/sys/kernel/random/boot_id", 64, &text, NULL) < 0)
                return -1;
        text[strcspn(text, "\n")] = '\0';
        str_copy(boot, sizeof boot, text);
        return tmp_make(&tmp);
}

static int teardown(void **unused)
{
        (void)unused;
        tmp_remove(&tmp);
        return 0;
}

static void put(const char *name, const char *text)
{
        char path[512];

        snprintf(path, sizeof path, "%s/%s", tmp.path, name);
        assert_int_equal(write_file_atomic(path, 0600, text, strlen(text)), 0);
}

static void drop(const char *name)
{
        char path[512];

        snprintf(path, sizeof path, "%s/%s", tmp.path, name);
        unlink(path);
}

static void test_words(void **unused)
{
        struct galera_position p = { "", 7 };

        (void)unused;
        assert_true(galera_parse_position(A ":42", &p));
        assert_string_equal(p.uuid, A);
        assert_int_equal(p.seqno, 42);
        assert_true(galera_parse_position(GALERA_NO_UUID ":-1", &p));
        assert_int_equal(p.seqno, -1);
        static const char *const BAD[] = { "",
                                           A,
                                           A ":",
                                           A ":x",
                                           A ":-2",
                                           A "-42",
                                           "x" A ":42",
                                           A ":42 ",
                                           "5D2F7C2A-0b1e-11f0-9c3a-2b7a3c1d4e5f:1",
                                           A ":99999999999999999999" };
        for (size_t i = 0; i < ARRAY_SIZE(BAD); i++)
                assert_false(galera_parse_position(BAD[i], &p));
}

static void test_view(void **unused)
{
        struct galera_view v;

        (void)unused;
        assert_true(galera_parse_view("my_uuid: " A "\n#vwbeg\nview_id: 3 " A " 2\nbootstrap: 0\n"
                                      "member: " A " 0\nmember: " B " 0\n#vwend\n",
                                      &v));
        assert_string_equal(v.me, A);
        assert_int_equal(v.n, 2);
        assert_string_equal(v.members[1], B);
        /* cut off in the middle of being written: not there */
        assert_false(galera_parse_view("my_uuid: " A "\n#vwbeg\nmember: " A " 0\n", &v));
        assert_false(galera_parse_view(
                "my_uuid: " A "\n#vwbeg\nview_id: 3 " A " 2\nmember: x 0\n#vwend\n", &v));
        assert_false(galera_parse_view("my_uuid: " A "\n#vwbeg\nview_id: 3 " A " 2\n#vwend\n", &v));
        assert_false(galera_parse_view("", &v));
}

static void started(const char *of_boot, const char *uuid, int64_t seqno)
{
        char text[256];

        snprintf(text, sizeof text,
                 "boot=%s\nat=12\nuuid=%s\nseqno=%" PRId64 "\nview=\nunusable=0\n", of_boot, uuid,
                 seqno);
        put("position", text);
}

static struct galera_data look(void)
{
        struct galera_data d;

        assert_int_equal(galera_data_read(tmp.path, tmp.path, &d), 0);
        return d;
}

static void test_position(void **unused)
{
        struct galera_position p = { "", 0 };
        struct galera_data d;

        (void)unused;
        d = look(); /* nothing at all */
        assert_false(d.there || d.member || d.unusable || d.started);

        put("ibdata1", "x");
        put("grastate.dat", "version: 2.1\nuuid:    " A "\nseqno:   -1\nsafe_to_bootstrap: 0\n");
        d = look(); /* crashed, not started since */
        assert_true(d.there && d.member);
        assert_false(galera_data_position(&d, &p));

        started("another", A, 42);
        d = look();
        assert_false(d.started); /* that was before the last boot */
        assert_false(galera_data_position(&d, &p));

        started(boot, A, 42);
        d = look();
        assert_true(galera_data_position(&d, &p));
        assert_int_equal(p.seqno, 42);

        put("grastate.dat", "version: 2.1\nuuid:    " A "\nseqno:   77\nsafe_to_bootstrap: 1\n");
        d = look(); /* an orderly stop, later */
        assert_true(galera_data_position(&d, &p));
        assert_int_equal(p.seqno, 77);

        put("grastate.dat", "uuid: " GALERA_NO_UUID "\nseqno: -1\n");
        d = look(); /* given up */
        assert_true(d.unusable);
        assert_false(galera_data_position(&d, &p));
        put("grastate.dat", "uuid: " A "\nseqno: -1\n");
        put("sst_in_progress", "");
        d = look();
        assert_true(d.unusable);
        drop("sst_in_progress");
}

/* A membership that began after galera-start looked: the data went on. The one that was there, with
 * the number of starts counted up, is the same one. */
static void test_went_on(void **unused)
{
        struct galera_position p;

        (void)unused;
        put("ibdata1", "x");
        put("grastate.dat", "uuid: " A "\nseqno: -1\n");
        put("gvwstate.dat",
            "my_uuid: " B "\n#vwbeg\nview_id: 3 " B " 7\nmember: " B " 0\n#vwend\n");
        started(boot, A, 42);
        struct galera_data d = look();
        assert_string_equal(d.view.me, B);
        assert_string_equal(d.view.id, "3_" B "_7");
        assert_false(galera_data_position(&d, &p)); /* there was none when it was started */
        put("position", "");
        char text[256];
        snprintf(text, sizeof text, "boot=%s\nuuid=" A "\nseqno=42\nview=3_" B "_7\n", boot);
        put("position", text);
        d = look();
        assert_true(galera_data_position(&d, &p));
        assert_int_equal(p.seqno, 42);
        put("gvwstate.dat",
            "my_uuid: " B "\n#vwbeg\nview_id: 3 " B " 8\nmember: " B " 0\n#vwend\n");
        d = look();
        assert_false(galera_data_position(&d, &p));
}

static void test_orders(void **unused)
{
        const struct galera_position p = { A, 42 };
        CLEANUP(freep) char *text = NULL;
        char share[512], path[600], said[64];

        (void)unused;
        snprintf(share, sizeof share, "%s/share", tmp.path);
        assert_int_equal(galera_order(share, &p, false, 61500), 0);
        assert_true(galera_ordered(share));
        snprintf(path, sizeof path, "%s/order", share);
        assert_int_equal(read_file(path, 1024, &text, NULL), 0);
        assert_non_null(strstr(text, "order=bootstrap\nboot="));
        assert_non_null(strstr(text, "\nuntil=61\nuuid=" A "\nseqno=42\n"));
        assert_null(strstr(text, "onward"));
        galera_outcome(share, said, sizeof said);
        assert_string_equal(said, "");
        snprintf(path, sizeof path, "%s/outcome", share);
        assert_int_equal(write_file_atomic(path, 0600, "refused it came late\n", 21), 0);
        galera_outcome(share, said, sizeof said);
        assert_string_equal(said, "refused it came late");
        assert_int_equal(galera_order(share, &p, true, 1), 0);
        galera_outcome(share, said, sizeof said);
        assert_string_equal(said, ""); /* that was of an older order */
        free(text);
        text = NULL;
        snprintf(path, sizeof path, "%s/order", share);
        assert_int_equal(read_file(path, 1024, &text, NULL), 0);
        assert_non_null(strstr(text, "\nseqno=42\nonward=1000000042\n"));
        galera_order_revoke(share);
        assert_false(galera_ordered(share));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_words),
                cmocka_unit_test(test_view),
                cmocka_unit_test_setup_teardown(test_position, setup, teardown),
                cmocka_unit_test_setup_teardown(test_went_on, setup, teardown),
                cmocka_unit_test_setup_teardown(test_orders, setup, teardown),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
