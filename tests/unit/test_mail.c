/* Mail sent to doubles on loopback: servers that take it, refuse it, put it off, hang at each step,
 * hang up, and show certificates that are good and bad. */
#include "lib/mail.h"
#include "tests/unit/cert_fixture.h"
#include "tests/unit/probe_double.h"

enum { TIMEOUT = 20000, HANG = 400 };

static struct fixture {
        struct loop loop;
        struct timer tick;
        struct double_server server;
        struct tmp tmp;
        SSL_CTX *good, *expired;
        unsigned results;
        struct mail_result last;
        char text[512];
} fx;

static void on_tick(void *arg)
{
        (void)arg;
        loop_stop(&fx.loop);
}

static void turn(void)
{
        timer_set(&fx.tick, 2);
        assert_int_equal(loop_run(&fx.loop), 0);
}

#define WAIT(condition)                                                            \
        do {                                                                       \
                for (msec_t end_ = clock_ms() + 60000; !(condition); turn())       \
                        if (clock_ms() > end_)                                     \
                                fail_msg("in vain: %s (%s)", #condition, fx.text); \
        } while (0)

static void on_result(void *arg, const struct mail_result *r)
{
        assert_ptr_equal(arg, &fx);
        fx.results++;
        fx.last = *r;
        str_copy(fx.text, sizeof fx.text, r->message);
}

static const char *const ONE[] = { "you@b.test", NULL };
static const char *const TWO[] = { "you@b.test", "they@b.test", NULL };
static const char TEXT[] = "Subject: x\n\nline\n.dot\r\nend";
static const struct smtp_message MESSAGE = { "me@a.test", ONE, TEXT };

static struct mail_server server_of(enum talk_tls tls)
{
        return (struct mail_server){ .host = "127.0.0.1",
                                     .port = fx.server.port,
                                     .tls = tls,
                                     .helo = "n1.test",
                                     .timeout = TIMEOUT };
}

static void ask(const struct mail_server *s, const struct smtp_message *m)
{
        unsigned before = fx.results;
        struct mail *started;

        fx.text[0] = '\0';
        assert_int_equal(mail_send(&fx.loop, s, m, on_result, &fx, NULL, &started), 0);
        WAIT(fx.results > before);
}

static void assert_told(int error, int code, const char *text)
{
        if (fx.last.error != error || fx.last.code != code || !strstr(fx.text, text))
                fail_msg("%d %d \"%s\", not %d %d \"%s\"", fx.last.error, fx.last.code, fx.text,
                         error, code, text);
}

#define GREET .greeting = "220-a\r\n220 b\r\n"
#define PLAIN_EHLO                                     \
        {                                              \
                "EHLO", "250-mail\r\n250 8BITMIME\r\n" \
        }
#define STARTTLS                                                               \
        {                                                                      \
                "EHLO", "250-mail\r\n250-AUTH PLAIN LOGIN\r\n250 STARTTLS\r\n" \
        }
#define GO                               \
        {                                \
                "STARTTLS", "220 go\r\n" \
        }
#define FROM                         \
        {                            \
                "MAIL", "250 ok\r\n" \
        }
#define RCPT                         \
        {                            \
                "RCPT", "250 ok\r\n" \
        }
#define DATA                         \
        {                            \
                "DATA", "354 go\r\n" \
        }
#define DOT                           \
        { "..", "" },                 \
        {                             \
                ".", "250 queued\r\n" \
        }
#define QUIT                          \
        {                             \
                "QUIT", "221 bye\r\n" \
        }

static const struct row {
        struct double_script script;
        int error, code;
        const char *text, *heard;
        msec_t timeout;
} ROWS[] = {
        { { GREET, .answers = { PLAIN_EHLO, FROM, RCPT, DATA, DOT, QUIT } },
          0,
          250,
          " has taken it",
          "EHLO n1.test|MAIL FROM:<me@a.test> BODY=8BITMIME|RCPT TO:<you@b.test>|DATA|"
          "Subject: x||line|..dot|end|.|QUIT|",
          0 },
        { { GREET, .answers = { { "EHLO", "250 mail\r\n" }, FROM, RCPT, DATA, DOT } },
          0, /* it never says goodbye: the mail is sent all the same */
          250,
          " has taken it",
          "EHLO n1.test|MAIL FROM:<me@a.test>|RCPT TO:<you@b.test>|DATA|"
          "Subject: x||line|..dot|end|.|QUIT|",
          0 },
        { { .greeting = "554 go away\r\n" }, -EPERM, 554, " greeting: 554 go away", "QUIT|", 0 },
        { { .greeting = "hello\r\n" }, -EPROTO, 0, " greeting: hello", "QUIT|", 0 },
        { { .greeting = "220-\x1b[2J\r\n999 no\r\n" }, -EPROTO, 999, " greeting: 999 no", NULL, 0 },
        { { GREET, .answers = { { "EHLO", "421 shutting down\r\n" } } },
          -EAGAIN,
          421,
          " answer to EHLO: 421 shutting down",
          NULL,
          0 },
        { { GREET, .answers = { PLAIN_EHLO, { "MAIL", "452 4.3.1 Insufficient storage\r\n" } } },
          -EAGAIN,
          452,
          " answer to MAIL FROM: 452 4.3.1 Insufficient storage",
          NULL,
          0 },
        { { GREET, .answers = { PLAIN_EHLO, FROM, { "RCPT", "550 5.1.1 no\x07 such\r\n" } } },
          -EPERM,
          550,
          " answer to RCPT TO: 550 5.1.1 no? such",
          "EHLO n1.test|MAIL FROM:<me@a.test> BODY=8BITMIME|RCPT TO:<you@b.test>|QUIT|",
          0 },
        { { GREET, .answers = { PLAIN_EHLO, FROM, RCPT, { "DATA", "451 later\r\n" } } },
          -EAGAIN,
          451,
          " answer to DATA: 451 later",
          NULL,
          0 },
        { { GREET,
            .answers = { PLAIN_EHLO, FROM, RCPT, DATA, { "..", "" }, { ".", "554 spam\r\n" } } },
          -EPERM,
          554,
          " answer to the message: 554 spam",
          NULL,
          0 },
        { { .hang_up = true }, -ECONNRESET, 0, " hung up before its greeting", NULL, 0 },
        { { .greeting = NULL }, -ETIMEDOUT, 0, ": no greeting in time", "", HANG },
        { { GREET }, -ETIMEDOUT, 220, ": no answer to EHLO in time", NULL, HANG },
        { { GREET, .answers = { PLAIN_EHLO, FROM, RCPT, DATA, { "..", "" } } },
          -ETIMEDOUT, /* libcurl would hang in here, and the loop with it */
          354,
          ": no answer to the message in time",
          NULL,
          HANG },
};

static void test_rows(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
                const struct row *r = &ROWS[i];
                double_start(&fx.server, &fx.loop, &r->script);
                struct mail_server s = server_of(TALK_PLAIN);
                s.timeout = r->timeout ? r->timeout : TIMEOUT;
                ask(&s, &MESSAGE);
                assert_told(r->error, r->code, r->text);
                if (r->heard) /* what is said for goodbye may still be on its way */
                        WAIT(strcmp(fx.server.heard, r->heard) == 0);
                double_stop(&fx.server);
        }
}

