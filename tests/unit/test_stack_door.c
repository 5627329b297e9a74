/* Closing the door: the rule's text, the count of sessions, and both against a real kernel, with a
 * client in a network namespace of its own at the other end of a veth pair. */
#include "harness.h"

#include "hamon/stack_door.h"

#include <arpa/inet.h>
#include <sched.h>

enum { PORT = 2525, OTHER = 2526, NFT_MS = 10000, QUICK = 700 };

static struct fixture {
        pid_t client; /* holds the namespace */
        int listeners[2];
} fx;

static const unsigned PORTS[] = { PORT, 465 };

/* ---- pure ---- */

static void test_script(void **state)
{
        CLEANUP(buf_done) struct buf out = BUF(4096);
        const unsigned twice[] = { 25, 465, 25 };

        (void)state;
        assert_int_equal(stack_door_script(twice, 3, 1500, &out), 0);
        assert_non_null(strstr(buf_str(&out), "timeout 2s; elements = { 25, 465 }\n"));
        assert_int_equal(stack_door_script(twice, 0, 1500, &out), -EINVAL);
}

static void test_count(void **state)
{
        static const char TEXT[] =
                "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt\n"
                "   0: 00000000:0019 00000000:0000 0A 00000000:00000000 00:00000000 0 0\n"
                "   1: 0100007F:0019 0200007F:D431 01 00000000:00000000 00:00000000 0 0\n"
                "   2: 0100007F:0019 0200007F:D432 08 00000000:00000000 00:00000000 0 0\n"
                "   3: 0100007F:0019 0200007F:D433 06 00000000:00000000 03:00000000 0 0\n"
                "   4: 0100007F:D433 0200007F:0019 01 00000000:00000000 00:00000000 0 0\n"
                "  10: 0000000000000000FFFF00000100007F:01D1 0000000000000000FFFF00000200007F:D434 "
                "01 00000000:00000000\n"
                "  11: 0100007F:008F 0200007F:D435 01 00000000:00000000\n"
                "garbage\n"
                "  12: 0100007F:0019 0200007F";
        const unsigned ports[] = { 25, 465 };

        (void)state;
        assert_int_equal(stack_door_count(TEXT, DOOR_SESSIONS, ports, 2), 3);
        assert_int_equal(stack_door_count(TEXT, DOOR_SESSIONS, ports, 1), 2);
        assert_int_equal(stack_door_count(TEXT, DOOR_LISTENERS, ports, 2), 1);
        assert_int_equal(stack_door_count("", DOOR_SESSIONS, ports, 2), 0);
}

static void test_no_process(void **state)
{
        (void)state;
        assert_int_equal(stack_door_look(0x7ffffffe, DOOR_SESSIONS, PORTS, 2), -ENOENT);
}

/* ---- with the kernel ---- */

static int ip(const char *a, const char *b, const char *c, const char *d, const char *e,
              const char *f, const char *g)
{
        const char *argv[] = { "/bin/sh", "-c", "exec ip \"$@\"", "-", a, b, c, d, e, f, g, NULL };
        pid_t pid = start(argv, NULL, NULL, 0);

        return wait_end(&pid);
}

static int listen_on(unsigned port)
{
        struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (fd < 0 || bind(fd, (struct sockaddr *)&in, sizeof in) < 0 || listen(fd, 64) < 0)
                return -1;
        return fd;
}

static int start_all(void **unused)
{
        char pid[24], client[128];

        (void)unused;
        if (unshare(CLONE_NEWNET) < 0)
                return -1;
        fx.client = fork();
        if (fx.client == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                if (unshare(CLONE_NEWNET) < 0)
                        _exit(1);
                for (;;)
                        pause();
        }
        snprintf(pid, sizeof pid, "%d", fx.client);
        snprintf(client, sizeof client,
                 "nsenter -t %s -n sh -c 'ip addr add 10.99.7.2/24 dev v1 && ip link set v1 up'",
                 pid);
        const char *inside[] = { "/bin/sh", "-c", client, NULL };
        char own[32] = "", other[32] = "", path[64];
        snprintf(path, sizeof path, "/proc/%s/ns/net", pid);
        do { /* until it has a namespace of its own */
                nap();
                if (readlink("/proc/self/ns/net", own, sizeof own - 1) < 0 ||
                    readlink(path, other, sizeof other - 1) < 0)
                        return -1;
        } while (strcmp(own, other) == 0);
        if (ip("link", "add", "v0", "type", "veth", "peer", "v1") != 0 ||
            ip("link", "set", "v1", "netns", pid, NULL, NULL) != 0 ||
            ip("addr", "add", "10.99.7.1/24", "dev", "v0", NULL, NULL) != 0 ||
            ip("link", "set", "v0", "up", NULL, NULL, NULL) != 0 ||
            ip("link", "set", "lo", "up", NULL, NULL, NULL) != 0)
                return -1;
        pid_t sh = start(inside, NULL, NULL, 0);
        if (wait_end(&sh) != 0)
                return -1;
        fx.listeners[0] = listen_on(PORT);
        fx.listeners[1] = listen_on(OTHER);
        return fx.listeners[0] < 0 || fx.listeners[1] < 0 ? -1 : 0;
}

