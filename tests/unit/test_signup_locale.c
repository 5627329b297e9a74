/* signup/locale.c, and the locales themselves: every key everywhere, nothing left in English. */
#include "signup_fixture.h"

#include "signup/locale.h"

static void load_real(struct locales *l)
{
        CLEANUP(buf_done) struct buf errors = BUF(65536);
        char dir[512];

        snprintf(dir, sizeof dir, "%s/locales", source_dir());
        if (locales_load(dir, "en-gb", l, &errors) < 0)
                fail_msg("%s", buf_str(&errors));
}

/* Words that are the same in two languages. */
static bool same_by_nature(const char *key, const char *code)
{
        static const struct {
                const char *key, *code;
        } ROWS[] = {
                { "_dir", NULL },        { "domain", "de-de" },
                { "password", "it-it" }, { "set_password", "it-it" },
                { "privacy", "it-it" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++)
                if (str_eq(ROWS[i].key, key) && (!ROWS[i].code || str_eq(ROWS[i].code, code)))
                        return true;
        return false;
}

static void test_complete(void **state)
{
        struct locales l;

        (void)state;
        load_real(&l);
        assert_true(l.n >= 5);
        assert_string_equal(l.fallback->code, "en-gb");
        for (size_t i = 0; i < l.n; i++) {
                for (size_t k = 0; k < l.v[i].n; k++) {
                        const struct locale_entry *e = &l.v[i].entries[k];
                        const char *english = locale_text(l.fallback, e->key);
                        if (&l.v[i] != l.fallback && str_eq(e->text, english) &&
                            !same_by_nature(e->key, l.v[i].code))
                                fail_msg("%s: \"%s\" is still English", l.v[i].code, e->key);
                        if (strpbrk(e->text, "<>&\""))
                                fail_msg("%s: \"%s\" has markup in it", l.v[i].code, e->key);
                }
        }
        locales_free(&l);
}

static void test_pick(void **state)
{
        static const struct {
                const char *query, *cookie, *accept, *code;
        } CASES[] = {
                { NULL, NULL, NULL, "en-gb" },
                { "de-de", "fr-fr", "it", "de-de" },
                { "xx", "fr-fr", "it", "fr-fr" },
                { "../../etc", "zz", "it", "it-it" },
                { "DE", NULL, NULL, "de-de" },
                { NULL, NULL, "de-AT,de;q=0.9,en;q=0.8", "de-de" },
                { NULL, NULL, "pl, es;q=0.5, fr;q=0.7", "fr-fr" },
                { NULL, NULL, "fr;q=0, it;q=0.1", "it-it" },
                { NULL, NULL, "*", "en-gb" },
                { NULL, NULL, ";;;,,,q=", "en-gb" },
                { NULL, NULL, "x,x,x,x,x,x,x,x,x,x,x,x,x,x,x,x,x,x,de", "en-gb" },
        };
        struct locales l;

        (void)state;
        load_real(&l);
        for (size_t i = 0; i < ARRAY_SIZE(CASES); i++)
                assert_string_equal(
                        locales_pick(&l, CASES[i].query, CASES[i].cookie, CASES[i].accept)->code,
                        CASES[i].code);
        locales_free(&l);
}

static const char *value(void *arg, const char *name)
{
        (void)arg;
        return str_eq(name, "who") ? "{who}<" : NULL;
}

static void test_format(void **state)
{
        static const struct {
                const char *text, *want;
        } CASES[] = {
                { "plain", "plain" },
                { "a {who} b", "a {who}< b" },
                { "{other}", "{other}" },
                { "{", "{" },
                { "{who", "{who" },
                { "{{who}}", "{{who}<}" },
                { "{who}{who}", "{who}<{who}<" },
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
                CLEANUP(buf_done) struct buf out = BUF(1000);
                assert_int_equal(locale_format(&out, CASES[i].text, value, NULL), 0);
                assert_string_equal(buf_str(&out), CASES[i].want);
        }
}

static void test_mistakes(void **state)
{
        static const struct {
                const char *german, *error;
        } CASES[] = {
                { "{\"a\": \"x\"}", "lang.de-de.json: \"b\" is missing" },
                { "{\"a\": \"x\", \"b\": \"{n}\", \"c\": \"y\"}", "\"c\" is in no other language" },
                { "{\"a\": \"x\", \"b\": \"y\"}", "\"b\" has other {placeholders}" },
                { "{\"a\": \"x\", \"b\": \"{n} {m}\"}", "\"b\" has other {placeholders}" },
                { "{\"a\": \"x\", \"b\": \"{n}\", \"a\": \"z\"}", "\"a\" stands there twice" },
                { "{\"a\": \"\", \"b\": \"{n}\"}", "\"a\" is no text" },
                { "{\"a\": 1, \"b\": \"{n}\"}", "\"a\" is no text" },
                { "[1]", "is no JSON object of texts" },
                { "{}", "is no JSON object of texts" },
                { "{\"a\": \"x\",\n\n oops}", "lang.de-de.json:3: is no JSON" },
                { "", "is no JSON" },
        };

        (void)state;
        put_file(at(&tmp, "lang.en-gb.json"), "{\"a\": \"A\", \"b\": \"{n} times\"}");
        for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
                CLEANUP(buf_done) struct buf errors = BUF(65536);
                struct locales l = { .n = 0 };
                put_file(at(&tmp, "lang.de-de.json"), "%s", CASES[i].german);
                assert_true(locales_load(tmp.path, "en-gb", &l, &errors) < 0);
                if (!strstr(buf_str(&errors), CASES[i].error))
                        fail_msg("%s: said %s", CASES[i].german, buf_str(&errors));
        }
        CLEANUP(buf_done) struct buf errors = BUF(65536);
        struct locales l = { .n = 0 };
        put_file(at(&tmp, "lang.de-de.json"), "{\"a\": \"x\", \"b\": \"mal {n}\"}");
        assert_int_equal(locales_load(tmp.path, "fr-fr", &l, &errors), -ENOENT);
        assert_int_equal(locales_load("/nonexistent", "fr-fr", &l, &errors), -ENOENT);
        assert_int_equal(locales_load(tmp.path, "de-de", &l, &errors), 0);
        assert_null(locale_text(l.fallback, "zzz"));
        locales_free(&l);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_complete),
                cmocka_unit_test(test_pick),
                cmocka_unit_test(test_format),
                cmocka_unit_test_setup_teardown(test_mistakes, make_tmp, remove_tmp),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