static void test_some_recipients(void **state)
{
        const struct smtp_message two = { "me@a.test", TWO, TEXT };
        const struct double_script script = {
                GREET,
                .answers = { PLAIN_EHLO, FROM, { "RCPT TO:<you", "550 gone\r\n" }, RCPT, DATA, DOT }
        };

        (void)state;
        double_start(&fx.server, &fx.loop, &script);
        struct mail_server s = server_of(TALK_PLAIN);
        ask(&s, &two);
        assert_told(0, 250, " has taken it, but not for all: 550 gone");
        assert_int_equal(fx.last.refused, 1);
}

/* ---- TLS and logins ---- */

static const struct secure_row {
        enum talk_tls tls;
        bool expired, verify, trust;
        const char *host;
        struct double_script script;
        int error;
        const char *text, *heard;
} SECURE[] = {
        { TALK_STARTTLS,
          false,
          true,
          true,
          "mail.test",
          { GREET, .answers = { STARTTLS,
                                GO,
                                { "AUTH PLAIN AHVzZXIAcMOkc3M=", "235 in\r\n" },
                                FROM,
                                RCPT,
                                DATA,
                                DOT,
                                QUIT } },
          0,
          " has taken it",
          "EHLO n1.test|STARTTLS|EHLO n1.test|AUTH PLAIN AHVzZXIAcMOkc3M=|" },
        { TALK_TLS,
          false,
          true,
          true,
          "mail.test",
          { GREET, .answers = { { "EHLO", "250 AUTH=LOGIN\r\n" },
                                { "AUTH LOGIN", "334 VXNlcm5hbWU6\r\n" },
                                { "dXNlcg==", "334 UGFzc3dvcmQ6\r\n" },
                                { "cMOkc3M=", "235 in\r\n" },
                                FROM,
                                RCPT,
                                DATA,
                                DOT } },
          0,
          " has taken it",
          "EHLO n1.test|AUTH LOGIN|dXNlcg==|cMOkc3M=|MAIL" },
        { TALK_STARTTLS,
          false,
          false,
          false,
          "mail.test",
          { GREET, .answers = { STARTTLS, GO, { "AUTH", "535 5.7.8 no\r\n" } } },
          -EACCES,
          " answer to the login: 535 5.7.8 no",
          NULL },
        { TALK_TLS,
          false,
          false,
          false,
          "mail.test",
          { GREET, .answers = { { "EHLO", "250 AUTH GSSAPI XPLAIN\r\n" } } },
          -ENOTSUP,
          " does not offer a login with a password (AUTH PLAIN or LOGIN)",
          "EHLO n1.test|QUIT|" },
        { TALK_STARTTLS,
          false,
          false,
          false,
          "mail.test",
          { GREET, .answers = { PLAIN_EHLO } },
          -ENOTSUP,
          " does not offer STARTTLS",
          "EHLO n1.test|QUIT|" }, /* and no password was said */
        { TALK_STARTTLS,
          false,
          true,
          true,
          "mail.test",
          { GREET, .answers = { STARTTLS, { "STARTTLS", "220 go\r\n250 AUTH PLAIN\r\n" } } },
          -EPROTO,
          " says more than it was asked for before TLS",
          NULL },
        { TALK_TLS,
          false,
          true,
          false,
          "mail.test",
          { GREET },
          -EKEYREJECTED,
          ": its certificate: self-signed certificate",
          "" },
        { TALK_TLS,
          false,
          true,
          true,
          "other.test",
          { GREET },
          -EKEYREJECTED,
          ": its certificate: hostname mismatch",
          "" },
        { TALK_TLS,
          true,
          true,
          true,
          "mail.test",
          { GREET },
          -EKEYREJECTED,
          ": its certificate: certificate has expired",
          "" },
        { TALK_STARTTLS,
          false,
          true,
          true,
          "127.0.0.1",
          { GREET, .answers = { STARTTLS, GO, { "AUTH", "454 try later\r\n" } } },
          -EAGAIN,
          " answer to the login: 454 try later",
          NULL },
};