static int stop_all(void **unused)
{
        (void)unused;
        end_child(&fx.client);
        return 0;
}

/* Connect from the client's namespace: 0, or an errno; ETIMEDOUT if nothing came for `ms`. The
 * socket stays where it was made, so it may be used here. */
static int dial(const char *address, unsigned port, msec_t ms, bool from_client, int *ret_fd)
{
        struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
        CLEANUP(closep) int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
        CLEANUP(closep) int there = -1, fd = -1;
        char path[64];
        int error = 0;
        socklen_t len = sizeof error;

        snprintf(path, sizeof path, "/proc/%d/ns/net", fx.client);
        there = open(path, O_RDONLY | O_CLOEXEC);
        assert_true(here >= 0 && there >= 0);
        if (from_client)
                assert_int_equal(setns(there, CLONE_NEWNET), 0);
        fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        assert_int_equal(setns(here, CLONE_NEWNET), 0);
        assert_int_equal(inet_pton(AF_INET, address, &in.sin_addr), 1);
        if (connect(fd, (struct sockaddr *)&in, sizeof in) < 0 && errno != EINPROGRESS)
                return errno;
        if (poll(&(struct pollfd){ .fd = fd, .events = POLLOUT }, 1, (int)ms) <= 0)
                return ETIMEDOUT;
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
        if (error == 0 && ret_fd)
                *ret_fd = take_fd(&fd);
        return error;
}

static int from_client(unsigned port, msec_t ms)
{
        return dial("10.99.7.1", port, ms, true, NULL);
}

static void close_door(msec_t hold)
{
        CLEANUP(buf_done) struct buf error = BUF(4096);

        if (stack_door_close(PORTS, 2, hold, NFT_MS, NULL, &error) < 0)
                fail_msg("%s", buf_str(&error));
}

static void open_door(void)
{
        CLEANUP(buf_done) struct buf error = BUF(4096);

        if (stack_door_open(NFT_MS, NULL, &error) < 0)
                fail_msg("%s", buf_str(&error));
}

static void test_door(void **state)
{
        CLEANUP(closep) int session = -1, server = -1;
        char text[8] = "";

        (void)state;
        open_door(); /* not closed: fine */
        assert_int_equal(stack_door_look(getpid(), DOOR_LISTENERS, PORTS, 2), 1);
        assert_int_equal(dial("10.99.7.1", PORT, 5000, true, &session), 0);
        server = accept4(fx.listeners[0], NULL, NULL, SOCK_CLOEXEC);
        assert_true(server >= 0);

        close_door(60000);
        close_door(60000);                                               /* again: no harm */
        assert_int_equal(from_client(PORT, QUICK), ETIMEDOUT);           /* not refused */
        assert_int_equal(from_client(OTHER, 5000), 0);                   /* other ports as ever */
        assert_int_equal(dial("127.0.0.1", PORT, 5000, false, NULL), 0); /* our own probes */
        assert_int_equal(write(session, "DATA", 4), 4);                  /* who is in may go on */
        assert_int_equal(read(server, text, sizeof text), 4);
        assert_true(stack_door_look(getpid(), DOOR_SESSIONS, PORTS, 2) >= 1);

        open_door();
        assert_int_equal(from_client(PORT, 5000), 0);
}

/* Nobody opens it: it opens by itself, and who has been waiting since is let in. */
static void test_by_itself(void **state)
{
        (void)state;
        close_door(2500);
        msec_t began = clock_ms();
        assert_int_equal(from_client(PORT, PATIENCE_MS), 0); /* by its second or third SYN */
        assert_true(clock_ms() - began >= 900);
        open_door();
}

static void test_count_of_sessions(void **state)
{
        CLEANUP(closep) int a = -1, b = -1, other = -1;

        (void)state;
        ssize_t before = stack_door_look(getpid(), DOOR_SESSIONS, PORTS, 2);
        assert_int_equal(dial("10.99.7.1", PORT, 5000, true, &a), 0);
        assert_int_equal(dial("10.99.7.1", PORT, 5000, true, &b), 0);
        assert_int_equal(dial("10.99.7.1", OTHER, 5000, true, &other), 0);
        EVENTUALLY(stack_door_look(getpid(), DOOR_SESSIONS, PORTS, 2) == before + 2);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_script),     cmocka_unit_test(test_count),
                cmocka_unit_test(test_no_process), cmocka_unit_test(test_door),
                cmocka_unit_test(test_by_itself),  cmocka_unit_test(test_count_of_sessions),
        };

        return cmocka_run_group_tests(tests, start_all, stop_all);
}
