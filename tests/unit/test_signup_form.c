/* signup/form.c and signup/netaddr.c: what comes from outside, taken apart. */
#include "signup_fixture.h"

#include "signup/form.h"
#include "signup/netaddr.h"

static void test_parse(void **state)
{
        static const struct {
                const char *text;
                int result;
                const char *name, *value;
        } CASES[] = {
                { "a=1&b=2", 0, "b", "2" },
                { "a=1+2%20%2B", 0, "a", "1 2 +" },
                { "a", 0, "a", "" },
                { "a=&b=", 0, "b", "" },
                { "a==b=c", 0, "a", "=b=c" },
                { "&&a=1&", 0, "a", "1" },
                { "n%61me=x", 0, "name", "x" },
                { "a=%C3%A9", 0, "a", "\xc3\xa9" },
                { "", 0, "a", NULL },
                { "a=%", -EBADMSG, NULL, NULL },
                { "a=%4", -EBADMSG, NULL, NULL },
                { "a=%zz", -EBADMSG, NULL, NULL },
                { "a=%00b", -EBADMSG, NULL, NULL },
                { "a=%ff", -EBADMSG, NULL, NULL },
                { "a=%C0%AF", -EBADMSG, NULL, NULL },    /* an overlong / */
                { "a=%ED%A0%80", -EBADMSG, NULL, NULL }, /* a surrogate */
                { "a=1&a=2", -EEXIST, NULL, NULL },
                { "a=1&%61=2", -EEXIST, NULL, NULL },
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
                CLEANUP(form_done) struct form f = { .n = 0 };
                int r = form_parse(CASES[i].text, strlen(CASES[i].text), &f);
                if (r != CASES[i].result)
                        fail_msg("%s: %d", CASES[i].text, r);
                if (r == 0 && CASES[i].value)
                        assert_string_equal(form_get(&f, CASES[i].name), CASES[i].value);
                else if (r == 0)
                        assert_null(form_get(&f, CASES[i].name));
        }
}

static void test_caps(void **state)
{
        CLEANUP(buf_done) struct buf text = BUF(65536);
        CLEANUP(form_done) struct form f = { .n = 0 };

        (void)state;
        for (int i = 0; i < FORM_FIELDS; i++)
                buf_addf(&text, "f%d=x&", i);
        assert_int_equal(form_parse(buf_str(&text), text.len, &f), 0);
        assert_int_equal(f.n, FORM_FIELDS);
        form_done(&f);
        buf_adds(&text, "more=1");
        assert_int_equal(form_parse(buf_str(&text), text.len, &f), -E2BIG);
        while (text.len <= FORM_BYTES)
                buf_adds(&text, "xxxxxxxxxxxxxxxxxxxxxxxxx");
        assert_int_equal(form_parse(buf_str(&text), text.len, &f), -E2BIG);
        assert_int_equal(form_parse("a=b\0c", 5, &f), -EBADMSG);
}

static void test_cookies(void **state)
{
        char v[8];

        (void)state;
        assert_true(cookie_get("a=1; b=2", "b", v, sizeof v));
        assert_string_equal(v, "2");
        assert_true(cookie_get("bb=1;b=2", "b", v, sizeof v));
        assert_string_equal(v, "2");
        assert_true(cookie_get("b=", "b", v, sizeof v));
        assert_string_equal(v, "");
        assert_false(cookie_get("b", "b", v, sizeof v));
        assert_false(cookie_get("b=12345678", "b", v, sizeof v)); /* does not fit */
        assert_false(cookie_get("b=1\x01", "b", v, sizeof v));
        assert_false(cookie_get("", "b", v, sizeof v));
        assert_false(cookie_get(NULL, "b", v, sizeof v));
        assert_false(cookie_get(";;; ;", "b", v, sizeof v));
}

static void test_networks(void **state)
{
        static const struct {
                const char *address, *network;
                bool in;
        } CASES[] = {
                { "10.1.2.3", "10.0.0.0/8", true },        { "11.1.2.3", "10.0.0.0/8", false },
                { "10.1.2.3", "10.1.2.3", true },          { "10.1.2.3", "10.1.2.2", false },
                { "10.1.2.3", "10.1.2.2/31", true },       { "2001:db8::1", "2001:db8::/32", true },
                { "2001:db9::1", "2001:db8::/32", false }, { "::1", "0.0.0.0/0", false },
                { "1.2.3.4", "0.0.0.0/0", true },          { "1.2.3.4", "::/0", false },
                { "::ffff:10.0.0.1", "10.0.0.0/8", true }, { "1.2.3.4", "x/8", false },
                { "1.2.3.4", "1.2.3.4/", false },
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
                char *word = (char *)(uintptr_t)CASES[i].network;
                struct strlist list = { &word, 1 };
                struct netaddr a;
                assert_int_equal(netaddr_parse(CASES[i].address, &a), 0);
                if (netaddr_in(&a, &list) != CASES[i].in)
                        fail_msg("%s in %s", CASES[i].address, word);
        }
}

static void test_client(void **state)
{
        static const struct {
                const char *remote, *forwarded, *want; /* shortened */
        } CASES[] = {
                { "192.0.2.9", NULL, "192.0.2.0/24" },
                { "192.0.2.9", "198.51.100.1", "192.0.2.0/24" }, /* not a proxy of ours */
                { "10.0.0.1", "198.51.100.1", "198.51.100.0/24" },
                { "10.0.0.1", "6.6.6.6, 198.51.100.1",
                  "198.51.100.0/24" }, /* the first is forged */
                { "10.0.0.1", "198.51.100.1, 10.0.0.2", "198.51.100.0/24" },
                { "10.0.0.1", "198.51.100.1,10.0.0.2 ", "198.51.100.0/24" },
                { "10.0.0.1", "nonsense", "10.0.0.0/24" },
                { "10.0.0.1", "1.2.3.4, nonsense", "10.0.0.0/24" },
                { "10.0.0.1", "", "10.0.0.0/24" },
                { "10.0.0.1", "2001:db8:1:2:3::4", "2001:db8:1::/48" },
                { "10.0.0.1",
                  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
                  "x",
                  "10.0.0.0/24" },
        };
        char *word = (char *)(uintptr_t) "10.0.0.0/8", text[NETADDR_TEXT];
        struct strlist trusted = { &word, 1 };
        struct netaddr a;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
                assert_int_equal(netaddr_client(CASES[i].remote, CASES[i].forwarded, &trusted, &a),
                                 0);
                assert_string_equal(netaddr_short(&a, text), CASES[i].want);
        }
        assert_int_equal(netaddr_client("", NULL, &trusted, &a), -EINVAL);
        assert_int_equal(netaddr_client("unix:", NULL, &trusted, &a), -EINVAL);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_parse),   cmocka_unit_test(test_caps),
                cmocka_unit_test(test_cookies), cmocka_unit_test(test_networks),
                cmocka_unit_test(test_client),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
