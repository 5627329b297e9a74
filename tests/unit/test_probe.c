/* Probes against doubles on loopback: those that work, hang, lie, hang up, and are not there. */
#include "tests/unit/probe_fixture.h"

#define EHLO                                           \
        {                                              \
                "EHLO", "250-mail\r\n250 STARTTLS\r\n" \
        }
#define GO                               \
        {                                \
                "STARTTLS", "220 go\r\n" \
        }
#define QUIT                          \
        {                             \
                "QUIT", "221 bye\r\n" \
        }
#define WEB(s)                                                           \
        {                                                                \
                "GET /", "HTTP/1.1 " s "\r\nContent-Length: 2\r\n\r\nok" \
        }

static const struct row {
        enum probe probe;
        struct double_script script;
        enum result result;
        enum reason reason;
        const char *text, *heard;
} ROWS[] = {
        { PROBE_SMTP,
          { .greeting = "220 mail\r\n", .answers = { EHLO, QUIT } },
          RES_PASS,
          REASON_OK,
          "answers",
          "EHLO hamon.local|QUIT|" },
        { PROBE_SMTP,
          { .greeting = NULL },
          RES_FAIL,
          REASON_PROBE_TIMEOUT,
          ": no greeting within 400 ms",
          "" }, /* a stopped daemon: the kernel accepts */
        { PROBE_SMTP,
          { .greeting = "220 mail\r\n" },
          RES_FAIL,
          REASON_PROBE_TIMEOUT,
          ": no answer to EHLO within",
          "EHLO hamon.local|" },
        { PROBE_SMTP,
          { .greeting = "220 mail" },
          RES_FAIL,
          REASON_PROBE_TIMEOUT,
          ": no greeting within",
          "" }, /* half a line */
        { PROBE_SMTP,
          { .greeting = "421 busy\r\n" },
          RES_FAIL,
          REASON_PROBE_BAD_ANSWER,
          " answers 421 busy",
          "" },
        { PROBE_SMTP,
          { .hang_up = true },
          RES_FAIL,
          REASON_PROBE_REFUSED,
          " hung up without a word",
          "" }, /* Docker's proxy, with nobody behind it */
        { PROBE_SMTP,
          { .greeting = "220 mail\r\n", .close_after = true },
          RES_FAIL,
          REASON_PROBE_BAD_ANSWER,
          " hung up before its answer to EHLO",
          NULL },
        { PROBE_SUBMISSION,
          { .starttls = true, .greeting = "220 mail\r\n", .answers = { EHLO, GO, QUIT } },
          RES_PASS,
          REASON_OK,
          "answers, with TLS",
          "EHLO hamon.local|STARTTLS|QUIT|" },
        { PROBE_SUBMISSION,
          { .greeting = "220 mail\r\n", .answers = { { "EHLO", "250 mail\r\n" } } },
          RES_FAIL,
          REASON_PROBE_BAD_ANSWER,
          "does not offer STARTTLS",
          NULL },
        { PROBE_SUBMISSION,
          { .greeting = "220 mail\r\n", .answers = { EHLO, GO } },
          RES_FAIL,
          REASON_PROBE_TIMEOUT,
          ": no TLS connection within",
          NULL }, /* says so and does not */
        { PROBE_SUBMISSION,
          { .greeting = "220 mail\r\n",
            .answers = { EHLO, { "STARTTLS", "220 go\r\nthis is no TLS, is it\r\n" } } },
          RES_FAIL,
          REASON_PROBE_BAD_ANSWER,
          ": no TLS: ",
          NULL },
        { PROBE_SMTPS,
          { .tls = true, .greeting = "220 mail\r\n", .answers = { EHLO, QUIT } },
          RES_PASS,
          REASON_OK,
          "answers",
          "EHLO hamon.local|QUIT|" },
        { PROBE_IMAP,
          { .greeting = "* OK hello\r\n" },
          RES_PASS,
          REASON_OK,
          "answers",
          "a LOGOUT|" },
        { PROBE_IMAPS,
          { .tls = true, .greeting = "* OK hello\r\n" },
          RES_PASS,
          REASON_OK,
          "answers",
          "a LOGOUT|" },
        { PROBE_IMAPS,
          { .tls = true },
          RES_FAIL,
          REASON_PROBE_TIMEOUT,
          ": no greeting within",
          "" },
        { PROBE_IMAPS,
          { .greeting = NULL },
          RES_FAIL,
          REASON_PROBE_TIMEOUT,
          ": no TLS connection within",
          NULL },
        { PROBE_IMAPS,
          { .greeting = "* OK in the clear\r\n" },
          RES_FAIL,
          REASON_PROBE_BAD_ANSWER,
          ": no TLS: ",
          NULL },
        { PROBE_IMAPS,
          { .hang_up = true },
          RES_FAIL,
          REASON_PROBE_REFUSED,
          " hung up without a word",
          NULL },
        { PROBE_IMAPS,
          { .tls = true, .greeting = "* BYE busy\r\n" },
          RES_FAIL,
          REASON_PROBE_BAD_ANSWER,
          " answers * BYE busy",
          NULL },
        { PROBE_SIEVE,
          { .greeting = "\"IMPLEMENTATION\" \"x\"\r\nOK\r\n" },
          RES_PASS,
          REASON_OK,
          "answers",
          "LOGOUT|" },
        { PROBE_HTTPS,
          { .tls = true, .answers = { WEB("200 OK") } },
          RES_PASS,
          REASON_OK,
          "answers",
          "GET / HTTP/1.0|Host: mail.test|User-Agent: hamon||" },
        { PROBE_HTTPS,
          { .tls = true, .answers = { WEB("502 Bad Gateway") } },
          RES_FAIL,
          REASON_PROBE_BAD_ANSWER,
          " answers HTTP/1.1 502 Bad Gateway",
          NULL },
        { PROBE_HTTPS,
          { .tls = true },
          RES_FAIL,
          REASON_PROBE_TIMEOUT,
          ": no answer within",
          NULL },
        { PROBE_REDIS,
          { .answers = { { "PING", "+PONG\r\n" } } },
          RES_PASS,
          REASON_OK,
          "answers",
          "*1|$4|PING|" },
        { PROBE_REDIS,
          { .answers = { { "PING", "-LOADING x\r\n" } } },
          RES_FAIL,
          REASON_PROBE_BAD_ANSWER,
          " answers -LOADING x",
          NULL },
};

