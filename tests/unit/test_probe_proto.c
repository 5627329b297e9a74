/* The dialogs of the probes, without a socket: what the server says (S), what the probe says, how
 * it ends. */
#include "hamon/probe_proto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* Say each line of `server` (with \n between them) and gather what the probe says, with '|' for
 * each line end, then how it ended: pass, fail or more. */
static const char *hold(enum probe_kind kind, const char *password, const char *server)
{
        static char out[2048];
        CLEANUP(buf_done) struct buf say = BUF(1024), why = BUF(256);
        static const char *const ENDS[] = { [PROTO_MORE] = "more",
                                            [PROTO_TLS] = "tls",
                                            [PROTO_PASS] = "pass",
                                            [PROTO_FAIL] = "fail" };
        struct proto p = { .kind = kind, .host = "mail.test", .password = password };
        enum proto_next next = PROTO_MORE;
        char line[256];

        proto_begin(&p, &say);
        while (*server && next == PROTO_MORE) {
                size_t n = strcspn(server, "\n");
                assert_true(n < sizeof line);
                memcpy(line, server, n);
                line[n] = '\0';
                next = proto_line(&p, line, &say, &why);
                server += n + (server[n] == '\n');
        }
        if (next == PROTO_TLS)
                next = proto_secured(&p, &say);
        assert_true((next == PROTO_FAIL) == (why.len > 0));
        assert_true(next == PROTO_PASS || *proto_awaits(&p));
        size_t o = 0;
        for (const char *s = buf_str(&say); *s && o < sizeof out - 400; s++)
                if (*s == '\n')
                        out[o++] = '|';
                else if (*s != '\r')
                        out[o++] = *s;
        snprintf(out + o, sizeof out - o, "%s%s%s", ENDS[next], why.len > 0 ? ": " : "",
                 buf_str(&why));
        return out;
}

