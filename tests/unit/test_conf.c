/* Configuration: sources and their order, and every mistake a file can hold. */
#include "tests/unit/conf_fixture.h"

static void test_defaults(void **state)
{
        struct loaded l;

        (void)state;
        load_text(&l, "");
        assert_string_equal(buf_str(&l.errors), "");
        assert_int_equal(l.result, 0);
        assert_string_equal(l.v.name, "n1");
        assert_string_equal(l.v.url, "");
        assert_string_equal(l.v.dir, "/opt");
        assert_int_equal(l.v.port, 13306);
        assert_int_equal(l.v.interval, 1000);
        assert_true(l.v.enabled);
        assert_int_equal(l.v.level, 1);
        assert_int_equal(l.v.services.n, 6);
        assert_string_equal(l.v.services.v[5], "redis-mailcow");
        assert_int_equal(l.v.words.n, 0);
        assert_true(strlist_has(&l.v.services, "nginx-mailcow"));
        assert_false(strlist_has(&l.v.services, "nginx"));
        assert_false(strlist_has(&l.v.words, ""));
        for (size_t i = 0; i < ARRAY_SIZE(OPTIONS); i++)
                assert_int_equal(l.sources[i].origin, ORIGIN_DEFAULT);
        unload(&l);
}

/* Index of a row by key. */
static size_t row_of(const char *key)
{
        for (size_t i = 0; i < ARRAY_SIZE(OPTIONS); i++)
                if (str_eq(OPTIONS[i].key, key))
                        return i;
        fail_msg("no row %s", key);
        return 0;
}

/* What a file says, as conf_format writes it. */
static void test_values(void **state)
{
        static const struct {
                const char *text, *key, *value;
                unsigned line;
        } ROWS[] = {
                { "[node]\nname = x\n", "name", "x", 2 },
                { "[node]\nname=x", "name", "x", 2 },
                { "[node]\r\nname = x\r\n", "name", "x", 2 },
                { "\xef\xbb\xbf[node]\nname = x\n", "name", "x", 2 },
                { "  [node]  ; here\n   name : x   ; and here\n", "name", "x", 2 },
                { "[node] # here\n# no\n; no\n\n\tname = x\n", "name", "x", 5 },
                { "[node]\nname = a b;c\n", "name", "a b;c", 2 },
                { "[node]\nname = a#b\n", "name", "a#b", 2 },
                { "[node]\nname = \"q\"\n", "name", "\"q\"", 2 },
                { "[node]\nname = J\xc3\xb6rg \xe2\x82\xac \xf0\x9f\x90\xae\n", "name",
                  "J\xc3\xb6rg \xe2\x82\xac \xf0\x9f\x90\xae", 2 },
                { "[node]\nurl = http://a/?b=c&d=[e]\n", "url", "http://a/?b=c&d=[e]", 2 },
                { "[node]\nextra =\n", "extra", "", 2 },
                { "[node]\nextra = /x\n", "extra", "/x", 2 },
                { "[check]\nport = 1\n", "port", "1", 2 },
                { "[check]\nport = 65535\n", "port", "65535", 2 },
                { "[check]\nany = 9223372036854775807\n", "any", "9223372036854775807", 2 },
                { "[check]\ninterval = 50ms\n", "interval", "50ms", 2 },
                { "[check]\ninterval = 60000ms\n", "interval", "1m", 2 },
                { "[check]\nenabled = off\n", "enabled", "off", 2 },
                { "[check]\nlevel = high\n", "level", "high", 2 },
                { "[node]\n[check]\n[node]\n[check]\nlevel = low\n", "level", "low", 5 },
                { "[stack]\nwords = a, b  c,,d\n", "words", "a b c d", 2 },
                { "[stack]\nwords = a\n  b c\n\n# no\n\td, e ; no\n", "words", "a b c d e", 2 },
                { "[stack]\nwords =\n  a\n", "words", "a", 2 },
                { "[stack]\nwords = ,\n", "words", "", 2 },
                { "[stack]\n  words = a\nservices = b\n", "services", "b", 3 },
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
                CLEANUP(buf_done) struct buf got = BUF(4096);
                size_t row = row_of(ROWS[i].key);
                struct loaded l;
                load_text(&l, ROWS[i].text);
                if (l.result < 0)
                        fail_msg("row %zu: %s", i, buf_str(&l.errors));
                assert_int_equal(conf_format(&OPTIONS[row], &l.v, &got), 0);
                assert_string_equal(buf_str(&got), ROWS[i].value);
                assert_int_equal(l.sources[row].origin, ORIGIN_FILE);
                assert_int_equal(l.sources[row].line, ROWS[i].line);
                unload(&l);
        }
}

