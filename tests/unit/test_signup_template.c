/* signup/template.c: what a template may say, what it may not, and that nothing gets out unescaped.
 * Also the static files, and that every template of ours loads. */
#include "signup_fixture.h"

#include "signup/assets.h"
#include "signup/template.h"

static struct locales locales;

static const char *find_asset(void *arg, const char *name)
{
        (void)arg;
        return str_eq(name, "a.css") ? "/s/a.1.css" : NULL;
}

static int setup(void **state)
{
        CLEANUP(buf_done) struct buf errors = BUF(65536);

        if (make_tmp(state) < 0)
                return -1;
        put_file(at(&tmp, "lang.en-gb.json"),
                 "{\"hello\": \"Hello {name}, <you>\", \"odd\": \"{nothing}\", \"a\": \"A\"}");
        return locales_load(tmp.path, "en-gb", &locales, &errors);
}

static int teardown(void **state)
{
        locales_free(&locales);
        return remove_tmp(state);
}

static int load(const char *text, struct template **t, struct buf *errors)
{
        struct template_source s = { .dir = tmp.path, .locales = &locales, .asset = find_asset };

        put_file(at(&tmp, "page.html"), "%s", text);
        put_file(at(&tmp, "part.html"), "[{{name}}]\n");
        put_file(at(&tmp, "loop.html"), "{{>loop.html}}");
        put_file(at(&tmp, "open.html"), "{{?name}}");
        return template_load(&s, "page.html", t, errors);
}

static void test_renders(void **state)
{
        static const struct row ROWS[] = { { .value = "1", .on = "y" }, { .value = "<2>" } };
        static const struct {
                const char *text, *want;
        } CASES[] = {
                { "plain { } text", "plain { } text" },
                { "{{name}}", "&lt;b&gt;&amp;&quot;&#39;" },
                { "{{title}}", "" },
                { "{{t:hello}}", "Hello &lt;b&gt;&amp;&quot;&#39;, &lt;you&gt;" },
                { "{{asset:a.css}}", "/s/a.1.css" },
                { "{{?name}}yes{{/name}}{{!name}}no{{/name}}", "yes" },
                { "{{?title}}yes{{/title}}{{!title}}no{{/title}}", "no" },
                { "{{?name}}\na{{!title}}b{{/title}}\n{{/name}}\nc", "abc" },
                { "{{*domains}}({{item.value}}{{?item.on}}!{{/item.on}}){{/domains}}",
                  "(1!)(&lt;2&gt;)" },
                { "{{*errors}}x{{/errors}}{{item.value}}", "" },
                { "{{>part.html}}.", "[&lt;b&gt;&amp;&quot;&#39;]\n." },
                { "{{>part.html}}\n{{>part.html}}",
                  "[&lt;b&gt;&amp;&quot;&#39;]\n[&lt;b&gt;&amp;&quot;&#39;]\n" },
        };
        struct view v = { .locale = locales.fallback,
                          .v = { [V_NAME] = "<b>&\"'" },
                          .lists = { [L_DOMAINS] = { ROWS, 2 } } };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
                CLEANUP(buf_done) struct buf errors = BUF(65536);
                CLEANUP(buf_done) struct buf out = BUF(65536);
                struct template *t = NULL;
                if (load(CASES[i].text, &t, &errors) < 0)
                        fail_msg("%s: %s", CASES[i].text, buf_str(&errors));
                assert_int_equal(template_render(t, &v, &out), 0);
                assert_string_equal(buf_str(&out), CASES[i].want);
                template_free(t);
        }
}

static void test_cap(void **state)
{
        CLEANUP(buf_done) struct buf errors = BUF(65536);
        CLEANUP(buf_done) struct buf out = BUF(10);
        struct template *t = NULL;
        struct view v = { .locale = locales.fallback, .v = { [V_NAME] = "longer than that" } };

        (void)state;
        assert_int_equal(load("{{name}}", &t, &errors), 0);
        assert_int_equal(template_render(t, &v, &out), -EFBIG);
        template_free(t);
}

static void test_refused(void **state)
{
        static const struct {
                const char *text, *error;
        } CASES[] = {
                { "a\n{{nothing}}", "page.html:2: {{nothing}}: there is no such value" },
                { "{{ name }}", "page.html:1: {{ name }}: there is no such value" },
                { "{{t:none}}", ":1: {{t:none}}: there is no such text" },
                { "{{t:odd}}", ":1: {{t:odd}}: its text names an unknown value" },
                { "{{asset:b.css}}", ":1: {{asset:b.css}}: there is no such file" },
                { "{{?nothing}}{{/nothing}}", "there is no such value" },
                { "{{*nothing}}{{/nothing}}", "there is no such list" },
                { "{{?name}}\n", "page.html:2: a block is not closed" },
                { "\n{{/name}}", "page.html:2: {{/name}}: nothing is open here" },
                { "{{?name}}{{/title}}", "what is open here is \"name\"" },
                { "{{name", ":1: a {{ without its }}" },
                { "{{na\nme}}", ":1: a {{ without its }}" },
                { "{{>none.html}}", "No such file" },
                { "{{>../part.html}}", "cannot be included here" },
                { "{{>loop.html}}", "cannot be included here" },
                { "{{>open.html}}", "open.html:1: a block is not closed" },
                { "{{?name}}{{?name}}{{?name}}{{?name}}{{?name}}{{?name}}{{?name}}{{?name}}{{?name}"
                  "}",
                  "nested too deep" },
                { "{{nothing}}\n{{other}}", "page.html:2: {{other}}" }, /* all of them */
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
                CLEANUP(buf_done) struct buf errors = BUF(65536);
                struct template *t = NULL;
                assert_true(load(CASES[i].text, &t, &errors) < 0);
                if (!strstr(buf_str(&errors), CASES[i].error))
                        fail_msg("%s: said %s", CASES[i].text, buf_str(&errors));
        }
}

static void test_assets(void **state)
{
        CLEANUP(buf_done) struct buf errors = BUF(65536);
        struct assets a;
        char dir[64];

        (void)state;
        snprintf(dir, sizeof dir, "%s/static", tmp.path);
        assert_int_equal(mkdir(dir, 0755), 0);
        put_file(at(&tmp, "static/x.css"), "a{}");
        assert_int_equal(assets_load(dir, "/b", &a, &errors), 0);
        const struct asset *x = assets_by_name(&a, "x.css");
        assert_non_null(x);
        assert_string_equal(x->path, "/b/s/x.5f546eb4606b5c2b.css"); /* sha256sum of a{} */
        assert_ptr_equal(assets_by_path(&a, x->path), x);
        assert_null(assets_by_path(&a, "/b/s/x.css"));
        assets_free(&a);
        put_file(at(&tmp, "static/x.php"), "?");
        assert_true(assets_load(dir, "/b", &a, &errors) < 0);
        assert_non_null(strstr(buf_str(&errors), "x.php: is no file that can be served"));
        assert_true(assets_load("/nonexistent", "/b", &a, &errors) < 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_renders),
                cmocka_unit_test(test_cap),
                cmocka_unit_test(test_refused),
                cmocka_unit_test(test_assets),
        };
        return cmocka_run_group_tests(tests, setup, teardown);
}