static const struct row {
        enum probe_kind kind;
        const char *server, *want;
} ROWS[] = {
        { KIND_SMTP, "", "more" },
        { KIND_SMTP, "220 mail ESMTP", "EHLO hamon.local|more" },
        { KIND_SMTP, "220-wait\n220 mail\n250-mail\n250 HELP", "EHLO hamon.local|QUIT|pass" },
        { KIND_SMTP, "220", "EHLO hamon.local|more" },
        { KIND_SMTP, "220 m\n250 m", "EHLO hamon.local|QUIT|pass" },
        { KIND_SMTP, "220-wait", "more" }, /* postscreen's teaser: its smtpd has not spoken */
        { KIND_SMTP, "421 too many", "fail: answers 421 too many" },
        { KIND_SMTP, "554 no", "fail: answers 554 no" },
        { KIND_SMTP, "", "more" },
        { KIND_SMTP, "220 m\n502 what", "EHLO hamon.local|fail: answers 502 what" },
        { KIND_SMTP, "SSH-2.0-OpenSSH", "fail: answers SSH-2.0-OpenSSH" },
        { KIND_SMTP, "\x1b[31m\xff", "fail: answers ?[31m?" },
        { KIND_SUBMISSION, "220 m\n250-m\n250-STARTTLS\n250 DSN\n220 go",
          "EHLO hamon.local|STARTTLS|QUIT|pass" },
        { KIND_SUBMISSION, "220 m\n250-m\n250 starttls", "EHLO hamon.local|STARTTLS|more" },
        { KIND_SUBMISSION, "220 m\n250-m\n250 DSN",
          "EHLO hamon.local|fail: does not offer STARTTLS" },
        { KIND_SUBMISSION, "220 m\n250-m\n250 STARTTLS\n454 TLS not available",
          "EHLO hamon.local|STARTTLS|fail: answers 454 TLS not available" },
        { KIND_IMAP, "* OK [CAPABILITY IMAP4rev1] ready.", "a LOGOUT|pass" },
        { KIND_IMAP, "* PREAUTH hello", "a LOGOUT|pass" },
        { KIND_IMAP, "* BYE busy", "fail: answers * BYE busy" },
        { KIND_IMAP, "\n", "fail: answers with an empty line" },
        { KIND_POP3, "+OK Dovecot ready.", "QUIT|pass" },
        { KIND_POP3, "-ERR [SYS/TEMP] busy", "fail: answers -ERR [SYS/TEMP] busy" },
        { KIND_POP3, "* OK this is imap", "fail: answers * OK this is imap" },
        { KIND_SIEVE, "\"IMPLEMENTATION\" \"Dovecot Pigeonhole\"\n\"SIEVE\" \"fileinto\"\nOK \"x\"",
          "LOGOUT|pass" },
        { KIND_SIEVE, "\"IMPLEMENTATION\" \"x\"\nok", "LOGOUT|pass" },
        { KIND_SIEVE, "OK", "fail: answers OK" }, /* without capabilities it is not sieve */
        { KIND_SIEVE, "\"IMPLEMENTATION\" \"x\"\nBYE \"busy\"", "fail: answers BYE \"busy\"" },
        { KIND_WEB, "HTTP/1.1 200 OK", "GET / HTTP/1.0|Host: mail.test|User-Agent: hamon||pass" },
        { KIND_WEB, "HTTP/1.0 302 Found",
          "GET / HTTP/1.0|Host: mail.test|User-Agent: hamon||pass" },
        { KIND_WEB, "HTTP/1.1 404", "GET / HTTP/1.0|Host: mail.test|User-Agent: hamon||pass" },
        { KIND_WEB, "HTTP/1.1 502 Bad Gateway",
          "GET / HTTP/1.0|Host: mail.test|User-Agent: hamon||fail: answers HTTP/1.1 502 Bad "
          "Gateway" },
        { KIND_WEB, "HTTP/1.1 20x",
          "GET / HTTP/1.0|Host: mail.test|User-Agent: hamon||fail: answers HTTP/1.1 20x" },
        { KIND_WEB, "HTTP/2 200",
          "GET / HTTP/1.0|Host: mail.test|User-Agent: hamon||fail: answers HTTP/2 200" },
        { KIND_RSPAMD, "HTTP/1.1 200 OK", "GET /ping HTTP/1.0|User-Agent: hamon||pass" },
        { KIND_RSPAMD, "HTTP/1.1 404 Not found",
          "GET /ping HTTP/1.0|User-Agent: hamon||fail: answers HTTP/1.1 404 Not found" },
        { KIND_REDIS, "+PONG", "*1|$4|PING|pass" },
        { KIND_REDIS, "-NOAUTH Authentication required.",
          "*1|$4|PING|fail: answers -NOAUTH Authentication required." },
        { KIND_REDIS, "-LOADING Redis is loading the dataset in memory",
          "*1|$4|PING|fail: answers -LOADING Redis is loading the dataset in memory" },
        { KIND_VOLUME, "hello", "fail: answers hello" },
};

static void test_dialogs(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++)
                assert_string_equal(hold(ROWS[i].kind, "", ROWS[i].server), ROWS[i].want);
}

static void test_redis_password(void **state)
{
        (void)state;
        assert_string_equal(hold(KIND_REDIS, "p w", "+OK\n+PONG"),
                            "*2|$4|AUTH|$3|p w|*1|$4|PING|pass");
        assert_string_equal(hold(KIND_REDIS, "p", "-ERR no password is set\n+PONG"),
                            "*2|$4|AUTH|$1|p|*1|$4|PING|pass");
        assert_string_equal(hold(KIND_REDIS, "p", "-WRONGPASS x\n-NOAUTH y"),
                            "*2|$4|AUTH|$1|p|*1|$4|PING|fail: answers -NOAUTH y");
        assert_string_equal(hold(KIND_REDIS, "p", "220 mail"),
                            "*2|$4|AUTH|$1|p|*1|$4|PING|fail: answers 220 mail");
}

/* A server that never comes to an end is no better than one that says nothing. */
static void test_endless(void **state)
{
        CLEANUP(buf_done) struct buf say = BUF(1024), why = BUF(256);
        struct proto p = { .kind = KIND_SMTP, .host = "", .password = "" };
        enum proto_next next = PROTO_MORE;
        unsigned n = 0;

        (void)state;
        while (next == PROTO_MORE && n < 100000) {
                next = proto_line(&p, "220-and more", &say, &why);
                n++;
        }
        assert_int_equal(next, PROTO_FAIL);
        assert_int_equal(n, PROTO_LINES_MAX + 1);
        assert_string_equal(buf_str(&why), "answers without end");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_dialogs),
                cmocka_unit_test(test_redis_password),
                cmocka_unit_test(test_endless),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
