/* hamon/web/alert_target.c: the files of [alert] dir, the sentence for each mistake in them, and
 * that no secret gets out. */
#include "hamon/web/alert_target.h"
#include "tests/unit/harness.h"

static struct tmp tmp;
static struct alert_targets targets;
static struct buf errors = BUF(64L * 1024);

static int setup(void **unused)
{
        (void)unused;
        buf_reset(&errors);
        return tmp_make(&tmp);
}

static int teardown(void **unused)
{
        (void)unused;
        alert_targets_free(&targets);
        buf_done(&errors);
        tmp_remove(&tmp);
        return 0;
}

static void file(const char *name, const char *text, mode_t mode)
{
        FILE *f = fopen(at(&tmp, name), "w");

        assert_non_null(f);
        fputs(text, f);
        assert_int_equal(fclose(f), 0);
        assert_int_equal(chmod(at(&tmp, name), mode), 0);
}

static int load(void)
{
        return alert_targets_load(tmp.path, &targets, &errors);
}

static void test_all_formats(void **unused)
{
        (void)unused;
        file("a.conf", "[target]\nurl = https://h/x\nsecret = s3cr3t0\nlevel = warn\n", 0600);
        file("b.conf", "[target]\nformat = ntfy\nurl = https://h/topic\ntoken = tk_1\n", 0600);
        file("c.conf", "[target]\nformat = slack\nurl = https://h/x\nrecovered = off\n", 0600);
        file("d.conf", "[target]\nformat = mattermost\nurl = http://h/x\n", 0600);
        file("e.conf", "[target]\nformat = telegram\ntoken = 1:A\nchat = @c\n", 0600);
        file("f.conf", "[target]\nformat = uptime_kuma\nurl = https://h/api/push/x\n", 0600);
        file("g.conf",
             "[target]\nformat = email\nurl = smtps://h:465\nfrom = a@b\nto = c@d e@f\nuser = u\n"
             "token = p\n",
             0600);
        file("README", "no target", 0644);
        file(".x.conf", "no target", 0644);
        assert_int_equal(load(), 0);
        assert_string_equal(buf_str(&errors), "");
        assert_int_equal(targets.n, ALERT_FORMAT_COUNT_);
        for (int i = 0; i < ALERT_FORMAT_COUNT_; i++)
                assert_int_equal(targets.v[i].k.format, i);
        assert_string_equal(targets.v[0].name, "a");
        assert_int_equal(targets.v[6].k.to.n, 2);
}

static void test_no_directory(void **unused)
{
        (void)unused;
        assert_int_equal(alert_targets_load(at(&tmp, "nothing"), &targets, &errors), 0);
        assert_int_equal(targets.n, 0);
        assert_int_equal(alert_targets_load("/dev/null", &targets, &errors), -ENOTDIR);
}

/* Each has one mistake, and none takes another target down. */
static void test_mistakes(void **unused)
{
        static const struct {
                const char *text, *says;
        } CASES[] = {
                { "[target]\nformat = slak\n", "x.conf:2: " },
                { "[target]\nurl = https://h/x\nurl2 = y\n", "x.conf:3: " },
                { "[other]\n", "x.conf:1: " },
                { "[target]\n", "x.conf: [target] url is missing: format json wants it\n" },
                { "[target]\nformat = slack\nurl = https://h/x\ntoken = abc\n",
                  "x.conf: [target] token: format slack has no use for it\n" },
                { "[target]\nformat = telegram\ntoken = 1:A\n",
                  "x.conf: [target] chat is missing" },
                { "[target]\nurl = ftp://h/x\n", "x.conf: [target] url must be http:// or" },
                { "[target]\nurl = https://\n", "x.conf: [target] url must be http:// or" },
                { "[target]\nformat = ntfy\nurl = https://h/\n",
                  "x.conf: [target] url must end with the topic" },
                { "[target]\nformat = email\nurl = https://h\nfrom = a@b\nto = c@d\n",
                  "x.conf: [target] url must be smtp://" },
                { "[target]\nformat = email\nurl = smtp://h:25\nfrom = a@b\nto = c@d <e@f>\n",
                  "x.conf: [target] to: \"<e@f>\" is no mail address\n" },
                { "[target]\nformat = email\nurl = smtp://h:25\nfrom = ab\nto = c@d\n",
                  "x.conf: [target] from: \"ab\" is no mail address\n" },
                { "[target]\nformat = email\nurl = smtp://h:25x\nfrom = a@b\nto = c@d\n",
                  "x.conf: [target] url must be smtp://" },
                { "[target]\nformat = email\nurl = smtp://h\nfrom = a@b\nto = c@d\nuser = u\n",
                  "x.conf: [target] user and token want each other" },
                { "[target]\nformat = email\nurl = smtp://h\nfrom = a@b\nto = c@d\nuser = u\n"
                  "token = p\nstarttls = off\n",
                  "x.conf: [target] user wants starttls = on" },
                { "[target]\nurl = https://h/x\ntemplate = /nonexistent/t\n",
                  "x.conf: [target] template: /nonexistent/t: No such file" },
        };

        (void)unused;
        file("good.conf", "[target]\nurl = https://h/x\n", 0600);
        for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
                last_heard = CASES[i].says;
                buf_reset(&errors);
                file("x.conf", CASES[i].text, 0600);
                assert_int_equal(load(), -EINVAL);
                assert_non_null(strstr(buf_str(&errors), CASES[i].says));
                assert_int_equal(targets.n, 1);
                alert_targets_free(&targets);
        }
}

