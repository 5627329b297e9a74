/* `hamond web` in front of the real daemon: what the double of the control socket promises to the
 * other tests is what the daemon does. */
#include "daemon_fixture.h"

#include "lib/json.h"
#include <arpa/inet.h>

static pid_t web;
static unsigned port;

static void pick_port(void)
{
        struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
        socklen_t len = sizeof sa;
        CLEANUP(closep) int fd = socket(AF_INET, SOCK_STREAM, 0);

        assert_true(fd >= 0 && bind(fd, (struct sockaddr *)&sa, sizeof sa) == 0 &&
                    getsockname(fd, (struct sockaddr *)&sa, &len) == 0);
        port = ntohs(sa.sin_port);
}

/* Its port, and alerts of its own. */
static char *web_conf(char *dst, size_t size)
{
        snprintf(dst, size,
                 "[web]\nlisten = 127.0.0.1:%u\n[alert]\ndir = %s/alerts.d\nstate = %s/alerts\n",
                 port, fx.tmp.path, fx.tmp.path);
        return dst;
}

static int web_setup(void **state)
{
        char more[256];

        if (setup(state) < 0)
                return -1;
        pick_port();
        configure((struct settings){ .more = web_conf(more, sizeof more) });
        return 0;
}

static int web_teardown(void **state)
{
        end_child(&web);
        return teardown(state);
}

static void web_start(void)
{
        const char *argv[] = { program("hamond"), "-c", fx.conf, "web", NULL };

        web = start(argv, NULL, at(&fx.tmp, "web.log"), 0);
}

/* The status of the answer, 0 = there is none; its body goes to fx.ran.out. */
static int get(const char *path)
{
        struct sockaddr_in sa = { .sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr = { htonl(INADDR_LOOPBACK) } };
        CLEANUP(closep) int fd = socket(AF_INET, SOCK_STREAM, 0);
        CLEANUP(buf_done) struct buf got = BUF(sizeof fx.ran.out);
        char chunk[4096];
        uint64_t status;
        ssize_t n;

        if (connect(fd, (struct sockaddr *)&sa, sizeof sa) < 0 ||
            dprintf(fd, "GET %s HTTP/1.0\r\n\r\n", path) < 0)
                return 0;
        while ((n = recv(fd, chunk, sizeof chunk, 0)) > 0)
                buf_add(&got, chunk, (size_t)n);
        char *body = got.len > 12 ? strstr(got.data, "\r\n\r\n") : NULL;
        if (!body)
                return 0;
        str_copy(fx.ran.out, sizeof fx.ran.out, body + 4);
        got.data[12] = '\0';
        assert_int_equal(parse_uint(got.data + 9, 100, 599, &status), 0);
        return (int)status;
}

static void test_follows_the_daemon(void **state)
{
        (void)state;
        start_fit();
        web_start();
        EVENTUALLY(get("/health") == 200 && get("/standby") == 200);
        assert_int_equal(get("/master"), 503);
        assert_int_equal(get("/health/galera"), 200);
        docker_say("die w1 1");
        EVENTUALLY(get("/health") == 503 && strstr(fx.ran.out, "\"reason\":\"container_exited\""));
        assert_int_equal(get("/standby"), 503);
        docker_say("start w1");
        EVENTUALLY(get("/health") == 200);
}

/* The same words as `hamon status --json`, and more. */
static void test_status(void **state)
{
        (void)state;
        start_fit();
        web_start();
        EVENTUALLY(get("/status.json") == 200);
        cJSON *o = cJSON_Parse(fx.ran.out);
        assert_string_equal(json_text(o, "node"), "n1");
        assert_true(json_true(o, "web.answers"));
        assert_true(cJSON_IsArray(json_at(o, "web.failovers")));
        assert_true(json_number(o, "web.age_ms", -1) >= 0);
        cJSON_Delete(o);
        assert_int_equal(get("/metrics"), 200);
        assert_non_null(strstr(fx.ran.out, "\nhamon_fit 1\n"));
        assert_non_null(strstr(fx.ran.out, "\nhamon_check_duration_seconds{check=\"galera\"} "));
}

/* What the daemon did is counted as it happens; a start of it is an event as any other. */
static void test_events(void **state)
{
        (void)state;
        start_fit();
        web_start();
        EVENTUALLY(get("/metrics") == 200 &&
                   strstr(fx.ran.out, "hamon_events_total{kind=\"vrrp\",level=\"info\"} 0\n") &&
                   strstr(fx.ran.out, "\nhamon_up 1\n"));
        hamon("notify", "BACKUP");
        assert_int_equal(fx.ran.code, 0);
        EVENTUALLY(get("/metrics") == 200 &&
                   strstr(fx.ran.out, "hamon_events_total{kind=\"vrrp\",level=\"info\"} 1\n"));
}

/* The daemon ends: what it said grows old, and then counts for nothing; a new one is heard. */
static void test_daemon_gone(void **state)
{
        char more[256];

        (void)state;
        configure((struct settings){ .check = "interval = 60ms\ntimeout = 1s\nstale = 2s\n",
                                     .more = web_conf(more, sizeof more) });
        start_fit();
        web_start();
        EVENTUALLY(get("/health") == 200);
        assert_int_equal(daemon_stop(), 0);
        EVENTUALLY(get("/health") == 503 && strstr(fx.ran.out, "\"reason\":\"hamon_silent\""));
        daemon_start();
        EVENTUALLY(get("/health") == 200);
        kill(web, SIGTERM);
        assert_int_equal(wait_end(&web), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_follows_the_daemon, web_setup, web_teardown),
                cmocka_unit_test_setup_teardown(test_status, web_setup, web_teardown),
                cmocka_unit_test_setup_teardown(test_events, web_setup, web_teardown),
                cmocka_unit_test_setup_teardown(test_daemon_gone, web_setup, web_teardown),
        };

        return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
