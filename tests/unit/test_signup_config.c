/* signup/config.c: the table, the defaults, and what no single row can check. */
#include "signup_fixture.h"

static void test_rows(void **state)
{
        (void)state;
        for (size_t i = 0; i < CONFIG_SPEC.n_options; i++) {
                const struct option *o = &CONFIG_SPEC.options[i];
                size_t len = strlen(o->help);
                if (len < 10 || o->help[len - 1] != '.')
                        fail_msg("%s.%s: its help is no sentence", o->section, o->key);
                if (o->type == OPT_UINT || o->type == OPT_DURATION)
                        assert_true(o->max > 0);
                for (size_t k = 0; k < i; k++) {
                        const struct option *p = &CONFIG_SPEC.options[k];
                        assert_false(str_eq(p->section, o->section) && str_eq(p->key, o->key));
                        assert_int_not_equal(p->offset, o->offset);
                }
        }
}

static void test_defaults(void **state)
{
        CLEANUP(buf_done) struct buf errors = BUF(65536);
        struct config c;

        (void)state;
        if (load_config("", &c, &errors) < 0)
                fail_msg("%s", buf_str(&errors));
        assert_string_equal(c.signup.base_path, "/signup");
        assert_int_equal(c.signup.mode, MODE_OPEN);
        assert_int_equal(c.mailbox.quota_mib, 1024);
        assert_int_equal(c.gate.ttl, 600000);
        assert_int_equal(c.store.kind, STORE_MEMORY);
        config_free(&c);
}

/* What is wrong, and what the error line must say; the file name before it is cut off. */
static void test_mistakes(void **state)
{
        static const struct {
                const char *text, *error;
        } CASES[] = {
                { "listen = nowhere", ":6: [signup] listen is no place to listen" },
                { "listen = host:9000", ":6: [signup] listen is no place to listen" },
                { "listen = 127.0.0.1:0", ":6: [signup] listen is no place to listen" },
                { "base_path = signup", ":6: [signup] base_path must be like /signup" },
                { "base_path = /signup/", ":6: [signup] base_path must be like /signup" },
                { "base_path = /sign up", ":6: [signup] base_path must be like /signup" },
                { "mode = maybe", ":6: [signup] mode: \"maybe\" is not allowed" },
                { "logo = https://cdn.example/x.svg", ":6: [signup] logo must be a path" },
                { "logo = //cdn.example/x.svg", ":6: [signup] logo must be a path" },
                { "terms_url = javascript:x", ":6: [signup] terms_url must begin with" },
                { "contact = nobody", ":6: [signup] contact must be a mail address" },
                { "origins = https://a.example/x", ":6: [signup] origins \"https://a.example/x\"" },
                { "origins = mail", ":6: [signup] origins \"mail\" is no origin" },
                { "language = english", "[signup] language" },
                { "mode = invite\n[gate]\nkinds = image", ":8: [gate] kinds must contain invite" },
                { "[gate]\nkinds = image invite", ":7: [gate] kinds invite needs [store] kind" },
                { "[gate]\nkinds = image smell", ":7: [gate] kinds \"smell\" is none of" },
                { "[gate]\nkinds =", ":7: [gate] kinds must name at least one" },
                { "[gate]\nttl = 1m\nmin_age = 1m", ":8: [gate] min_age must be shorter" },
                { "[limit]\nglobal = 5", ":7: [limit] global must be count/duration" },
                { "[limit]\nglobal = 0/1h", ":7: [limit] global must be count/duration" },
                { "[limit]\nglobal = 5/1", ":7: [limit] global must be count/duration" },
                { "[limit]\ntrusted_proxies = 10.0.0.0/33", ":7: [limit] trusted_proxies" },
                { "[mailbox]\nrate_limit = 20/y", ":7: [mailbox] rate_limit must be like" },
                { "[mailbox]\npending_tag =", ":7: [mailbox] pending_tag must be set unless" },
                { "[mailbox]\nrate_limit = 020/h", ":7: [mailbox] rate_limit must be like" },
                { "[mailbox]\nquota_mib = 0", ":7: [mailbox] quota_mib: \"0\" is not allowed" },
                { "[policy]\nname_min = 70", ":7: [policy] name_min is above name_max" },
                { "[policy]\nlocal_min = 40", ":7: [policy] local_min is above local_max" },
                { "[policy]\npwned_url = x", ":7: [policy] pwned_url must begin" },
                { "colour = red", ":6: " },
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
                CLEANUP(buf_done) struct buf errors = BUF(65536);
                struct config c;
                assert_int_equal(load_config(CASES[i].text, &c, &errors), -EINVAL);
                const char *path = at(&tmp, "signup.conf");
                if (strncmp(buf_str(&errors), path, strlen(path)) != 0 ||
                    !strstr(buf_str(&errors), CASES[i].error))
                        fail_msg("%s: said %s", CASES[i].text, buf_str(&errors));
        }
}

static void test_domains(void **state)
{
        CLEANUP(buf_done) struct buf errors = BUF(65536);
        struct config c;

        (void)state;
        put_file(at(&tmp, "signup.conf"), "[mailcow]\nurl = http://nginx\n");
        assert_int_equal(config_load(at(&tmp, "signup.conf"), &c, &errors), -EINVAL);
        assert_non_null(strstr(buf_str(&errors), "[signup] domains must be set"));
        put_file(at(&tmp, "signup.conf"),
                 "[mailcow]\nurl = http://nginx\n[signup]\nmode = closed\n");
        assert_int_equal(config_load(at(&tmp, "signup.conf"), &c, &errors), 0);
        config_free(&c);
        put_file(at(&tmp, "signup.conf"),
                 "[mailcow]\nurl = http://nginx\n[signup]\ndomains = Example.org\n");
        assert_int_equal(config_load(at(&tmp, "signup.conf"), &c, &errors), -EINVAL);
        assert_non_null(strstr(buf_str(&errors), "\"Example.org\" is no domain"));
}

static void test_rates(void **state)
{
        struct rate r;

        (void)state;
        assert_int_equal(rate_parse("5/1h", &r), 0);
        assert_int_equal(r.count, 5);
        assert_int_equal(r.period, 3600000);
        assert_int_equal(rate_parse("off", &r), 0);
        assert_int_equal(r.count, 0);
        assert_int_equal(rate_parse("/1h", &r), -EINVAL);
        assert_int_equal(rate_parse("5/1ms", &r), -EINVAL);
        assert_int_equal(rate_parse("123456789012345678901234567890/1h", &r), -EINVAL);
}

static void test_listen(void **state)
{
        struct listen l;

        (void)state;
        assert_int_equal(listen_parse("[::1]:9000", &l), 0);
        assert_string_equal(l.address, "::1");
        assert_int_equal(l.port, 9000);
        assert_int_equal(listen_parse("/run/x.sock", &l), 0);
        assert_int_equal(l.kind, LISTEN_UNIX);
        assert_int_equal(listen_parse("inherited", &l), 0);
        assert_int_equal(l.kind, LISTEN_INHERITED);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_rows),     cmocka_unit_test(test_defaults),
                cmocka_unit_test(test_mistakes), cmocka_unit_test(test_domains),
                cmocka_unit_test(test_rates),    cmocka_unit_test(test_listen),
        };
        return cmocka_run_group_tests(tests, make_tmp, remove_tmp);
}