static void test_mail_url(void **unused)
{
        static const struct {
                const char *url, *host;
                unsigned port;
        } CASES[] = {
                { "smtp://mail.example.org", "mail.example.org", 587 },
                { "smtps://h", "h", 465 },
                { "smtps://h:2465", "h", 2465 },
                { "smtp://[::1]:25", "::1", 25 },
                { "smtp://[::1]", "::1", 587 },
                { "smtp://", NULL, 0 },
                { "smtp://[::1", NULL, 0 },
                { "smtp://[]:25", NULL, 0 },
                { "smtp://h:", NULL, 0 },
                { "smtp://h:0", NULL, 0 },
                { "smtp://h:65536", NULL, 0 },
                { "smtp://u@h", NULL, 0 },
                { "smtp://h/x", NULL, 0 },
                { "http://h", NULL, 0 },
        };
        char host[64];
        unsigned port;
        bool tls;

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
                last_heard = CASES[i].url;
                assert_int_equal(alert_target_mail(CASES[i].url, &tls, host, sizeof host, &port),
                                 CASES[i].host != NULL);
                if (!CASES[i].host)
                        continue;
                assert_string_equal(host, CASES[i].host);
                assert_int_equal(port, CASES[i].port);
                assert_int_equal(tls, CASES[i].url[4] == 's');
        }
}

static void test_open_to_others(void **unused)
{
        (void)unused;
        file("x.conf", "[target]\nurl = https://h/x\n", 0640);
        assert_int_equal(load(), -EINVAL);
        assert_non_null(strstr(buf_str(&errors), "x.conf: others can read it; chmod 600 it"));
        assert_int_equal(targets.n, 0);
}

static void test_names_and_number(void **unused)
{
        char name[64];

        (void)unused;
        file("a b.conf", "[target]\nurl = https://h/x\n", 0600);
        assert_int_equal(load(), -EINVAL);
        assert_non_null(strstr(buf_str(&errors), "a target's name has letters"));
        alert_targets_free(&targets);
        unlink(at(&tmp, "a b.conf"));
        for (int i = 0; i < ALERT_TARGETS + 1; i++) {
                snprintf(name, sizeof name, "t%02d.conf", i);
                file(name, "[target]\nurl = https://h/x\n", 0600);
        }
        buf_reset(&errors);
        assert_int_equal(load(), -EINVAL);
        assert_int_equal(targets.n, ALERT_TARGETS);
        assert_non_null(strstr(buf_str(&errors), "t16.conf: more than 16 targets"));
}

/* An error of the conf engine names the key, never the value. */
static void test_secrets_are_not_shown(void **unused)
{
        static const char *const TEXTS[] = {
                "[target]\nurl = https://h/SECRET path\n",
                "[target]\nformat = email\nurl = https://h/SECRET\nfrom = a@b\nto = c@d\n",
                "[target]\ntoken = SECRET\nformat = uptime_kuma\nsecret = SECRET\n",
        };

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(TEXTS); i++) {
                buf_reset(&errors);
                file("x.conf", TEXTS[i], 0600);
                assert_int_equal(load(), -EINVAL);
                assert_null(strstr(buf_str(&errors), "SECRET"));
                alert_targets_free(&targets);
        }
}

static void test_scrub(void **unused)
{
        char text[] = "HTTP 404: no /hook/T0/abcdef at h, token tk_secret, abcdef, "
                      "https://h/hook/T0/abcdef";

        (void)unused;
        file("x.conf", "[target]\nurl = https://h/hook/T0/abcdef\ntoken = tk_secret\n", 0600);
        assert_int_equal(load(), 0);
        alert_target_scrub(&targets.v[0], text);
        assert_null(strstr(text, "abcdef"));
        assert_null(strstr(text, "tk_secret"));
        assert_memory_equal(text, "HTTP 404: no ******", 19);
}

static void test_wants(void **unused)
{
        struct alert_message m = { .level = LOG_INFO };

        (void)unused;
        file("x.conf", "[target]\nurl = https://h/x\nlevel = warn\nrecovered = off\n", 0600);
        assert_int_equal(load(), 0);
        assert_false(alert_target_wants(&targets.v[0], &m));
        m.level = LOG_WARN;
        assert_true(alert_target_wants(&targets.v[0], &m));
        m.phase = PHASE_OVER;
        assert_false(alert_target_wants(&targets.v[0], &m));
        m = (struct alert_message){ .level = LOG_DEBUG, .phase = PHASE_TEST };
        assert_true(alert_target_wants(&targets.v[0], &m));
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(test_all_formats),
                TEST(test_no_directory),
                TEST(test_mistakes),
                TEST(test_mail_url),
                TEST(test_open_to_others),
                TEST(test_names_and_number),
                TEST(test_secrets_are_not_shown),
                TEST(test_scrub),
                TEST(test_wants),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
