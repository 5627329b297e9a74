/* The local provider in a network namespace of its own: what every provider owes, what the
 * neighbours hear of a new address, and the fence command with everything it may do. Needs root. */
#include "hamon/provider/local.h"
#include "hamon/provider/local_net.h"
#include "tests/unit/provider_fixture.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

#define IFACE "hatest0"
#define PEER  "hatest1"

static struct tmp dir;
static char device[64];
static bool able; /* root, and the kernel lets us */

static void provide(const char *fence)
{
        const struct local_config c = { .server = "n1",
                                        .interface = IFACE,
                                        .fence_command = fence,
                                        .poll = 5,
                                        .announce = 10 };

        if (px.p)
                px.p->ops->free(take_ptr(px.p));
        assert_int_equal(local_new(&px.loop, &c, &px.p), 0);
}

/* The interface and its only neighbour, the two ends of one cable. */
static bool make_network(void)
{
        static const char *const STEPS[][9] = {
                { "link", "add", IFACE, "type", "veth", "peer", "name", PEER },
                { "link", "set", IFACE, "addrgenmode", "none" },
                { "link", "set", PEER, "addrgenmode", "none" },
                { "link", "set", IFACE, "up" },
                { "link", "set", PEER, "up" },
        };
        static struct ran ran;

        for (size_t i = 0; i < ARRAY_SIZE(STEPS); i++) {
                const char *argv[11] = { "/sbin/ip" };
                memcpy(argv + 1, STEPS[i], sizeof STEPS[i]);
                run_as(&dir, 0, &ran, argv);
                if (ran.code != 0)
                        return false;
        }
        return true;
}

static int begin_group(void **unused)
{
        (void)unused;
        if (tmp_make(&dir) < 0)
                return -1;
        str_copy(device, sizeof device, at(&dir, "disk"));
        able = geteuid() == 0 && unshare(CLONE_NEWNET) == 0 && make_network() &&
               mknod(device, S_IFBLK | 0600, makedev(7, 0)) == 0; /* never opened */
        return 0;
}

static int end_group(void **unused)
{
        (void)unused;
        tmp_remove(&dir);
        return 0;
}

static int set_up(void **unused)
{
        (void)unused;
        if (px_set_up() != 0)
                return -1;
        provide(NULL);
        return 0;
}

static int tear_down(void **unused)
{
        (void)unused;
        px_tear_down();
        return 0;
}

#define NEEDS_ROOT()            \
        do {                    \
                if (!able)      \
                        skip(); \
        } while (0)

static void conformance(void **unused)
{
        static const char *const ADDRESSES[] = { "192.0.2.9", "192.0.2.9/24", "2001:db8::9",
                                                 "2001:db8::9/64" };

        (void)unused;
        NEEDS_ROOT();
        for (size_t a = 0; a < ARRAY_SIZE(ADDRESSES); a++)
                for (size_t i = 0; i < ARRAY_SIZE(CONFORMANCE); i++) {
                        const struct conformance w = { .volume = device,
                                                       .ip = ADDRESSES[a],
                                                       .server = "n1" };
                        memset(px.run, 0, sizeof px.run);
                        provide(NULL);
                        CONFORMANCE[i].run(&w);
                }
}

/* ---- what the neighbours hear ---- */

static int listen_on(const char *interface)
{
        const struct sockaddr_ll sa = { .sll_family = AF_PACKET,
                                        .sll_protocol = htons(ETH_P_ALL),
                                        .sll_ifindex = (int)if_nametoindex(interface) };
        int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, htons(ETH_P_ALL));

        assert_true(fd >= 0);
        assert_int_equal(bind(fd, (const struct sockaddr *)&sa, sizeof sa), 0);
        return fd;
}

static void mac_of(const char *interface, unsigned char mac[6])
{
        CLEANUP(closep) int fd = socket(AF_INET, SOCK_DGRAM, 0);
        struct ifreq ifr = { .ifr_ifindex = 0 };

        str_copy(ifr.ifr_name, sizeof ifr.ifr_name, interface);
        assert_int_equal(ioctl(fd, SIOCGIFHWADDR, &ifr), 0);
        memcpy(mac, ifr.ifr_hwaddr.sa_data, 6);
}