/* Each mistake with its line and the words that must help. */
static void test_mistakes(void **state)
{
        static const struct {
                const char *text, *errors; /* whole lines */
        } ROWS[] = {
                { "name = x\n",
                  "conf:1: key before any [section]: which one does it belong to?\n" },
                { "[node\nname = x\n", "conf:1: a section is written [name], alone on its line\n" },
                { "[node] x\n", "conf:1: a section is written [name], alone on its line\n" },
                { "[]\n", "conf:1: unknown section []; sections: node, check, stack\n" },
                { "[nodes]\n", "conf:1: unknown section [nodes]; did you mean [node]?\n" },
                { "[Stack]\nx = y\n  z\n",
                  "conf:1: unknown section [Stack]; did you mean [stack]?\n" },
                { "[galera]\n",
                  "conf:1: unknown section [galera]; sections: node, check, stack\n" },
                { "[node]\nnmae = x\n",
                  "conf:2: unknown key \"nmae\" in [node]; did you mean name?\n" },
                { "[node]\ninterval = 1s\n",
                  "conf:2: unknown key \"interval\" in [node]; it belongs into [check]\n" },
                { "[stack]\ncolour = red\n",
                  "conf:2: unknown key \"colour\" in [stack]; keys here: services, words\n" },
                { "[stack]\n= red\n",
                  "conf:2: unknown key \"\" in [stack]; keys here: services, words\n" },
                { "[stack]\nwords\n",
                  "conf:2: neither \"key = value\" nor [section] nor a comment\n" },
                { "[stack]\nwords ; = a\n",
                  "conf:2: neither \"key = value\" nor [section] nor a comment\n" },
                { "[node]\nname = a\n\nname = b\n",
                  "conf:4: [node] name is given twice, first on line 2; give it once\n" },
                { "[node]\nname = a\n  b\n", "conf:3: an indented line continues [node] name "
                                             "above; only words of a list may be "
                                             "indented\n" },
                { "[stack]\nwords = a\n  services = b\n",
                  "conf:3: an indented line continues [stack] words above; only words of a list "
                  "may "
                  "be indented\n" },
                { "[stack]\nwords = a\n  [node]\n", "conf:3: an indented line continues [stack] "
                                                    "words above; only words of a list may "
                                                    "be indented\n" },
                { "[node]\nname = x # y\n",
                  "conf:2: \" #\" in a value; a comment behind a value starts with \" ;\"\n" },
                { "[node]\nname =\n",
                  "conf:2: [node] name: \"\" is not allowed; allowed: text, 1 to 20 bytes\n" },
                { "[node]\nname = " X10 X10 "x\n",
                  "conf:2: [node] name: \"" X10 X10
                  "x\" is not allowed; allowed: text, 1 to 20 bytes\n" },
                { "[node]\nname = a\"\\b " X100 "\n",
                  "conf:2: [node] name: \"a\\x22\\x5cb " X10 X10 X10 X10 X10
                  "xxxxx...\" is not allowed; allowed: text, 1 to 20 bytes\n" },
                { "[node]\npass = geheim123456\n",
                  "conf:2: [node] pass: the value is not allowed; allowed: text, at most 10 "
                  "bytes\n" },
                { "[node]\ndir = opt\n",
                  "conf:2: [node] dir: \"opt\" is not allowed; allowed: an absolute path, at most "
                  "4096 bytes\n" },
                { "[node]\ndir =\n", "conf:2: [node] dir: \"\" is not allowed; allowed: an "
                                     "absolute path, at most 4096 "
                                     "bytes\n" },
                { "[node]\nextra = x\n", "conf:2: [node] extra: \"x\" is not allowed; allowed: an "
                                         "absolute path or nothing, "
                                         "at most 4096 bytes\n" },
                { "[check]\nport = 0\n", "conf:2: [check] port: \"0\" is not allowed; allowed: a "
                                         "number from 1 to 65535\n" },
                { "[check]\nport = 127.0.0.1:1\n", "conf:2: [check] port: \"127.0.0.1:1\" is not "
                                                   "allowed; allowed: a number from 1 to "
                                                   "65535\n" },
                { "[check]\nany = -1\n",
                  "conf:2: [check] any: \"-1\" is not allowed; allowed: a number from 0\n" },
                { "[check]\ninterval = 5\n", "conf:2: [check] interval: \"5\" is not allowed; "
                                             "allowed: a duration (ms, s, m, h) "
                                             "from 50ms to 1m\n" },
                { "[check]\ninterval = 49ms\n", "conf:2: [check] interval: \"49ms\" is not "
                                                "allowed; allowed: a duration (ms, s, m, "
                                                "h) from 50ms to 1m\n" },
                { "[check]\ninterval = 2m\n",
                  "conf:2: [check] interval: \"2m\" is not allowed; allowed: a duration (ms, s, m, "
                  "h) from 50ms to 1m\n" },
                { "[check]\nenabled = yes\n",
                  "conf:2: [check] enabled: \"yes\" is not allowed; allowed: on or off\n" },
                { "[check]\nlevel = Low\n",
                  "conf:2: [check] level: \"Low\" is not allowed; allowed: one of low, middle, "
                  "high\n" },
                { "[node]\nname = \xff\n", "conf:2: not UTF-8 text, or with control characters\n" },
                { "# \xc0\x80\n", "conf:1: not UTF-8 text, or with control characters\n" },
                { "# \xed\xa0\x80\n", "conf:1: not UTF-8 text, or with control characters\n" },
                { "# \xf5\x80\x80\x80\n", "conf:1: not UTF-8 text, or with control characters\n" },
                { "# \xe2\x82\n", "conf:1: not UTF-8 text, or with control characters\n" },
                { "[node]\nname = a\x1b[0m\n",
                  "conf:2: not UTF-8 text, or with control characters\n" },
                { "[node]\nname = a\rb\n", "conf:2: not UTF-8 text, or with control characters\n" },
                { "[node]\nurl = " X100 X100 "\n  y\n[check]\nport = 1\n",
                  "conf:2: line longer than 197 bytes; a list may go on in indented lines\n" },
                { "[stack]\nwords = a\n  " X100 X100 "\n  b\n",
                  "conf:3: line longer than 197 bytes; a list may go on in indented lines\n" },
                /* all of them, not only the first */
                { "[node]\nnmae = x\nname = a\nname = b\n[check]\nport = 0\ninterval = 1s\n[x]\n",
                  "conf:2: unknown key \"nmae\" in [node]; did you mean name?\n"
                  "conf:4: [node] name is given twice, first on line 3; give it once\n"
                  "conf:6: [check] port: \"0\" is not allowed; allowed: a number from 1 to 65535\n"
                  "conf:8: unknown section [x]; sections: node, check, stack\n" },
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
                struct loaded l;
                load_text(&l, ROWS[i].text);
                assert_string_equal(buf_str(&l.errors), ROWS[i].errors);
                assert_int_equal(l.result, -EINVAL);
                assert_null(l.v.name); /* nothing is kept */
                assert_null(l.v.services.v);
                unload(&l);
        }
}

