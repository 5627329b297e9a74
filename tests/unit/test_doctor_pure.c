/* The parts of `hamon doctor` that only read text: keepalived.conf, mailcow.conf, postfix, SPF,
 * ranking. */
#include "hamon/doctor/flaw.h"
#include "hamon/doctor/keepalived_conf.h"
#include "hamon/doctor/spf.h"
#include "hamon/mailcow.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct kc kc; /* a big one */

static void keepalived(void **unused)
{
        static const char TEXT[] = "! a comment\nglobal_defs {\n  router_id \"a b\" # here\n}\n"
                                   "vrrp_instance MAIL\n{\n track_file { hamon weight 1 }\n"
                                   " state BACKUP\n}\nvrrp_instance WEB { state MASTER }\n";

        (void)unused;
        assert_int_equal(kc_parse(TEXT, &kc), 0);
        int global = kc_find(&kc, KC_TOP, "global_defs", -1);
        int mail = kc_find(&kc, KC_TOP, "vrrp_instance", -1);
        int web = kc_find(&kc, KC_TOP, "vrrp_instance", mail);
        assert_string_equal(kc_value(&kc, global, "router_id"), "a b");
        assert_string_equal(kc.v[mail].text, "vrrp_instance MAIL");
        assert_int_equal(kc.v[mail].line, 5);
        assert_string_equal(kc_value(&kc, mail, "state"), "BACKUP");
        assert_string_equal(kc_value(&kc, web, "state"), "MASTER");
        assert_true(kc_has(&kc, kc_find(&kc, mail, "track_file", -1), "hamon"));
        assert_int_equal(kc_find(&kc, KC_TOP, "vrrp_instance", web), -1);
        assert_false(kc.includes);
}

static void keepalived_nonsense(void **unused)
{
        CLEANUP(buf_done) struct buf many = BUF(65536);

        (void)unused;
        assert_int_equal(kc_parse("}", &kc), -EBADMSG);
        assert_int_equal(kc_parse("{", &kc), -EBADMSG);
        assert_int_equal(kc_parse("a {", &kc), -EBADMSG);
        assert_int_equal(kc_parse("", &kc), 0);
        for (int i = 0; i <= KC_ITEMS; i++)
                buf_adds(&many, "word\n");
        assert_int_equal(kc_parse(buf_str(&many), &kc), -E2BIG);
        assert_int_equal(kc.n, KC_ITEMS);
        buf_reset(&many);
        for (int i = 0; i < KC_TEXT; i++)
                buf_adds(&many, "long ");
        assert_int_equal(kc_parse(buf_str(&many), &kc), 0);
        assert_int_equal(strlen(kc.v[0].text), KC_TEXT - 1);
        assert_int_equal(kc_parse("include other.conf", &kc), 0);
        assert_true(kc.includes);
}

static void mailcow(void **unused)
{
        struct mailcow m = { .read = false };
        char value[16];

        (void)unused;
        mailcow_parse("#DBNAME=x\nDBNAME=one\nDBNAME=\"two\" \r\nDBPASS='a b'\nDBUSER=", &m);
        assert_string_equal(m.dbname, "two");
        assert_string_equal(m.dbpass, "a b");
        assert_string_equal(m.dbuser, "");
        assert_true(mailcow_postfix("a = 1\nmyhostname=x\nmyhostname =\n  y \nb = 2", "myhostname",
                                    value, sizeof value));
        assert_string_equal(value, "y");
        assert_false(mailcow_postfix("#myhostname = x\nmyhostnames = y", "myhostname", value,
                                     sizeof value));
        assert_false(mailcow_postfix("k = 0123456789abcdefg", "k", value, sizeof value));
}

/* ---- SPF ---- */

static const struct {
        const char *name;
        enum dns_type type;
        const char *value;
} ZONE[] = {
        { "plain", DNS_TXT, "v=spf1 ip4:192.0.2.0/24 -all" },
        { "v6", DNS_TXT, "v=spf1 ip6:2001:db8::/32 -all" },
        { "soft", DNS_TXT, "v=spf1 ~ip4:192.0.2.9 ?all" },
        { "mx", DNS_TXT, "v=spf1 mx/28 -all" },
        { "mx", DNS_MX, "host" },
        { "host", DNS_A, "192.0.2.1" },
        { "a", DNS_TXT, "V=SPF1 A:host/24//64 -all" },
        { "inc", DNS_TXT, "v=spf1 include:plain -all" },
        { "lost", DNS_TXT, "v=spf1 include:nobody -all" },
        { "redir", DNS_TXT, "v=spf1 redirect=plain" },
        { "loop", DNS_TXT, "v=spf1 include:loop -all" },
        { "two", DNS_TXT, "v=spf1 -all" },
        { "two", DNS_TXT, "v=spf1 +all" },
        { "macro", DNS_TXT, "v=spf1 exists:%{i}.x -all" },
        { "odd", DNS_TXT, "v=spf1 ip4:192.0.2.0/99 all" },
        { "word", DNS_TXT, "v=spf1 nonsense all" },
        { "other", DNS_TXT, "v=spf10 +all" },
        { "order", DNS_TXT, "v=spf1 -ip4:192.0.2.9 +all" },
};