static void test_secure(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(SECURE); i++) {
                const struct secure_row *r = &SECURE[i];
                struct double_script script = r->script;
                script.tls = r->tls == TALK_TLS;
                script.starttls = r->tls == TALK_STARTTLS;
                script.context = r->expired ? fx.expired : fx.good;
                double_start(&fx.server, &fx.loop, &script);
                struct mail_server s = server_of(r->tls);
                s.host = r->host;
                s.address = "127.0.0.1";
                s.verify = r->verify;
                s.ca_file = r->trust ? at(&fx.tmp, r->expired ? "expired.pem" : "good.pem") : NULL;
                s.user = "user";
                s.password = "p\xc3\xa4ss";
                ask(&s, &MESSAGE);
                if (fx.last.error != r->error || !strstr(fx.text, r->text))
                        fail_msg("row %zu: %d \"%s\"", i, fx.last.error, fx.text);
                assert_null(strstr(fx.text, "AHVzZXIA"));
                if (r->heard)
                        WAIT(strncmp(fx.server.heard, r->heard, strlen(r->heard)) == 0);
                double_stop(&fx.server);
        }
}

static void test_no_tls_there(void **state)
{
        const struct double_script script = { GREET };

        (void)state;
        double_start(&fx.server, &fx.loop, &script);
        struct mail_server s = server_of(TALK_TLS);
        ask(&s, &MESSAGE);
        assert_told(-EPROTO, 0, ": no TLS: ");
}