static void test_nul(void **state)
{
        static const char TEXT[] = "[node]\nname = a\0b\n# \0\n";
        struct loaded l;

        (void)state;
        load_bytes(&l, TEXT, sizeof TEXT - 1);
        assert_string_equal(buf_str(&l.errors),
                            "conf:2: not UTF-8 text, or with control characters\n"
                            "conf:3: not UTF-8 text, or with control characters\n");
        unload(&l);
}

/* The longest line that is accepted, byte by byte around the limit. */
static void test_line_limit(void **state)
{
        char text[300];

        (void)state;
        for (size_t len = 150; len < 250; len++) {
                struct loaded l;
                int head = snprintf(text, sizeof text, "[node]\nurl = ");
                size_t value = len - strlen("url = ");
                memset(text + head, 'x', value);
                snprintf(text + head + value, 40, "\n[check]\nport = 7\n");
                load_text(&l, text);
                assert_int_equal(l.result, len <= 197 ? 0 : -EINVAL);
                if (l.result == 0) {
                        assert_int_equal(strlen(l.v.url), value);
                        assert_int_equal(l.v.port, 7);
                }
                unload(&l);
        }
}

static void test_long_list(void **state)
{
        CLEANUP(buf_done) struct buf text = BUF(65536);
        struct loaded l;

        (void)state;
        buf_adds(&text, "[stack]\nwords =\n");
        for (int i = 0; i < 40; i++)
                buf_adds(&text, "  " X100 "\n");
        load_text(&l, buf_str(&text));
        assert_int_equal(l.result, 0);
        assert_int_equal(l.v.words.n, 40);
        unload(&l);

        buf_adds(&text, "  " X100 "\n[node]\n");
        load_text(&l, buf_str(&text));
        assert_string_equal(buf_str(&l.errors),
                            "conf:2: [stack] words: the value is longer than 4096 bytes\n");
        unload(&l);
}