/* The frame as it must be on the wire: a broadcast request with sender = target = the address. */
static bool is_garp(const unsigned char *f, ssize_t n, const unsigned char *mac)
{
        static const unsigned char ALL[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
        static const unsigned char ADDRESS[4] = { 192, 0, 2, 9 };

        return n >= 42 && memcmp(f, ALL, 6) == 0 && memcmp(f + 6, mac, 6) == 0 &&
               memcmp(f + 12, "\x08\x06\x00\x01\x08\x00\x06\x04\x00\x01", 10) == 0 &&
               memcmp(f + 22, mac, 6) == 0 && memcmp(f + 28, ADDRESS, 4) == 0 &&
               memcmp(f + 38, ADDRESS, 4) == 0;
}

/* To all nodes, hop limit 255, from and about the address, with the override flag and our MAC. */
static bool is_na(const unsigned char *f, ssize_t n, const unsigned char *mac)
{
        unsigned char address[16];

        inet_pton(AF_INET6, "2001:db8::9", address);
        return n >= 86 && memcmp(f, "\x33\x33\x00\x00\x00\x01", 6) == 0 &&
               memcmp(f + 6, mac, 6) == 0 && f[12] == 0x86 && f[13] == 0xdd && f[20] == 58 &&
               f[21] == 255 && memcmp(f + 22, address, 16) == 0 && f[54] == 136 && f[58] == 0x20 &&
               memcmp(f + 62, address, 16) == 0 && f[78] == 2 && f[79] == 1 &&
               memcmp(f + 80, mac, 6) == 0;
}

static void announcements(void **unused)
{
        static const struct {
                const char *address;
                bool (*heard)(const unsigned char *f, ssize_t n, const unsigned char *mac);
        } ROWS[] = { { "192.0.2.9/24", is_garp }, { "2001:db8::9/64", is_na } };
        unsigned char mac[6], frame[256];

        (void)unused;
        NEEDS_ROOT();
        mac_of(IFACE, mac);
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
                CLEANUP(closep) int fd = listen_on(PEER);
                unsigned heard = 0;

                EXPECT(PROVIDER_DONE, ip_assign, .id = ROWS[i].address, .server = "n1");
                for (msec_t end = clock_ms() + PATIENCE_MS; heard < 5; px_turn()) {
                        ssize_t n;
                        while ((n = recv(fd, frame, sizeof frame, 0)) > 0)
                                heard += ROWS[i].heard(frame, n, mac);
                        if (clock_ms() > end)
                                fail_msg("%s: announced %u times", ROWS[i].address, heard);
                }
                EXPECT(PROVIDER_DONE, ip_unassign, .id = ROWS[i].address);
        }
}

/* ---- addresses and devices that are not there ---- */

static void absent_things(void **unused)
{
        struct provider *p = NULL;
        const struct local_config nowhere = { .server = "n1", .interface = "nowhere0" };

        (void)unused;
        NEEDS_ROOT();
        EXPECT(PROVIDER_FAILED, volume_get, .id = "/dev/no-such-disk");
        assert_int_equal(px.run[0].error, -ENOENT);
        EXPECT(PROVIDER_FAILED, volume_get, .id = "/dev/null"); /* no block device */
        EXPECT(PROVIDER_TEMPORARY, volume_attach, .id = "/dev/no-such-disk", .server = "n1",
               .deadline = 50);
        EXPECT(PROVIDER_FAILED, volume_attach, .id = device, .server = "n2");
        EXPECT(PROVIDER_ALREADY, volume_detach, .id = device, .server = "n1");
        EXPECT(PROVIDER_FAILED, volume_detach, .id = device, .server = "n2");
        assert_non_null(strstr(px.run[0].text, "fence it"));
        EXPECT(PROVIDER_ALREADY, volume_label, .id = device, .label = "x");
        EXPECT(PROVIDER_FAILED, ip_assign, .id = "192.0.2.9", .server = "n2");
        EXPECT(PROVIDER_FAILED, server_get, .server = "n2");

        /* a device that comes late */
        const char *late = at(&dir, "late");
        assert_int_equal(px_start(0, px.p->ops->volume_attach,
                                  (struct provider_request){ .id = late, .server = "n1" }),
                         0);
        for (int i = 0; i < 10; i++)
                px_turn();
        assert_int_equal(px.run[0].over, 0);
        assert_int_equal(mknod(late, S_IFBLK | 0600, makedev(7, 0)), 0);
        PX_WAIT(px.run[0].over);
        assert_int_equal(px.run[0].result, PROVIDER_ALREADY);

        /* another's address stays where it is */
        EXPECT(PROVIDER_DONE, ip_assign, .id = "192.0.2.9", .server = "n1");
        EXPECT(PROVIDER_ALREADY, ip_unassign, .id = "192.0.2.9", .server = "n2");
        EXPECT(PROVIDER_DONE, ip_unassign, .id = "192.0.2.9", .server = "n1");

        px.p->ops->free(take_ptr(px.p));
        assert_int_equal(local_new(&px.loop, &nowhere, &px.p), 0);
        EXPECT(PROVIDER_FAILED, ip_get, .id = "192.0.2.9");
        assert_int_equal(px.run[0].error, -ENODEV);
        assert_non_null(strstr(px.run[0].text, "nowhere0"));
        assert_int_equal(local_new(&px.loop, &(struct local_config){ .server = "" }, &p), -EINVAL);
        assert_int_equal(
                local_new(&px.loop,
                          &(struct local_config){ .server = "n1", .fence_command = "reboot" }, &p),
                -EINVAL);
}

