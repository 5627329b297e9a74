/* What a canary's errors mean, what many of them add up to, and how a certificate is judged. */
#include "hamon/web/canary_stats.h"
#include "hamon/web/cert_look.h"
#include "lib/imap.h"
#include "tests/unit/cert_fixture.h"

#include <time.h>

enum { FAILED = 20000 };

static const struct smtp_case {
        int error, code;
        bool connected;
        const char *message;
        enum canary_reason reason;
} SMTP[] = {
        { -EAGAIN, 451, true, "answer to RCPT TO: 451 4.7.1 later", CANARY_TEMP_FAILED },
        { -EAGAIN, 452, true, "answer to MAIL FROM: 452 4.3.1 no room", CANARY_FULL },
        { -EAGAIN, 451, true, "answer to the message: 451 4.3.1 no room", CANARY_FULL },
        { -EPERM, 552, true, "answer to RCPT TO: 552 5.2.2 mailbox full", CANARY_FULL },
        { -EPERM, 550, true, "answer to RCPT TO: 550 5.1.1 no such user", CANARY_REFUSED },
        { -EACCES, 535, true, "", CANARY_LOGIN_FAILED },
        { -ETIMEDOUT, 0, true, "", CANARY_SMTP_SILENT },
        { -EPROTO, 0, false, "no TLS", CANARY_TLS_FAILED },
        { -EPROTO, 0, true, "greeting: hello", CANARY_REFUSED },
        { -ECONNREFUSED, 0, false, "", CANARY_SMTP_DOWN },
        { -ECONNRESET, 0, false, "", CANARY_SMTP_DOWN },
};

static void test_smtp_reasons(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(SMTP); i++) {
                const struct smtp_case *c = &SMTP[i];
                const struct mail_result r = { .error = c->error,
                                               .code = c->code,
                                               .connected = c->connected,
                                               .message = c->message };
                assert_int_equal(canary_of_smtp(&r), c->reason);
        }
}

static const struct imap_case {
        int error;
        bool logged_in;
        enum canary_reason reason;
} IMAP[] = {
        { -ENOSPC, true, CANARY_FULL },
        { -EACCES, false, CANARY_LOGIN_FAILED },
        { -EAGAIN, false, CANARY_LOGIN_FAILED },
        { -EPERM, true, CANARY_MAILBOX_FAILED },
        { -ETIMEDOUT, false, CANARY_IMAP_SILENT },
        { -EPROTO, false, CANARY_TLS_FAILED },
        { -EPROTO, true, CANARY_MAILBOX_FAILED },
        { -ECONNREFUSED, false, CANARY_IMAP_DOWN },
        { -ECONNRESET, true, CANARY_IMAP_DOWN },
};

static void test_imap_reasons(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(IMAP); i++)
                assert_int_equal(canary_of_imap(IMAP[i].error, IMAP[i].logged_in), IMAP[i].reason);
}

static void test_every_reason_has_words(void **state)
{
        (void)state;
        for (size_t i = 0; i < CANARY_REASON_COUNT_; i++) {
                assert_non_null(CANARY_REASONS[i].name);
                assert_true(*CANARY_REASONS[i].sentence);
                for (size_t k = 0; k < i; k++)
                        assert_string_not_equal(CANARY_REASONS[i].name, CANARY_REASONS[k].name);
        }
        for (size_t i = 0; i < CERT_REASON_COUNT_; i++)
                assert_true(CERT_REASONS[i].name && *CERT_REASONS[i].sentence);
}

/* ---- what they add up to ---- */

static void add(struct canary_stats *s, size_t times, msec_t delivery, msec_t login)
{
        for (size_t i = 0; i < times; i++)
                canary_add(s, &(struct canary_mark){ .at = (msec_t)s->n,
                                                     .delivery = delivery,
                                                     .login = login,
                                                     .reason = delivery < 0 ? CANARY_NO_DELIVERY
                                                                            : CANARY_OK });
}

static void test_percentiles(void **state)
{
        struct canary_stats s = { .n = 0 };

        (void)state;
        assert_int_equal(canary_percentile(&s, CANARY_DELIVERY, 50, FAILED), -1);
        for (msec_t i = 1; i <= 100; i++)
                add(&s, 1, i * 10, i);
        assert_int_equal(canary_percentile(&s, CANARY_DELIVERY, 50, FAILED), 500);
        assert_int_equal(canary_percentile(&s, CANARY_DELIVERY, 95, FAILED), 950);
        assert_int_equal(canary_percentile(&s, CANARY_LOGIN, 95, FAILED), 95);
        add(&s, 10, -1, 1); /* 110: one in eleven failed */
        assert_int_equal(canary_percentile(&s, CANARY_DELIVERY, 95, FAILED), FAILED);
        assert_int_equal(canary_percentile(&s, CANARY_DELIVERY, 50, FAILED), 550);
}

