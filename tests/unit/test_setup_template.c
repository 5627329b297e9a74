/* The template engine: what is put where, and every mistake it must not let through. */
#include "hamon/setup/template.h"
#include "tests/unit/harness.h"

#include <errno.h>
#include <string.h>

/* Two lists and some values. */
static int value(const void *arg, const struct template_scope *s, const char *name, struct buf *out,
                 const char **ret_from)
{
        (void)arg;
        *ret_from = "[some] key";
        if (strcmp(name, "word") == 0 || strcmp(name, "T_WORD") == 0)
                return buf_adds(out, "n1.example");
        if (strcmp(name, "empty") == 0 || strcmp(name, "T_EMPTY") == 0)
                return 0;
        if (strcmp(name, "evil") == 0 || strcmp(name, "T_EVIL") == 0)
                return buf_adds(out, "a\n}");
        if (strcmp(name, "item") == 0 && s)
                return buf_addf(out, "%s%zu", s->list, s->i);
        return -ENOENT;
}

static int items(const void *arg, const char *name, size_t *ret_n)
{
        (void)arg;
        if (strcmp(name, "two") != 0 && strcmp(name, "none") != 0)
                return -ENOENT;
        *ret_n = name[0] == 't' ? 2 : 0;
        return 0;
}

static const struct template_words WORDS = { value, items, NULL };

static const struct {
        const char *text, *want; /* want NULL: a mistake, */
        const char *error;       /* which says this */
} CASES[] = {
        { "", "", NULL },
        { "plain } { text\n", "plain } { text\n", NULL },
        { "a {{word}}, b", "a n1.example, b", NULL },
        { "a{{! words, even {{ }}b", "ab", NULL },
        { "x\n  {{! gone with its line }}\ny\n", "x\ny\n", NULL },
        { "{{#two}}\n- {{item}}\n{{/two}}\nend\n", "- two0\n- two1\nend\n", NULL },
        { "{{#two}}{{item}}{{^last}},{{/last}}{{/two}}", "two0,two1", NULL },
        { "{{#two}}{{#first}}<{{/first}}{{item}}{{#last}}>{{/last}}{{/two}}", "<two0two1>", NULL },
        { "{{#two}}{{#two}}{{item}}{{/two}} {{/two}}", "two0two1 two0two1 ", NULL },
        { "{{#none}}{{item}}{{/none}}{{^none}}nobody{{/none}}", "nobody", NULL },
        { "{{#word}}has {{word}}{{/word}}{{^word}}no{{/word}}", "has n1.example", NULL },
        { "{{#empty}}has{{/empty}}{{^empty}}no{{/empty}}", "no", NULL },
        { "\n\n{{word", NULL, "t:3: {{ without }}" },
        { "{{wrod}}", NULL, "t:1: there is no value \"wrod\"" },
        { "{{#wrod}}{{/wrod}}", NULL, "there is no value \"wrod\"" },
        { "{{#none}}{{wrod}}{{/none}}", "", NULL },
        { "{{}}", NULL, "a name has" },
        { "{{item}}", NULL, "there is no value \"item\"" },
        { "{{last}}", NULL, "there is no value \"last\"" },
        { "{{empty}}", NULL, "[some] key is not set" },
        { "\n{{evil}}", NULL, "t:2: [some] key: \"a\n}\" cannot stand" },
        { "{{#two}}", NULL, "{{#two}} has no end" },
        { "{{#two}}{{/none}}", NULL, "{{/none}} ends {{#two}}" },
        { "{{/two}}", NULL, "{{/two}} ends nothing" },
        { "{{#two}}{{#two}}{{#two}}{{#two}}{{#two}}x{{/two}}{{/two}}{{/two}}{{/two}}{{/two}}", NULL,
          "nested more than 4 deep" },
};

static void test_fill(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
                CLEANUP(buf_done) struct buf out = BUF(4096), errors = BUF(4096);
                int r = template_fill("t", CASES[i].text, &WORDS, &out, &errors);
                assert_int_equal(r, CASES[i].want ? 0 : -EINVAL);
                if (CASES[i].want)
                        assert_string_equal(buf_str(&out), CASES[i].want);
                else
                        assert_non_null(strstr(buf_str(&errors), CASES[i].error));
        }
}

static const struct {
        const char *text, *want, *error;
} ENV[] = {
        { "a: ${T_WORD}", "a: n1.example", NULL },
        { "${T_WORD:-other}/x", "n1.example/x", NULL },
        { "${T_EMPTY:-other}/x", "other/x", NULL },
        { "${T_EMPTY:-}x", "x", NULL },
        { "${IPV4:-1} $${T_WORD} {{word}}", "${IPV4:-1} $${T_WORD} {{word}}", NULL },
        { "${T_EMPTY}", NULL, "[some] key is not set" },
        { "${T_EVIL:-x}", NULL, "cannot stand" },
        { "x\n${T_WROD}", NULL, "t:2: there is no value \"T_WROD\"" },
        { "${T_WORD", NULL, "${ without }" },
        { "${T_word}", NULL, "capitals" },
};

static void test_env(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(ENV); i++) {
                CLEANUP(buf_done) struct buf out = BUF(4096), errors = BUF(4096);
                int r = template_fill_env("t", ENV[i].text, "T_", &WORDS, &out, &errors);
                assert_int_equal(r, ENV[i].want ? 0 : -EINVAL);
                if (ENV[i].want)
                        assert_string_equal(buf_str(&out), ENV[i].want);
                else
                        assert_non_null(strstr(buf_str(&errors), ENV[i].error));
        }
}

/* What does not fit is an error, not a shorter file. */
static void test_cap(void **state)
{
        CLEANUP(buf_done) struct buf out = BUF(16), errors = BUF(4096);

        (void)state;
        assert_int_equal(template_fill("t", "{{word}} and some more", &WORDS, &out, &errors),
                         -EFBIG);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_fill),
                cmocka_unit_test(test_env),
                cmocka_unit_test(test_cap),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