static void test_hello_only(void **state)
{
        const struct double_script script = { GREET, .answers = { PLAIN_EHLO, QUIT } };

        (void)state;
        double_start(&fx.server, &fx.loop, &script);
        struct mail_server s = server_of(TALK_PLAIN);
        ask(&s, NULL);
        assert_told(0, 250, "taken");
        WAIT(strcmp(fx.server.heard, "EHLO n1.test|QUIT|") == 0);
}

/* ---- where it is sent to ---- */

static void test_nobody(void **state)
{
        const struct double_script script = { GREET };

        (void)state;
        double_start(&fx.server, &fx.loop, &script);
        struct mail_server s = server_of(TALK_PLAIN);
        evconnlistener_free(take_ptr(fx.server.listener));
        ask(&s, &MESSAGE);
        assert_told(-ECONNREFUSED, 0, "Connection refused");
        assert_false(fx.last.connected);
}

static void test_names(void **state)
{
        const struct double_script script = { GREET, .answers = { PLAIN_EHLO, QUIT } };

        (void)state;
        double_start(&fx.server, &fx.loop, &script);
        struct mail_server s = server_of(TALK_PLAIN);
        s.host = "localhost"; /* ::1 has no listener, if it is tried: the next address has */
        ask(&s, NULL);
        assert_told(0, 250, "localhost:");
        s.host = "no-such-name.invalid";
        s.timeout = 3000; /* a machine without a name server hears nothing */
        ask(&s, NULL);
        assert_true(fx.last.error == -EHOSTUNREACH || fx.last.error == -ETIMEDOUT);
        assert_non_null(strstr(fx.text, "no-such-name.invalid"));
}

static void test_cancel(void **state)
{
        struct mail_server s;
        struct mail *m;

        (void)state;
        const struct double_script script = { GREET };
        double_start(&fx.server, &fx.loop, &script);
        s = server_of(TALK_PLAIN);
        assert_int_equal(mail_send(&fx.loop, &s, &MESSAGE, on_result, &fx, NULL, &m), 0);
        mail_cancel(m); /* before anything */
        assert_int_equal(mail_send(&fx.loop, &s, &MESSAGE, on_result, &fx, NULL, &m), 0);
        WAIT(strstr(fx.server.heard, "EHLO"));
        mail_cancel(m); /* in the middle */
        s.host = "localhost";
        assert_int_equal(mail_send(&fx.loop, &s, &MESSAGE, on_result, &fx, NULL, &m), 0);
        mail_cancel(m); /* while its name is looked up */
        turn();
        assert_int_equal(fx.results, 0);
}