static void test_ring(void **state)
{
        struct canary_stats s = { .n = 0 };

        (void)state;
        for (msec_t i = 0; i < CANARY_KEPT + 5; i++)
                add(&s, 1, i, 1);
        assert_int_equal(s.n, CANARY_KEPT);
        assert_int_equal(canary_at(&s, 0)->delivery, 5); /* the oldest are gone */
        assert_int_equal(canary_at(&s, CANARY_KEPT - 1)->delivery, CANARY_KEPT + 4);
}

static void test_targets(void **state)
{
        struct canary_stats s = { .n = 0 };

        (void)state;
        assert_int_equal(canary_judge(&s, 5000, 2000, FAILED), CANARY_OK);
        add(&s, CANARY_JUDGED - 1, 9000, 100);
        assert_int_equal(canary_judge(&s, 5000, 2000, FAILED), CANARY_OK); /* too few to tell */
        add(&s, 1, 9000, 100);
        assert_int_equal(canary_judge(&s, 5000, 2000, FAILED), CANARY_SLOW_DELIVERY);
        assert_int_equal(canary_judge(&s, 9000, 99, FAILED), CANARY_SLOW_LOGIN);
        assert_int_equal(canary_judge(&s, 9000, 100, FAILED), CANARY_OK);
        add(&s, 1, -1, 100);
        assert_int_equal(canary_judge(&s, 9000, 100, FAILED), CANARY_NO_DELIVERY);
        add(&s, CANARY_KEPT, 100, 100);
        add(&s, CANARY_KEPT / 20, 100, 9000); /* five of a hundred may be slow */
        assert_int_equal(canary_judge(&s, 5000, 2000, FAILED), CANARY_OK);
        add(&s, 1, 100, 9000);
        assert_int_equal(canary_judge(&s, 5000, 2000, FAILED), CANARY_SLOW_LOGIN);
}

/* ---- certificates ---- */

static const struct cert_case {
        long from, to; /* days from now */
        long verdict;
        const char *name;
        enum cert_reason reason;
        int days;
} CERTS[] = {
        { -1, 90, X509_V_OK, "mail.test", CERT_OK, 89 },
        { -1, 90, X509_V_OK, "", CERT_OK, 89 },
        { -1, 90, X509_V_OK, "127.0.0.1", CERT_OK, 89 },
        { -1, 15, X509_V_OK, "mail.test", CERT_OK, 14 },
        { -1, 14, X509_V_OK, "mail.test", CERT_EXPIRES_SOON, 13 },
        { -9, -1, X509_V_ERR_CERT_HAS_EXPIRED, "mail.test", CERT_EXPIRED, -2 },
        { -9, 0, X509_V_ERR_CERT_HAS_EXPIRED, "mail.test", CERT_EXPIRED, -1 },
        { 2, 90, X509_V_ERR_CERT_NOT_YET_VALID, "mail.test", CERT_NOT_YET, 89 },
        { -1, 90, X509_V_ERR_HOSTNAME_MISMATCH, "other.test", CERT_WRONG_NAME, 89 },
        { -1, 90, X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, "mail.test", CERT_UNTRUSTED, 89 },
};

static void test_certificates(void **state)
{
        int64_t now = time(NULL);

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(CERTS); i++) {
                const struct cert_case *c = &CERTS[i];
                struct cert_facts f = { .address = "here:25" };
                SSL_CTX *context = cert_context("mail.test", c->from, c->to, NULL);
                /* half an hour later: whole days are never a matter of one second */
                cert_judge(SSL_CTX_get0_certificate(context), c->verdict, c->name, now + 1800, 14,
                           &f);
                if (f.reason != c->reason || f.days_left != c->days)
                        fail_msg("row %zu: %s, %d days: %s", i, CERT_REASONS[f.reason].name,
                                 f.days_left, f.message);
                assert_string_equal(f.subject, "mail.test");
                assert_int_equal(strncmp(f.message, "here:25: ", 9), 0);
                SSL_CTX_free(context);
        }
}

/* ---- the answer to SEARCH ---- */

static void test_search(void **state)
{
        uint32_t all[4];

        (void)state;
        assert_int_equal(imap_search("* SEARCH\n", all, 4), 0);
        assert_int_equal(imap_search("* 1 EXISTS\n* SEARCH 7 4294967295\n", all, 4), 2);
        assert_int_equal(all[0], 7);
        assert_true(all[1] == UINT32_MAX);
        assert_int_equal(imap_search("* SEARCH 1 2 3 4 5 6\n", all, 4), 4);
        assert_int_equal(imap_search("* SEARCH 1 0 3\n", all, 4), 1);
        assert_int_equal(imap_search("* SEARCH 99999999999999999999 3\n", all, 4), 0);
        assert_int_equal(imap_search("* SEARCH 1 x 3", all, 4), 1);
        assert_int_equal(imap_search("", all, 4), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_smtp_reasons),
                cmocka_unit_test(test_imap_reasons),
                cmocka_unit_test(test_every_reason_has_words),
                cmocka_unit_test(test_percentiles),
                cmocka_unit_test(test_ring),
                cmocka_unit_test(test_targets),
                cmocka_unit_test(test_certificates),
                cmocka_unit_test(test_search),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
