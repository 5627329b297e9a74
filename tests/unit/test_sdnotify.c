/* The notify protocol against a real datagram socket, by path and abstract. */
#include "lib/sdnotify.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static int listen_on(const char *name)
{
        struct sockaddr_un a = { .sun_family = AF_UNIX };
        size_t len = strlen(name);
        int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        assert_true(len < sizeof a.sun_path);
        memcpy(a.sun_path, name, len);
        if (name[0] == '@')
                a.sun_path[0] = '\0';
        assert_int_equal(bind(fd, (struct sockaddr *)&a,
                              (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)),
                         0);
        return fd;
}

static void assert_received(int fd, const char *text)
{
        char got[128] = "";
        ssize_t n = recv(fd, got, sizeof got - 1, MSG_DONTWAIT);

        assert_int_equal(n, (ssize_t)strlen(text));
        assert_string_equal(got, text);
}

static void test_send(void **state)
{
        char dir[] = "/tmp/test_sdnotify.XXXXXX", path[64], abstract[64];

        (void)state;
        assert_non_null(mkdtemp(dir));
        snprintf(path, sizeof path, "%s/notify", dir);
        snprintf(abstract, sizeof abstract, "@mailcow-ha-test-%ld", (long)getpid());
        const char *const names[] = { path, abstract };

        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
                CLEANUP(closep) int fd = listen_on(names[i]);
                setenv("NOTIFY_SOCKET", names[i], 1);
                assert_int_equal(sd_notify_send("READY=1"), 1);
                assert_int_equal(sd_notify_send("STOPPING=1\nSTATUS=bye"), 1);
                assert_received(fd, "READY=1");
                assert_received(fd, "STOPPING=1\nSTATUS=bye");
                assert_int_equal(recv(fd, dir, 1, MSG_DONTWAIT), -1);
        }
        assert_int_equal(sd_notify_send("READY=1"), -ECONNREFUSED); /* the supervisor is gone */
        unlink(path);
        rmdir(dir);
}

/* A supervisor that does not read must not stop us. */
static void test_full(void **state)
{
        char name[64];
        int r = 1;

        (void)state;
        snprintf(name, sizeof name, "@mailcow-ha-full-%ld", (long)getpid());
        CLEANUP(closep) int fd = listen_on(name);
        assert_true(fd >= 0);
        setenv("NOTIFY_SOCKET", name, 1);
        for (int i = 0; i < 100000 && r == 1; i++)
                r = sd_notify_send("WATCHDOG=1");
        assert_int_equal(r, -EAGAIN);
}

static void test_addresses(void **state)
{
        char too_long[200];
        const struct {
                const char *name;
                int result;
        } rows[] = {
                { NULL, 0 },
                { "", 0 },
                { "/nonexistent/notify", -ENOENT },
                { "@", -EAFNOSUPPORT },
                { "relative", -EAFNOSUPPORT },
                { "vsock:2:1234", -EAFNOSUPPORT },
                { too_long, -ENAMETOOLONG },
        };

        (void)state;
        memset(too_long, 'x', sizeof too_long - 1);
        too_long[0] = '/';
        too_long[sizeof too_long - 1] = '\0';
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                unsetenv("NOTIFY_SOCKET");
                if (rows[i].name)
                        setenv("NOTIFY_SOCKET", rows[i].name, 1);
                assert_int_equal(sd_notify_send("READY=1"), rows[i].result);
        }
}

static void test_watchdog(void **state)
{
        char self[16], other[16];
        const struct {
                const char *usec, *pid;
                msec_t interval;
        } rows[] = {
                { NULL, NULL, 0 },          { "10000000", NULL, 5000 },
                { "10000000", self, 5000 }, { "10000000", other, 0 },
                { "10000000", "x", 0 },     { "10000000", "", 0 },
                { "0", self, 0 },           { "", self, 0 },
                { "x", self, 0 },           { "-1", self, 0 },
                { "3000", self, 1 },        { "1", self, 1 },
        };

        (void)state;
        snprintf(self, sizeof self, "%ld", (long)getpid());
        snprintf(other, sizeof other, "%ld", (long)getppid());
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                unsetenv("WATCHDOG_USEC");
                unsetenv("WATCHDOG_PID");
                if (rows[i].usec)
                        setenv("WATCHDOG_USEC", rows[i].usec, 1);
                if (rows[i].pid)
                        setenv("WATCHDOG_PID", rows[i].pid, 1);
                assert_int_equal(sd_watchdog_interval(), rows[i].interval);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_send),
                cmocka_unit_test(test_full),
                cmocka_unit_test(test_addresses),
                cmocka_unit_test(test_watchdog),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