static void addresses(void **unused)
{
        static const struct {
                const char *text;
                int want;
                unsigned prefix;
        } ROWS[] = {
                { "192.0.2.9", 0, 32 },
                { "192.0.2.9/24", 0, 24 },
                { "2001:db8::9", 0, 128 },
                { "2001:db8::9/64", 0, 64 },
                { "192.0.2.9/33", -EINVAL, 0 },
                { "192.0.2.9/0", -EINVAL, 0 },
                { "192.0.2.9/", -EINVAL, 0 },
                { "192.0.2", -EINVAL, 0 },
                { "2001:db8::/129", -EINVAL, 0 },
                { "mail.example.org", -EINVAL, 0 },
                { "", -EINVAL, 0 },
                { NULL, -EINVAL, 0 },
        };
        struct local_address a;

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
                assert_int_equal(local_net_parse(ROWS[i].text, &a), ROWS[i].want);
                if (ROWS[i].want == 0)
                        assert_int_equal(a.prefix, ROWS[i].prefix);
        }
}

/* ---- the fence ---- */

static const char *script(const char *body)
{
        const char *path = at(&dir, "fence");

        unlink(path);
        put_file(path, "#!/bin/sh\n%s\n", body);
        chmod(path, 0700);
        return path;
}

static bool gone(pid_t pid)
{
        return kill(pid, 0) < 0 && errno == ESRCH;
}

/* Or dead and waiting for somebody else to reap it. */
static bool dead(pid_t pid)
{
        char path[32];
        CLEANUP(freep) char *stat = NULL;

        snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
        if (read_file(path, 4096, &stat, NULL) < 0)
                return true;
        const char *state = strrchr(stat, ')');
        return state && state[1] == ' ' && state[2] == 'Z';
}

static pid_t pid_in(const char *path)
{
        CLEANUP(freep) char *text = NULL;

        return read_file(path, 64, &text, NULL) == 0 ? (pid_t)strtol(text, NULL, 10) : 0;
}

static void fence(void **unused)
{
        static const struct {
                const char *body;
                enum provider_result want;
                const char *words;
        } ROWS[] = {
                { "[ \"$*\" = n2 ] && [ -z \"${SECRET-}\" ]", PROVIDER_DONE, "fence server n2" },
                { "exit 75", PROVIDER_TEMPORARY, "try again" },
                { "exit 3", PROVIDER_FAILED, "ended with 3" },
                { "kill -9 $$", PROVIDER_FAILED, "killed by signal 9" },
        };

        (void)unused;
        assert_false(px.p->ops->can_fence(px.p));
        EXPECT(PROVIDER_FAILED, poweroff, .server = "n2");
        assert_non_null(strstr(px.run[0].text, "no fence command"));
        assert_int_equal(
                px_start(0, px.p->ops->poweroff, (struct provider_request){ .server = "-rf" }),
                -EINVAL);

        setenv("SECRET", "x", 1);
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
                provide(script(ROWS[i].body));
                assert_true(px.p->ops->can_fence(px.p));
                EXPECT(ROWS[i].want, poweroff, .server = "n2");
                if (!strstr(px.run[0].text, ROWS[i].words))
                        fail_msg("row %zu: %s", i, px.run[0].text);
        }
        EXPECT(PROVIDER_FAILED, poweroff, .server = "n1"); /* never ourselves */

        px.run[0].forbid = true;
        provide(script("exit 0"));
        EXPECT(PROVIDER_FAILED, poweroff, .server = "n2");
        assert_int_equal(px.run[0].error, -EPERM);
        provide("/no/such/command");
        px.run[0].forbid = false;
        EXPECT(PROVIDER_FAILED, poweroff, .server = "n2");
        assert_non_null(strstr(px.run[0].text, "/no/such/command"));
}

/* One that hangs, with a child that hangs too: both are killed, by deadline and by cancel. */
static void hanging_fence(void **unused)
{
        char body[256];
        const char *pids[] = { at(&dir, "pid"), at(&dir, "child") };

        (void)unused;
        snprintf(body, sizeof body, "sleep 1000 &\necho $! >%s\necho $$ >%s\nwait", pids[1],
                 pids[0]);
        for (int by_cancel = 0; by_cancel < 2; by_cancel++) {
                unlink(pids[0]);
                provide(script(body));
                assert_int_equal(
                        px_start(0, px.p->ops->poweroff,
                                 (struct provider_request){
                                         .server = "n2", .deadline = by_cancel ? DEADLINE : 1000 }),
                        0);
                PX_WAIT(pid_in(pids[0]) > 0);
                pid_t parent = pid_in(pids[0]), child = pid_in(pids[1]);
                assert_true(child > 0);
                if (by_cancel)
                        px.p->ops->cancel(px.run[0].call);
                else
                        PX_WAIT(px.run[0].over);
                assert_int_equal(px.run[0].over, !by_cancel);
                PX_WAIT(gone(parent)); /* reaped too */
                PX_WAIT(dead(child));
                if (!by_cancel) {
                        assert_int_equal(px.run[0].result, PROVIDER_TEMPORARY);
                        assert_non_null(strstr(px.run[0].text, "still running"));
                }
        }
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
                CASE(conformance), CASE(announcements), CASE(absent_things),
                CASE(addresses),   CASE(fence),         CASE(hanging_fence),
        };

        return cmocka_run_group_tests(tests, begin_group, end_group);
}