static void test_unreadable(void **state)
{
        struct loaded l;
        char big[300 * 1024];

        (void)state;
        unlink(file);
        load_input(&l, &(struct conf_input){ .file = file });
        assert_string_equal(buf_str(&l.errors),
                            "conf: cannot be read: No such file or directory\n");
        unload(&l);
        load_input(&l, &(struct conf_input){ .file = file, .file_optional = true });
        assert_int_equal(l.result, 0);
        unload(&l);
        load_input(&l, &(struct conf_input){ .file = "/" });
        assert_string_equal(buf_str(&l.errors), "/: cannot be read: Is a directory\n");
        unload(&l);
        load_input(&l, &(struct conf_input){ .file = "/proc/self/mem", .file_optional = true });
        assert_string_equal(buf_str(&l.errors),
                            "/proc/self/mem: cannot be read: Input/output error\n");
        unload(&l);
        memset(big, '\n', sizeof big);
        load_bytes(&l, big, sizeof big);
        assert_string_equal(buf_str(&l.errors), "conf: longer than 256 KiB\n");
        unload(&l);
}

static void test_mailcow(void **state)
{
        static const struct {
                const char *text, *key, *value; /* value NULL: the default stays */
        } ROWS[] = {
                { "SQL_PORT=127.0.0.1:3307\n", "port", "3307" },
                { "SQL_PORT=[::1]:3307\n", "port", "3307" },
                { "SQL_PORT=3307\r\nDBPASS=x\r\n", "port", "3307" },
                { "# SQL_PORT=1\n  SQL_PORT=2 # why\n", "port", "2" },
                { "SQL_PORT=1\nSQL_PORT=2\n", "port", "2" },
                { "SQL_PORT=\"5\" # x\n", "port", "5" },
                { "SQL_PORT='5'\n", "port", "5" },
                { "SQL_PORT=\n", "port", NULL },
                { "SQL_PORT= # later\n", "port", NULL },
                { "SQL_PORTS=1\nXSQL_PORT=2\nSQL_PORT\n", "port", NULL },
                { "SQL_PORT", "port", NULL },
                { "MAILCOW_HOSTNAME=\"a # b\"\n", "name", "a # b" },
                { "MAILCOW_HOSTNAME=a#b\n", "name", "a#b" },
                { "CHECKS=n\n", "enabled", "off" },
                { "CHECKS=y\n", "enabled", "on" },
                { "OTHER=\xff\x01\nCHECKS=n\n", "enabled", "off" },
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
                CLEANUP(buf_done) struct buf got = BUF(4096);
                size_t row = row_of(ROWS[i].key);
                struct loaded l;
                put(mailcow, ROWS[i].text, strlen(ROWS[i].text));
                load_input(&l, &(struct conf_input){ .mailcow_file = mailcow });
                if (l.result < 0)
                        fail_msg("row %zu: %s", i, buf_str(&l.errors));
                conf_format(&OPTIONS[row], &l.v, &got);
                assert_string_equal(buf_str(&got),
                                    ROWS[i].value ? ROWS[i].value : OPTIONS[row].def);
                assert_int_equal(l.sources[row].origin,
                                 ROWS[i].value ? ORIGIN_MAILCOW : ORIGIN_DEFAULT);
                unload(&l);
        }
}

