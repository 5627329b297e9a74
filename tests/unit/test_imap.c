/* IMAP sessions with doubles on loopback: logins, answers with literals, refusals, nonsense, hangs.
 */
#include "lib/imap.h"
#include "tests/unit/cert_fixture.h"
#include "tests/unit/probe_double.h"

enum { TIMEOUT = 20000, HANG = 600 };

static struct fixture {
        struct loop loop;
        struct timer tick;
        struct double_server server;
        SSL_CTX *good;
        struct imap *imap;
        unsigned answers;
        int error;
        char text[512], data[2048];
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

static void on_answer(void *arg, const struct imap_answer *a)
{
        assert_ptr_equal(arg, &fx);
        fx.answers++;
        fx.error = a->error;
        str_copy(fx.text, sizeof fx.text, a->message);
        str_copy(fx.data, sizeof fx.data, a->data);
        assert_int_equal(strlen(a->data), a->len);
}

static void open_session(const struct double_script *script, enum talk_tls tls, msec_t timeout)
{
        CLEANUP(buf_done) struct buf why = BUF(512);
        struct double_script s = *script;

        s.tls = tls == TALK_TLS;
        s.starttls = tls == TALK_STARTTLS;
        s.context = fx.good;
        double_start(&fx.server, &fx.loop, &s);
        const struct mail_server server = { .host = "127.0.0.1",
                                            .port = fx.server.port,
                                            .tls = tls,
                                            .user = "user",
                                            .password = "p\xc3\xa4ss",
                                            .timeout = timeout };
        assert_int_equal(imap_open(&fx.loop, &server, on_answer, &fx, &why, &fx.imap), 0);
        WAIT(fx.answers == 1);
}

static void close_session(void)
{
        imap_free(take_ptr(fx.imap));
        double_stop(&fx.server);
        fx.answers = 0;
}

static void assert_told(int error, const char *text)
{
        if (fx.error != error || !strstr(fx.text, text))
                fail_msg("%d \"%s\", not %d \"%s\"", fx.error, fx.text, error, text);
}

#define GREET .greeting = "* OK hello\r\n"
#define LOGIN                                                        \
        { "a1 AUTHENTICATE", "+ \r\n" },                             \
        {                                                            \
                "AHVzZXIAcMOkc3M=", "* CAPABILITY X\r\na1 OK in\r\n" \
        }

static const struct row {
        enum talk_tls tls;
        struct double_script script;
        int error;
        const char *text, *heard;
        msec_t timeout;
} LOGINS[] = {
        { TALK_TLS,
          { GREET, .answers = { LOGIN } },
          0,
          "answered",
          "a1 AUTHENTICATE PLAIN|AHVzZXIAcMOkc3M=|",
          0 },
        { TALK_STARTTLS,
          { GREET, .answers = { { "a1 STARTTLS", "a1 OK go\r\n" },
                                { "a2 AUTHENTICATE", "+\r\n" },
                                { "AHVzZXIAcMOkc3M=", "a2 OK in\r\n" } } },
          0,
          "answered",
          "a1 STARTTLS|a2 AUTHENTICATE PLAIN|",
          0 },
        { TALK_STARTTLS,
          { GREET, .answers = { { "a1 STARTTLS", "a1 NO never\r\n" } } },
          -EPERM,
          ": answer to STARTTLS: a1 NO never",
          "a1 STARTTLS|",
          0 }, /* and no password was said */
        { TALK_TLS,
          { GREET,
            .answers = { { "a1", "+ \r\n" },
                         { "AHVz", "a1 NO [AUTHENTICATIONFAILED] Authentication failed.\r\n" } } },
          -EACCES,
          ": answer to the login: a1 NO [AUTHENTICATIONFAILED] Authentication failed.",
          NULL,
          0 },
        { TALK_TLS,
          { GREET, .answers = { { "a1", "a1 NO [UNAVAILABLE] later\r\n" } } },
          -EAGAIN,
          ": answer to the login: a1 NO [UNAVAILABLE] later",
          NULL,
          0 },
        { TALK_TLS,
          { .greeting = "* BYE too busy\r\n" },
          -EAGAIN,
          ": greeting: * BYE too busy",
          NULL,
          0 },
        { TALK_TLS, { .greeting = "220 mail\r\n" }, -EPROTO, ": greeting: 220 mail", "", 0 },
        { TALK_TLS,
          { GREET, .answers = { { "a1", "a1 BAD \x1b[2J\r\n" } } },
          -EPROTO,
          ": answer to the login: a1 BAD ?[2J",
          NULL,
          0 },
        { TALK_TLS,
          { GREET, .answers = { { "a1", "+ \r\n" }, { "AHVz", "+ again?\r\n" } } },
          -EPROTO, /* it has been told once */
          ": answer to the login: + again?",
          NULL,
          0 },
        { TALK_TLS, { .greeting = NULL }, -ETIMEDOUT, ": no greeting in time", "", HANG },
        { TALK_TLS, { GREET }, -ETIMEDOUT, ": no answer to the login in time", NULL, HANG },
};

static void test_logins(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(LOGINS); i++) {
                const struct row *r = &LOGINS[i];
                open_session(&r->script, r->tls, r->timeout ? r->timeout : TIMEOUT);
                assert_told(r->error, r->text);
                assert_null(strstr(fx.text, "AHVz"));
                if (r->heard)
                        WAIT(strncmp(fx.server.heard, r->heard, strlen(r->heard)) == 0);
                close_session();
        }
}

