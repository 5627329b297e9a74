/* Configuration that is printed can be read back. */
#include "tests/unit/conf_fixture.h"

static void assert_same_values(const struct values *a, const struct values *b)
{
        for (size_t i = 0; i < ARRAY_SIZE(OPTIONS); i++) {
                CLEANUP(buf_done) struct buf x = BUF(65536);
                CLEANUP(buf_done) struct buf y = BUF(65536);
                if (OPTIONS[i].secret)
                        continue;
                assert_int_equal(conf_format(&OPTIONS[i], a, &x), 0);
                assert_int_equal(conf_format(&OPTIONS[i], b, &y), 0);
                assert_string_equal(buf_str(&x), buf_str(&y));
        }
}

/* The key lines of the commented file, no longer comments. */
static void uncomment(const char *s, struct buf *out)
{
        while (*s) {
                size_t line = strcspn(s, "\n") + 1;
                assert_in_range(line, 1, 79);
                bool help = s[0] == '#' && s[1] == ' ' && s[2] != ' ';
                if (s[0] == '#' && !help)
                        buf_add(out, s + 1, line - 1);
                else
                        buf_add(out, s, line);
                s += line;
        }
}

static void test_print_defaults(void **state)
{
        CLEANUP(buf_done) struct buf printed = BUF(65536);
        CLEANUP(buf_done) struct buf text = BUF(65536);
        struct loaded l, again;

        (void)state;
        assert_int_equal(conf_print(&SPEC, NULL, NULL, &printed), 0);
        assert_non_null(strstr(buf_str(&printed),
                               "\n# How often.\n# Allowed: a duration (ms, s, m, "
                               "h) from 50ms to 1m. Environment:\n"
                               "# HAMON_CHECK_INTERVAL.\n#interval = 1s\n"));
        load_text(&l, "");
        load_text(&again, buf_str(&printed)); /* as it is: comments */
        assert_string_equal(buf_str(&again.errors), "");
        assert_same_values(&l.v, &again.v);
        unload(&again);

        uncomment(buf_str(&printed), &text);
        load_text(&again, buf_str(&text));
        assert_string_equal(buf_str(&again.errors), "");
        assert_same_values(&l.v, &again.v);
        for (size_t i = 0; i < ARRAY_SIZE(OPTIONS); i++)
                assert_int_equal(again.sources[i].origin, ORIGIN_FILE);
        unload(&again);
        unload(&l);
}

static void test_print_values(void **state)
{
        static const char TEXT[] = "[node]\nname = J\xc3\xb6rg;x\nurl = " X100 X10 X10 X10 X10 X10
                                   "\nextra =\n[check]\ninterval = 1500ms\nenabled = off\n"
                                   "[stack]\nwords = " X100 "\n " X100 "\n b\n";
        char *env[] = { "HAMON_NODE_PASS=geheim", "HAMON_CHECK_LEVEL=high", NULL };
        CLEANUP(buf_done) struct buf printed = BUF(65536);
        struct loaded l, again;

        (void)state;
        put(file, TEXT, strlen(TEXT));
        put(mailcow, "\nSQL_PORT=3307\n", strlen("\nSQL_PORT=3307\n"));
        load_input(&l, &(struct conf_input){ .file = file, .mailcow_file = mailcow, .env = env });
        assert_int_equal(l.result, 0);
        assert_int_equal(conf_print(&SPEC, &l.v, l.sources, &printed), 0);
        assert_null(strstr(buf_str(&printed), "geheim"));
        assert_non_null(strstr(buf_str(&printed), "# pass: hidden; from environment\n"));
        assert_non_null(strstr(buf_str(&printed),
                               "\nport = 3307                             ; mailcow.conf:2\n"));
        assert_non_null(strstr(buf_str(&printed),
                               "\nlevel = high                            ; environment\n"));
        load_text(&again, buf_str(&printed));
        assert_string_equal(buf_str(&again.errors), "");
        assert_same_values(&l.v, &again.v);
        unload(&again);
        unload(&l);
}

/* Whatever a line can hold, a printed line can hold. */
static void test_print_longest(void **state)
{
        (void)state;
        for (size_t len = 1; len <= 197 - strlen("url = "); len++) {
                CLEANUP(buf_done) struct buf printed = BUF(65536);
                struct loaded l, again;
                char text[256] = "[node]\nurl = ";
                memset(text + strlen(text), 'x', len);
                load_text(&l, text);
                assert_int_equal(l.result, 0);
                assert_int_equal(conf_print(&SPEC, &l.v, l.sources, &printed), 0);
                load_text(&again, buf_str(&printed));
                assert_string_equal(buf_str(&again.errors), "");
                assert_same_values(&l.v, &again.v);
                unload(&again);
                unload(&l);
        }
}

/* Values only the environment can hold: they must not come back as something else. */
static void test_print_unwritable(void **state)
{
        static const char *const ROWS[] = {
                "HAMON_NODE_URL=a ;b",
                "HAMON_NODE_URL=;b",
                "HAMON_NODE_URL= b",
                "HAMON_NODE_URL=b ",
                "HAMON_NODE_URL=a #b",
                "HAMON_NODE_URL=#b",
                "HAMON_NODE_URL=a\t;b",
                "HAMON_STACK_WORDS=a ;b",
                "HAMON_STACK_WORDS=a [b] " X100 X100,
                "HAMON_STACK_WORDS=a=b " X100 X100,
                "HAMON_STACK_WORDS=#",
                "HAMON_STACK_WORDS=a, #",
                "HAMON_NODE_URL=" X100 X100,
                "HAMON_STACK_WORDS=" X100 X100,
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
                CLEANUP(buf_done) struct buf printed = BUF(65536);
                char *env[] = { (char *)ROWS[i], NULL };
                struct loaded l, again;
                load_input(&l, &(struct conf_input){ .env = env });
                if (l.result < 0)
                        fail_msg("%s: %s", ROWS[i], buf_str(&l.errors));
                assert_int_equal(conf_print(&SPEC, &l.v, l.sources, &printed), 0);
                assert_non_null(strstr(buf_str(&printed), ": set, but no line of a file can hold "
                                                          "the value; from environment\n"));
                load_text(&again, buf_str(&printed));
                assert_string_equal(buf_str(&again.errors), "");
                assert_string_equal(again.v.url, "");
                assert_int_equal(again.v.words.n, 0);
                unload(&again);
                unload(&l);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_print_defaults),
                cmocka_unit_test(test_print_values),
                cmocka_unit_test(test_print_longest),
                cmocka_unit_test(test_print_unwritable),
        };

        return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