static void test_mailcow_mistakes(void **state)
{
        static const struct {
                const char *text, *errors;
        } ROWS[] = {
                { "\nSQL_PORT=127.0.0.1:0\n",
                  "mailcow.conf:2: [check] port: \"0\" is not allowed; allowed: a number from 1 to "
                  "65535\n" },
                { "SQL_PORT=\"5\n", "mailcow.conf:1: SQL_PORT: the quote is not closed\n" },
                { "DBPASS=very-secret-text\n", "mailcow.conf:1: [node] pass: the value is not "
                                               "allowed; allowed: text, at most 10 "
                                               "bytes\n" },
                { "DBPASS=\xff\n",
                  "mailcow.conf:1: [node] pass: the value is not allowed; allowed: UTF-8 text "
                  "without control characters\n" },
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
                struct loaded l;
                put(mailcow, ROWS[i].text, strlen(ROWS[i].text));
                load_input(&l, &(struct conf_input){ .mailcow_file = mailcow });
                assert_string_equal(buf_str(&l.errors), ROWS[i].errors);
                assert_int_equal(l.result, -EINVAL);
                unload(&l);
        }
        unlink(mailcow); /* absent is fine */
        struct loaded l;
        load_input(&l, &(struct conf_input){ .mailcow_file = mailcow });
        assert_int_equal(l.result, 0);
        unload(&l);
}

static void test_precedence(void **state)
{
        char *env[] = { "PATH=/bin", "HAMON_CHECK_PORT=4", "HAMON_CHECK_PORTS=5", "HAMON_EVENT=up",
                        NULL };
        struct conf_input in = { .file = file, .mailcow_file = mailcow, .env = env };
        const size_t port = row_of("port");
        struct loaded l;

        (void)state;
        put(mailcow, "SQL_PORT=2\n", strlen("SQL_PORT=2\n"));
        put(file, "[check]\nport = 3\n", strlen("[check]\nport = 3\n"));
        load_input(&l, &in);
        assert_int_equal(l.v.port, 4);
        assert_int_equal(l.sources[port].origin, ORIGIN_ENV);
        unload(&l);

        in.env = NULL;
        load_input(&l, &in);
        assert_int_equal(l.v.port, 3);
        assert_int_equal(l.sources[port].origin, ORIGIN_FILE);
        unload(&l);

        in.file = NULL;
        load_input(&l, &in);
        assert_int_equal(l.v.port, 2);
        assert_int_equal(l.sources[port].origin, ORIGIN_MAILCOW);
        assert_int_equal(l.sources[port].line, 1);
        unload(&l);

        /* what is overridden must still be right */
        env[1] = "HAMON_CHECK_PORT=";
        in.env = env;
        put(mailcow, "SQL_PORT=x\n", strlen("SQL_PORT=x\n"));
        load_input(&l, &in);
        assert_string_equal(buf_str(&l.errors),
                            "mailcow.conf:1: [check] port: \"x\" is not allowed; allowed: a number "
                            "from 1 to 65535\n"
                            "environment HAMON_CHECK_PORT: [check] port: \"\" is not allowed; "
                            "allowed: a number from 1 to 65535\n");
        unload(&l);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_defaults),         cmocka_unit_test(test_values),
                cmocka_unit_test(test_mistakes),         cmocka_unit_test(test_nul),
                cmocka_unit_test(test_line_limit),       cmocka_unit_test(test_long_list),
                cmocka_unit_test(test_unreadable),       cmocka_unit_test(test_mailcow),
                cmocka_unit_test(test_mailcow_mistakes), cmocka_unit_test(test_precedence),
        };

        return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