static void ask(const char *text, const char *literal)
{
        unsigned before = fx.answers;
        const struct imap_command c = { .text = text,
                                        .awaits = "answer to it",
                                        .literal = literal };

        assert_int_equal(imap_do(fx.imap, &c, on_answer, &fx), 0);
        assert_int_equal(imap_do(fx.imap, &c, on_answer, &fx), -EBUSY);
        WAIT(fx.answers > before);
}

static void test_commands(void **state)
{
        const struct double_script script = {
                GREET, .answers = { LOGIN,
                                    { "a2 SEARCH", "* SEARCH 4 7\r\n* 1 RECENT\r\na2 OK done\r\n" },
                                    { "a3 FETCH",
                                      "* 4 FETCH (BODY[] {14}\r\na3 OK no\r\n\r\nx)\r\na3 OK\r\n" },
                                    { "a4 APPEND", "+ go on\r\n" },
                                    { "note", "a4 NO [OVERQUOTA] Quota exceeded\r\n" },
                                    { "a5 STORE", "a5 NO no such mail\r\n" },
                                    { "a6 BIG", "* FETCH {999999999}\r\n" } }
        };

        (void)state;
        open_session(&script, TALK_TLS, TIMEOUT);
        assert_told(0, "answered");
        ask("SEARCH X", NULL);
        assert_told(0, "answered");
        assert_string_equal(fx.data, "* SEARCH 4 7\n* 1 RECENT\n");
        ask("FETCH 4", NULL); /* a line of the mail looks like the answer's end */
        assert_told(0, "answered");
        assert_string_equal(fx.data, "* 4 FETCH (BODY[] {14}\na3 OK no\r\n\r\nx)\n");
        ask("APPEND INBOX {4}", "note");
        assert_told(-ENOSPC, ": answer to it: a4 NO [OVERQUOTA] Quota exceeded");
        ask("STORE", NULL); /* a refusal is not the end */
        assert_told(-EPERM, ": answer to it: a5 NO no such mail");
        ask("BIG", NULL);
        assert_told(-EFBIG, "it has no end");
        const struct imap_command c = { .text = "NOOP", .awaits = "answer" };
        assert_int_equal(imap_do(fx.imap, &c, on_answer, &fx), -ENOTCONN);
        close_session();
}

static void test_leave(void **state)
{
        const struct double_script script = { GREET, .answers = { LOGIN } };

        (void)state;
        open_session(&script, TALK_TLS, TIMEOUT);
        const struct imap_command evil = { .text = "NOOP\r\na9 DELETE INBOX", .awaits = "answer" };
        assert_int_equal(imap_do(fx.imap, &evil, on_answer, &fx), -EINVAL);
        assert_true(imap_leave(fx.imap, on_answer, &fx));
        WAIT(strstr(fx.server.heard, "|a2 LOGOUT|"));
        WAIT(fx.answers == 2); /* it hangs up by itself, though nobody says goodbye */
        assert_int_equal(fx.error, 0);
        assert_false(imap_leave(fx.imap, on_answer, &fx));
}

static void test_refusals(void **state)
{
        CLEANUP(buf_done) struct buf why = BUF(512);
        struct mail_server s = { .host = "127.0.0.1", .port = 143, .user = "u", .password = "p" };

        (void)state;
        assert_int_equal(imap_open(&fx.loop, &s, on_answer, &fx, &why, &fx.imap), -EINVAL);
        assert_string_equal(buf_str(&why), "IMAP wants a user, a password and TLS");
        s.tls = TALK_TLS;
        s.user = "";
        assert_int_equal(imap_open(&fx.loop, &s, on_answer, &fx, &why, &fx.imap), -EINVAL);
        assert_null(fx.imap);
}

static int set_up(void **state)
{
        (void)state;
        signal(SIGPIPE, SIG_IGN);
        fx = (struct fixture){ .answers = 0 };
        if (loop_init(&fx.loop) < 0 || timer_init(&fx.tick, &fx.loop, on_tick, NULL) < 0)
                return -1;
        fx.good = cert_context("mail.test", -1, 30, NULL);
        return 0;
}

static int tear_down(void **state)
{
        (void)state;
        imap_free(take_ptr(fx.imap));
        if (fx.server.loop)
                double_stop(&fx.server);
        turn(); /* libevent frees the connections in it */
        timer_done(&fx.tick);
        loop_done(&fx.loop);
        SSL_CTX_free(fx.good);
        return 0;
}

#define IMAP_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
                IMAP_TEST(test_logins),
                IMAP_TEST(test_commands),
                IMAP_TEST(test_leave),
                IMAP_TEST(test_refusals),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
