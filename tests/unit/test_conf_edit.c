/* conf_edit(): the value is the one that is read back, and nothing else of the file changes. */
#include "tests/unit/conf_fixture.h"

static const struct option *row(const char *section, const char *key)
{
        for (size_t i = 0; i < SPEC.n_options; i++)
                if (str_eq(SPEC.options[i].section, section) && str_eq(SPEC.options[i].key, key))
                        return &SPEC.options[i];
        fail_msg("no row %s.%s", section, key);
        return NULL;
}

static const struct {
        const char *text, *section, *key, *value, *want;
} ROWS[] = {
        { "", "node", "url", "x", "[node]\nurl = x\n" },
        { "[node]\nurl = a\n", "node", "url", "x", "[node]\nurl = x\n" },
        { "[node]\nurl = a\n# end\n", "node", "url", "x", "[node]\nurl = x\n# end\n" },
        { "[node]\nname = n\n", "node", "url", "x", "[node]\nurl = x\nname = n\n" },
        { "[node]\n\n# Help.\n#url = a\n\n# More.\n#name = n\n", "node", "url", "x",
          "[node]\n\n# Help.\nurl = x\n\n# More.\n#name = n\n" },
        { "[check]\nlevel = high\n", "node", "url", "x",
          "[check]\nlevel = high\n\n[node]\nurl = x\n" },
        { "[check]\nlevel = high", "node", "url", "x",
          "[check]\nlevel = high\n\n[node]\nurl = x\n" },
        { "[node]\n#url = a\nurl = b\n", "node", "url", "x", "[node]\n#url = a\nurl = x\n" },
        { "[stack]\nwords = a\n  b\n  c\n[node]\nname = n\n", "stack", "words", "z",
          "[stack]\nwords = z\n[node]\nname = n\n" },
        { "[check]\n#url = a\n[node]\n", "node", "url", "x",
          "[check]\n#url = a\n[node]\nurl = x\n" },
        { "[node]\r\nurl = a\r\nname = n\r\n", "node", "url", "x",
          "[node]\r\nurl = x\nname = n\r\n" },
        { "[node]\nurls = a\n#urls = b\n", "node", "url", "x",
          "[node]\nurl = x\nurls = a\n#urls = b\n" },
};

static void test_rows(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
                CLEANUP(buf_done) struct buf out = BUF(65536), again = BUF(65536);
                const struct option *o = row(ROWS[i].section, ROWS[i].key);
                assert_int_equal(conf_edit(ROWS[i].text, o, ROWS[i].value, &out), 0);
                assert_string_equal(buf_str(&out), ROWS[i].want);
                assert_int_equal(conf_edit(buf_str(&out), o, ROWS[i].value, &again), 0);
                assert_string_equal(buf_str(&again), ROWS[i].want);
        }
        CLEANUP(buf_done) struct buf out = BUF(65536);
        assert_int_equal(conf_edit("", row("node", "url"), "a ;b", &out), -EINVAL);
}

/* The file of all defaults, with each row set in turn. */
static void test_read_back(void **state)
{
        CLEANUP(buf_done) struct buf defaults = BUF(65536), all = BUF(65536);
        struct loaded l;

        (void)state;
        assert_int_equal(conf_print(&SPEC, NULL, NULL, &defaults), 0);
        assert_int_equal(conf_edit(buf_str(&defaults), row("node", "url"), "the-url", &all), 0);
        load_text(&l, buf_str(&all));
        assert_string_equal(buf_str(&l.errors), "");
        assert_string_equal(l.v.url, "the-url");
        unload(&l);
        buf_reset(&all);
        assert_int_equal(conf_edit(buf_str(&defaults), row("stack", "words"), "a b c", &all), 0);
        load_text(&l, buf_str(&all));
        assert_string_equal(buf_str(&l.errors), "");
        assert_int_equal(l.v.words.n, 3);
        unload(&l);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_rows),
                cmocka_unit_test(test_read_back),
        };

        return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
