/* `hamon probe` as hooks call it: words, exit codes, waiting. The services are children that greet.
 */
#include "tests/unit/harness.h"

#include <arpa/inet.h>
#include <netinet/in.h>

static struct fixture {
        struct tmp tmp;
        unsigned smtp, imap;
        pid_t children[2];
        struct ran ran;
} fx;

static int listen_on(unsigned port, unsigned *ret_port)
{
        struct sockaddr_in in = { .sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr = { .s_addr = htonl(INADDR_LOOPBACK) } };
        socklen_t len = sizeof in;
        int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_true(fd >= 0);
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
        assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof in), 0);
        assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
        *ret_port = ntohs(in.sin_port);
        return fd;
}

/* A child that greets everybody, begun `after` ms from now. */
static pid_t greeter(int fd, const char *greeting, msec_t after)
{
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid > 0)
                return pid;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (msec_t end = clock_ms() + after; clock_ms() < end;)
                nap();
        if (listen(fd, 8) < 0)
                _exit(1);
        for (;;) {
                char line[256];
                int c = accept(fd, NULL, NULL);
                if (write(c, greeting, strlen(greeting)) > 0 && read(c, line, sizeof line) > 0 &&
                    strncmp(line, "EHLO", 4) == 0 && write(c, "250 ok\r\n", 8) == 8)
                        while (read(c, line, sizeof line) > 0)
                                ;
                close(c);
        }
}

static int set_up(void **unused)
{
        (void)unused;
        if (tmp_make(&fx.tmp) < 0)
                return -1;
        return 0;
}

static int tear_down(void **unused)
{
        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(fx.children); i++)
                end_child(&fx.children[i]);
        tmp_remove(&fx.tmp);
        return 0;
}

/* smtp answers after `after` ms, imap never does. */
static void begin(msec_t after)
{
        int smtp = listen_on(0, &fx.smtp), imap = listen_on(0, &fx.imap);

        fx.children[0] = greeter(smtp, "220 mail\r\n", after);
        close(smtp);
        close(imap);
        put_file(at(&fx.tmp, "conf"),
                 "[node]\nname = n1\n[probe]\nsmtp = %u\nimap = 127.0.0.1:%u\ntimeout = 500ms\n"
                 "disabled = submission smtps imaps sieve https redis rspamd\n",
                 fx.smtp, fx.imap);
}

static const struct ran *probe(const char *a, const char *b, const char *c, const char *d)
{
        char conf[160];

        str_copy(conf, sizeof conf, at(&fx.tmp, "conf"));
        RUN(&fx.tmp, &fx.ran, program("hamon"), "-c", conf, "probe", a, b, c, d);
        return &fx.ran;
}

static void has(const char *text, const char *part)
{
        if (!strstr(text, part))
                fail_msg("no \"%s\" in: %s", part, text);
}

static void test_words(void **state)
{
        static const struct {
                const char *a, *b;
                int code;
        } ROWS[] = {
                { "nntp", NULL, 64 },   { "--wait", NULL, 64 },  { "--wait", "-1", 64 },
                { "--wait", "5s", 64 }, { "--quiet", NULL, 64 }, { "sieve", NULL, 78 },
                { "volume", NULL, 78 },
        };

        (void)state;
        begin(0);
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++)
                assert_int_equal(probe(ROWS[i].a, ROWS[i].b, NULL, NULL)->code, ROWS[i].code);
        has(probe("sieve", NULL, NULL, NULL)->err, "the probe sieve is switched off");
        put_file(at(&fx.tmp, "conf"), "[probe]\nhost = x\n");
        assert_int_equal(probe(NULL, NULL, NULL, NULL)->code, 78);
}

static void test_once(void **state)
{
        const struct ran *r;

        (void)state;
        begin(0);
        r = probe("smtp", "--wait", "10", NULL);
        assert_int_equal(r->code, 0);
        has(r->out, "smtp        ok ");
        r = probe(NULL, NULL, NULL, NULL);
        assert_int_equal(r->code, 75);
        has(r->out, "smtp        ok ");
        has(r->out, "imap        FAIL ");
        has(r->out, ": Connection refused\n");
        r = probe("imap", "--json", NULL, NULL);
        assert_int_equal(r->code, 75);
        has(r->out, "{\"result\":\"temporary\",\"probes\":[{\"name\":\"imap\",\"pass\":false,"
                    "\"reason\":\"probe_refused\",\"message\":\"127.0.0.1:");
        has(r->out, "\"required\":true}]}\n");
        assert_null(strstr(r->out, "smtp"));
}

/* Ready when it answers, and not before; and not for ever. */
static void test_wait(void **state)
{
        (void)state;
        begin(700);
        msec_t began = clock_ms();
        assert_int_equal(probe("--wait", "9", "smtp", NULL)->code, 0);
        assert_true(clock_ms() - began >= 600);

        began = clock_ms();
        assert_int_equal(probe("--wait", "1", NULL, NULL)->code, 75);
        assert_true(clock_ms() - began >= 900);
        assert_true(clock_ms() - began < 8000);
        assert_int_equal(probe("--wait", "0", "imap", NULL)->code, 75);
}

/* With everything switched off there is nothing to wait for. */
static void test_nothing(void **state)
{
        (void)state;
        put_file(at(&fx.tmp, "conf"),
                 "[node]\nname = n1\n[probe]\ndisabled = smtp submission smtps imap imaps sieve "
                 "https redis rspamd\n");
        const struct ran *r = probe("--json", NULL, NULL, NULL);
        assert_int_equal(r->code, 0);
        assert_string_equal(r->out, "{\"result\":\"done\",\"probes\":[]}\n");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(test_words),
                TEST(test_once),
                TEST(test_wait),
                TEST(test_nothing),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