static enum dns_end ask(void *arg, const char *name, enum dns_type t, struct dns_answer *ret)
{
        ret->n = 0;
        if (arg)
                return DNS_SILENT;
        for (size_t i = 0; i < ARRAY_SIZE(ZONE); i++)
                if (strcmp(ZONE[i].name, name) == 0 && ZONE[i].type == t)
                        str_copy(ret->v[ret->n++], DNS_TEXT, ZONE[i].value);
        return ret->n > 0 ? DNS_FOUND : DNS_NOTHING;
}

static void spf(void **unused)
{
        static const struct {
                const char *domain, *address;
                enum spf_result want;
        } ROWS[] = {
                { "plain", "192.0.2.9", SPF_PASS },  { "plain", "192.0.3.9", SPF_NOT },
                { "plain", "2001:db8::1", SPF_NOT }, { "v6", "2001:db8::1", SPF_PASS },
                { "soft", "192.0.2.9", SPF_NOT },    { "soft", "192.0.2.8", SPF_NOT },
                { "mx", "192.0.2.9", SPF_PASS },     { "mx", "192.0.2.19", SPF_NOT },
                { "a", "192.0.2.200", SPF_PASS },    { "inc", "192.0.2.9", SPF_PASS },
                { "inc", "192.0.3.9", SPF_NOT },     { "lost", "192.0.2.9", SPF_BROKEN },
                { "redir", "192.0.2.9", SPF_PASS },  { "loop", "192.0.2.9", SPF_BROKEN },
                { "two", "192.0.2.9", SPF_BROKEN },  { "macro", "192.0.2.9", SPF_UNSURE },
                { "odd", "192.0.2.9", SPF_BROKEN },  { "word", "192.0.2.9", SPF_BROKEN },
                { "other", "192.0.2.9", SPF_NONE },  { "order", "192.0.2.9", SPF_NOT },
                { "order", "192.0.2.8", SPF_PASS },
        };

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
                struct spf s = { .ask = ask, .address = ROWS[i].address };
                enum spf_result have = spf_check(&s, ROWS[i].domain);
                if (have != ROWS[i].want)
                        fail_msg("%s of %s: %d, not %d", ROWS[i].domain, ROWS[i].address, (int)have,
                                 (int)ROWS[i].want);
        }
        struct spf deaf = { .ask = ask, .arg = &deaf, .address = "192.0.2.9" };
        assert_int_equal(spf_check(&deaf, "plain"), SPF_UNSURE);
}

static void names(void **unused)
{
        char name[80];

        (void)unused;
        assert_int_equal(dns_reverse("192.0.2.9", name, sizeof name), 0);
        assert_string_equal(name, "9.2.0.192.in-addr.arpa");
        assert_int_equal(dns_reverse("mail", name, sizeof name), -EINVAL);
        assert_true(dns_same_address("2001:db8::1", "2001:0db8:0::1"));
        assert_false(dns_same_address("192.0.2.9", "192.0.2.8"));
        assert_false(dns_name_ok("a b"));
        assert_false(dns_name_ok("$(reboot)"));
}

static void ranked(void **unused)
{
        static const enum flaw_id IN[] = { F_DNS_DMARC, F_UNFIT, F_DOCKER, F_CONFIG, F_DOCKER };
        static const enum flaw_id OUT[] = { F_CONFIG, F_DOCKER, F_DOCKER, F_UNFIT, F_DNS_DMARC };
        CLEANUP(freep) struct flaws *f = calloc(1, sizeof *f);

        (void)unused;
        assert_non_null(f);
        for (size_t i = 0; i < ARRAY_SIZE(IN); i++)
                snprintf(flaws_add(f, IN[i])->what, FLAW_WHAT, "%zu", i);
        flaws_rank(f);
        for (size_t i = 0; i < ARRAY_SIZE(OUT); i++)
                assert_int_equal(f->v[i].id, OUT[i]);
        assert_string_equal(f->v[1].what, "2"); /* equals stay in order */
        while (f->n < FLAWS_MAX)
                flaws_add(f, F_SOLO);
        assert_non_null(flaws_add(f, F_SOLO));
        assert_int_equal(f->n, FLAWS_MAX);
        assert_int_equal(f->dropped, 1);
        for (int i = 0; i < F_COUNT_; i++)
                assert_true(FLAWS[i].name && *FLAWS[i].why);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(keepalived), cmocka_unit_test(keepalived_nonsense),
                cmocka_unit_test(mailcow),    cmocka_unit_test(spf),
                cmocka_unit_test(names),      cmocka_unit_test(ranked),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