static void test_rows(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
                const struct row *r = &ROWS[i];
                double_start(&fx.server, &fx.loop, &r->script);
                struct probes_config c = config_of(r->probe, "127.0.0.1", fx.server.port);
                begin_with(&c);
                ask();
                assert_int_equal(fx.last.probe, r->probe);
                assert_told(r->result, r->reason, r->text);
                if (r->reason == REASON_PROBE_TIMEOUT)
                        assert_true(fx.last.took >= TIMEOUT - 50);
                if (r->heard) /* what is said for goodbye may still be on its way */
                        WAIT(strcmp(fx.server.heard, r->heard) == 0);
                double_stop(&fx.server);
        }
}

static void test_nobody(void **state)
{
        (void)state;
        double_start(&fx.server, &fx.loop, &(struct double_script){ .greeting = "" });
        unsigned port = fx.server.port;
        double_stop(&fx.server);
        static const enum probe PROBE[] = { PROBE_SMTP, PROBE_IMAPS };
        for (size_t i = 0; i < ARRAY_SIZE(PROBE); i++) {
                struct probes_config c = config_of(PROBE[i], "127.0.0.1", port);
                begin_with(&c);
                ask();
                assert_told(RES_FAIL, REASON_PROBE_REFUSED, "Connection refused");
        }
        struct probes_config c = config_of(PROBE_SMTP, "255.255.255.255", 25); /* no route */
        begin_with(&c);
        ask();
        assert_told(RES_FAIL, REASON_PROBE_REFUSED, "");
}

/* A megabyte without a line end is not read for ever. */
static void test_endless_line(void **state)
{
        static char big[64 * 1024];

        (void)state;
        memset(big, 'x', sizeof big - 1);
        double_start(&fx.server, &fx.loop, &(struct double_script){ .greeting = big });
        struct probes_config c = config_of(PROBE_SMTP, "127.0.0.1", fx.server.port);
        begin_with(&c);
        ask();
        assert_told(RES_FAIL, REASON_PROBE_BAD_ANSWER, "answers without end");
}

static void test_redis_password(void **state)
{
        (void)state;
        double_start(&fx.server, &fx.loop,
                     &(struct double_script){
                             .answers = { { "secret", "+OK\r\n" }, { "PING", "+PONG\r\n" } } });
        struct probes_config c = config_of(PROBE_REDIS, "127.0.0.1", fx.server.port);
        c.redis_password = "secret";
        begin_with(&c);
        ask();
        assert_told(RES_PASS, REASON_OK, "answers");
        assert_string_equal(fx.server.heard, "*2|$4|AUTH|$6|secret|*1|$4|PING|");
}

/* Many rounds, also while the last one still says goodbye, and while a server stops answering. */
static void test_again_and_again(void **state)
{
        (void)state;
        double_start(&fx.server, &fx.loop,
                     &(struct double_script){ .tls = true, .greeting = "* OK hello\r\n" });
        struct probes_config c = config_of(PROBE_IMAPS, "127.0.0.1", fx.server.port);
        begin_with(&c);
        for (int i = 0; i < 50; i++) {
                ask();
                assert_told(RES_PASS, REASON_OK, "answers");
        }
        assert_int_equal(fx.server.accepted, 50);
        fx.server.script.greeting = NULL;
        ask();
        assert_told(RES_FAIL, REASON_PROBE_TIMEOUT, "no greeting");
        fx.server.script.greeting = "* OK hello\r\n";
        ask();
        assert_told(RES_PASS, REASON_OK, "answers");

        fx.free_in_callback = true;
        ask();
        assert_null(fx.probes);
        begin_with(&c);
        fx.free_in_callback = false;
        probes_run(fx.probes);
        turn();
        probes_free(take_ptr(fx.probes)); /* in the middle of a handshake */
        for (int i = 0; i < 5; i++)
                turn();
}

static void test_configs(void **state)
{
        static const struct {
                const char *address;
                unsigned port;
                int result;
        } BAD[] = {
                { "localhost", 25, -EINVAL }, { "", 25, -EINVAL },
                { "127.0.0.1", 0, -EINVAL },  { "::1", 65536, -EINVAL },
                { "127.0.0.1", 65535, 0 },    { "::1", 1, 0 },
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(BAD); i++) {
                struct probes_config c = config_of(PROBE_SMTP, BAD[i].address, BAD[i].port);
                struct probes *p = NULL;
                assert_int_equal(probes_new(&fx.loop, &c, on_answer, &fx, &p), BAD[i].result);
                probes_free(p);
        }
        struct probes_config none = config_of(PROBE_SMTP, "127.0.0.1", 25);
        none.targets[PROBE_SMTP].on = false;
        begin_with(&none);
        probes_run(fx.probes);
        for (enum probe i = 0; i < PROBE_COUNT_; i++)
                assert_false(probes_busy(fx.probes, i));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                PROBE_TEST(test_rows),
                PROBE_TEST(test_nobody),
                PROBE_TEST(test_endless_line),
                PROBE_TEST(test_redis_password),
                PROBE_TEST(test_again_and_again),
                PROBE_TEST(test_configs),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