static const struct refusal {
        const char *from, *to, *user, *helo, *ca_file;
        unsigned port;
        int error;
        const char *text;
} REFUSALS[] = {
        { "me@a", "you@b\r\nRCPT TO:<x@y>", "", "n1", "", 25, -EINVAL, "no address to send to" },
        { "me@a> SIZE=1", "you@b", "", "n1", "", 25, -EINVAL, "no address to send from" },
        { "me@a", "you", "", "n1", "", 25, -EINVAL, "\"you\" is no address" },
        { "me@a", "you@b", "user", "n1", "", 25, -EINVAL, "password is not sent without TLS" },
        { "me@a", "you@b", "", "n1\r\nx", "", 25, -EINVAL, "no name to greet with" },
        { "me@a", "you@b", "", "n1", "", 0, -EINVAL, "port 0 is no server" },
};

static void test_refusals(void **state)
{
        struct mail *none;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(REFUSALS); i++) {
                const struct refusal *r = &REFUSALS[i];
                CLEANUP(buf_done) struct buf why = BUF(1024);
                const char *const to[] = { r->to, NULL };
                const struct smtp_message m = { r->from, to, TEXT };
                const struct mail_server s = { .host = "127.0.0.1",
                                               .port = r->port,
                                               .user = r->user,
                                               .password = "x",
                                               .helo = r->helo };
                assert_int_equal(mail_send(&fx.loop, &s, &m, on_result, &fx, &why, &none),
                                 r->error);
                if (!strstr(buf_str(&why), r->text))
                        fail_msg("row %zu: \"%s\"", i, buf_str(&why));
        }
        CLEANUP(buf_done) struct buf why = BUF(1024);
        const struct mail_server s = { .host = "127.0.0.1",
                                       .port = 25,
                                       .tls = TALK_TLS,
                                       .verify = true,
                                       .ca_file = "/no/such.pem" };
        assert_int_equal(mail_send(&fx.loop, &s, &MESSAGE, on_result, &fx, &why, &none), -ENOENT);
        assert_string_equal(buf_str(&why), "/no/such.pem: no certificates can be read from it");
}

static void test_endless(void **state)
{
        CLEANUP(freep) char *endless = malloc(TALK_LINE_MAX + 6000);

        (void)state;
        assert_non_null(endless);
        memset(endless, '2', TALK_LINE_MAX + 6000);
        endless[TALK_LINE_MAX + 5999] = '\0';
        const struct double_script script = { .greeting = endless };
        double_start(&fx.server, &fx.loop, &script);
        struct mail_server s = server_of(TALK_PLAIN);
        ask(&s, &MESSAGE);
        assert_told(-EPROTO, 0, " answers without end");
}

static int set_up(void **state)
{
        (void)state;
        signal(SIGPIPE, SIG_IGN);
        fx = (struct fixture){ .results = 0 };
        if (tmp_make(&fx.tmp) < 0 || loop_init(&fx.loop) < 0 ||
            timer_init(&fx.tick, &fx.loop, on_tick, NULL) < 0)
                return -1;
        fx.good = cert_context("mail.test", -1, 30, at(&fx.tmp, "good.pem"));
        fx.expired = cert_context("mail.test", -9, -1, at(&fx.tmp, "expired.pem"));
        return 0;
}

static int tear_down(void **state)
{
        (void)state;
        if (fx.server.loop)
                double_stop(&fx.server);
        turn(); /* libevent frees the connections in it */
        timer_done(&fx.tick);
        loop_done(&fx.loop);
        SSL_CTX_free(fx.good);
        SSL_CTX_free(fx.expired);
        tmp_remove(&fx.tmp);
        return 0;
}

#define MAIL_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
                MAIL_TEST(test_rows),       MAIL_TEST(test_some_recipients),
                MAIL_TEST(test_secure),     MAIL_TEST(test_no_tls_there),
                MAIL_TEST(test_hello_only), MAIL_TEST(test_nobody),
                MAIL_TEST(test_names),      MAIL_TEST(test_cancel),
                MAIL_TEST(test_refusals),   MAIL_TEST(test_endless),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
