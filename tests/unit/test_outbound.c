/* Source NAT for outgoing mail: the words for nft, and what the world sees of packets that a
 * container sends, beside a masquerading rule as Docker has it. Three network namespaces: we are
 * the node, a child is the container, another one is the world. */
#include "hamon/outbound.h"
#include "tests/unit/harness.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sched.h>

enum { PORT = 2525, LIMIT = 10000 };

static const char *const NETWORKS[] = { "172.22.1.0/24", "fd4d:6169:6c63:6f77::/64" };
static const char *const PEERS[] = { "203.0.113.77", "2001:db8:1::77" };

static struct tmp dir;
static struct ran ran;
static pid_t container, world;
static bool able;

/* ---- three rooms ---- */

/* A process that only keeps a network namespace alive. */
static pid_t make_room(void)
{
        int ready[2];
        char byte;
        pid_t parent = getpid();

        if (pipe2(ready, O_CLOEXEC) < 0)
                return -1;
        pid_t pid = fork();
        if (pid == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                if (getppid() != parent || unshare(CLONE_NEWNET) < 0 ||
                    write(ready[1], "x", 1) != 1)
                        _exit(1);
                for (;;)
                        pause();
        }
        close(ready[1]);
        bool ok = read(ready[0], &byte, 1) == 1;
        close(ready[0]);
        return ok ? pid : -1;
}

static bool sh(const char *script)
{
        RUN(&dir, &ran, "/bin/sh", "-ec", script);
        if (ran.code != 0)
                fprintf(stderr, "%s", ran.err);
        return ran.code == 0;
}

static bool make_network(void)
{
        static const char SCRIPT[] =
                "ip() { /sbin/ip \"$@\"; }\n"
                "in_c() { nsenter -t %d -n \"$@\"; }\n"
                "in_w() { nsenter -t %d -n \"$@\"; }\n"
                "ip link set lo up\n"
                "ip link add out0 type veth peer name w0 netns %d\n"
                "ip link add br0 type veth peer name c0 netns %d\n"
                "ip addr add 203.0.113.2/24 dev out0\n"
                "ip addr add 198.51.100.9/32 dev out0\n"
                "ip addr add 2001:db8:1::2/64 dev out0 nodad\n"
                "ip addr add 2001:db8:9::1/64 dev out0 nodad\n"
                "ip addr add 172.22.1.1/24 dev br0\n"
                "ip addr add fd4d:6169:6c63:6f77::1/64 dev br0 nodad\n"
                "ip link set out0 up\nip link set br0 up\n"
                "echo 1 >/proc/sys/net/ipv4/ip_forward\n"
                "echo 1 >/proc/sys/net/ipv6/conf/all/forwarding\n"
                "in_c ip addr add 172.22.1.5/24 dev c0\n"
                "in_c ip addr add fd4d:6169:6c63:6f77::5/64 dev c0 nodad\n"
                "in_c ip link set c0 up\n"
                "in_c ip route add default via 172.22.1.1\n"
                "in_c ip route add default via fd4d:6169:6c63:6f77::1\n"
                "for a in 1 77; do in_w ip addr add 203.0.113.$a/24 dev w0\n"
                "in_w ip addr add 2001:db8:1::$a/64 dev w0 nodad; done\n"
                "in_w ip link set w0 up\n"
                "for f in ip ip6; do /usr/sbin/nft add table $f dock\n"
                "/usr/sbin/nft add chain $f dock p '{ type nat hook postrouting priority 100; }'\n"
                "/usr/sbin/nft add rule $f dock p oifname out0 masquerade; done\n";
        char script[sizeof SCRIPT + 64];

        snprintf(script, sizeof script, SCRIPT, container, world, world, container);
        return sh(script);
}

static int up(void **unused)
{
        (void)unused;
        if (tmp_make(&dir) < 0)
                return -1;
        able = geteuid() == 0 && unshare(CLONE_NEWNET) == 0 && (container = make_room()) > 0 &&
               (world = make_room()) > 0 && make_network();
        return 0;
}

static int down(void **unused)
{
        (void)unused;
        end_child(&container);
        end_child(&world);
        tmp_remove(&dir);
        return 0;
}

#define NEEDS_ROOT()            \
        do {                    \
                if (!able)      \
                        skip(); \
        } while (0)

/* A socket that lives in another room. */
static int socket_in(pid_t room, int family)
{
        char path[64];

        snprintf(path, sizeof path, "/proc/%d/ns/net", (int)room);
        CLEANUP(closep) int there = open(path, O_RDONLY | O_CLOEXEC);
        CLEANUP(closep) int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
        assert_int_equal(setns(there, CLONE_NEWNET), 0);
        int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        assert_int_equal(setns(here, CLONE_NEWNET), 0);
        assert_true(fd >= 0);
        return fd;
}

static socklen_t address_of(int family, const char *text, struct sockaddr_storage *ret)
{
        struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(PORT) };
        struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(PORT) };

        memset(ret, 0, sizeof *ret);
        if (family == AF_INET) {
                assert_int_equal(inet_pton(AF_INET, text, &in.sin_addr), 1);
                memcpy(ret, &in, sizeof in);
                return sizeof in;
        }
        assert_int_equal(inet_pton(AF_INET6, text, &in6.sin6_addr), 1);
        memcpy(ret, &in6, sizeof in6);
        return sizeof in6;
}

/* From whom the world gets what the container sends to `to`. */
static void seen_from(int family, const char *to, const char *want)
{
        CLEANUP(closep) int listener = socket_in(world, family);
        CLEANUP(closep) int sender = socket_in(container, family);
        struct sockaddr_storage sa, from;
        socklen_t len = address_of(family, to, &sa), from_len = sizeof from;
        char text[64] = "", byte;

        assert_int_equal(bind(listener, (struct sockaddr *)&sa, len), 0);
        for (msec_t end = clock_ms() + PATIENCE_MS; !*text;) { /* neighbours must be found first */
                struct pollfd p = { .fd = listener, .events = POLLIN };
                assert_int_equal(sendto(sender, "x", 1, 0, (struct sockaddr *)&sa, len), 1);
                if (poll(&p, 1, 100) == 1 &&
                    recvfrom(listener, &byte, 1, 0, (struct sockaddr *)&from, &from_len) == 1) {
                        if (family == AF_INET)
                                inet_ntop(AF_INET, &((struct sockaddr_in *)(void *)&from)->sin_addr,
                                          text, sizeof text);
                        else
                                inet_ntop(AF_INET6,
                                          &((struct sockaddr_in6 *)(void *)&from)->sin6_addr, text,
                                          sizeof text);
                }
                if (clock_ms() > end)
                        fail_msg("nothing came to %s", to);
        }
        assert_string_equal(text, want);
}

/* ---- words ---- */

static struct outbound outbound_of(int family)
{
        return (struct outbound){ .family = family,
                                  .address = family == AF_INET ? "198.51.100.9" : "2001:db8:9::1",
                                  .interface = "out0",
                                  .networks = NETWORKS,
                                  .n_networks = ARRAY_SIZE(NETWORKS),
                                  .direct = PEERS,
                                  .n_direct = ARRAY_SIZE(PEERS) };
}

static void scripts(void **unused)
{
        CLEANUP(buf_done) struct buf out = BUF(4096);
        struct outbound o = outbound_of(AF_INET);

        (void)unused;
        assert_int_equal(outbound_script(&o, &out), 0);
        assert_non_null(strstr(buf_str(&out),
                               "ip saddr { 172.22.1.0/24 } ip daddr != { 203.0.113.77 } oifname "
                               "\"out0\" snat to 198.51.100.9 comment \"hamon "));
        assert_non_null(strstr(buf_str(&out), "delete table ip mailcow_ha\n"));
        buf_reset(&out);
        o = outbound_of(AF_INET6);
        o.n_direct = 0;
        assert_int_equal(outbound_script(&o, &out), 0);
        assert_non_null(strstr(buf_str(&out), "ip6 saddr { fd4d:6169:6c63:6f77::/64 } oifname"));
        assert_null(strstr(buf_str(&out), "daddr"));
}

/* Nothing that could be another command gets into a script. */
static void bad_words(void **unused)
{
        static const char *const BAD[] = { "1.2.3.4; flush ruleset",
                                           "1.2.3.4\nflush ruleset",
                                           "1.2.3",
                                           "",
                                           "eth0",
                                           "1.2.3.4/24",
                                           "::1 }" };
        static const char *const INTERFACES[] = { "", "a\"b", "a b", "a\nb", "a;b", "a{b" };
        static const char *const BAD_NETWORKS[] = { "10.0.0.0", "10.0.0.0/33",  "fd00::/129",
                                                    "/8",       "10.0.0.0/8/8", "10.0.0.0/ 8",
                                                    "any" };
        CLEANUP(buf_done) struct buf out = BUF(4096);

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(BAD); i++) {
                struct outbound o = outbound_of(AF_INET);
                o.address = BAD[i];
                assert_int_equal(outbound_script(&o, &out), -EINVAL);
                o = outbound_of(AF_INET);
                o.direct = &BAD[i];
                o.n_direct = 1;
                assert_int_equal(outbound_script(&o, &out), -EINVAL);
        }
        for (size_t i = 0; i < ARRAY_SIZE(INTERFACES); i++) {
                struct outbound o = outbound_of(AF_INET);
                o.interface = INTERFACES[i];
                assert_int_equal(outbound_script(&o, &out), -EINVAL);
        }
        for (size_t i = 0; i < ARRAY_SIZE(BAD_NETWORKS); i++) {
                struct outbound o = outbound_of(AF_INET);
                o.networks = &BAD_NETWORKS[i];
                o.n_networks = 1;
                assert_int_equal(outbound_script(&o, &out), -EINVAL);
        }
        struct outbound o = outbound_of(AF_INET6);
        o.n_networks = 1; /* IPv4 only */
        assert_int_equal(outbound_script(&o, &out), -ENODATA);
        o.address = "198.51.100.9"; /* of the other family */
        assert_int_equal(outbound_script(&o, &out), -EINVAL);
        assert_int_equal(out.len, 0);
}

/* ---- packets ---- */

static void packets(void **unused)
{
        static const struct {
                int family;
                const char *to, *peer, *node, *service;
        } ROWS[] = {
                { AF_INET, "203.0.113.1", "203.0.113.77", "203.0.113.2", "198.51.100.9" },
                { AF_INET6, "2001:db8:1::1", "2001:db8:1::77", "2001:db8:1::2", "2001:db8:9::1" },
        };
        CLEANUP(buf_done) struct buf error = BUF(4096);

        (void)unused;
        NEEDS_ROOT();
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
                struct outbound o = outbound_of(ROWS[i].family);
                seen_from(o.family, ROWS[i].to, ROWS[i].node); /* as Docker has it */
                assert_int_equal(outbound_is_there(o.family, LIMIT, NULL), 0);
                assert_int_equal(outbound_table(o.family), 0);
                assert_int_equal(outbound_look(&o, LIMIT, NULL), 0);
                assert_int_equal(outbound_set(&o, LIMIT, NULL, &error), 0);
                assert_int_equal(outbound_look(&o, LIMIT, NULL), 1);
                assert_int_equal(outbound_is_there(o.family, LIMIT, NULL), 1);
                assert_int_equal(outbound_table(o.family), 1);
                seen_from(o.family, ROWS[i].to, ROWS[i].service);
                seen_from(o.family, ROWS[i].peer, ROWS[i].node);
                assert_int_equal(outbound_set(&o, LIMIT, NULL, &error), 0); /* again */
                seen_from(o.family, ROWS[i].to, ROWS[i].service);

                o.n_direct = 0; /* another rule: the old one is not what we want */
                assert_int_equal(outbound_look(&o, LIMIT, NULL), 0);
                assert_int_equal(outbound_set(&o, LIMIT, NULL, &error), 0);
                seen_from(o.family, ROWS[i].peer, ROWS[i].service);

                assert_true(sh(o.family == AF_INET ? "/usr/sbin/nft flush table ip mailcow_ha"
                                                   : "/usr/sbin/nft flush table ip6 mailcow_ha"));
                assert_int_equal(outbound_look(&o, LIMIT, NULL), 0); /* somebody emptied it */

                assert_int_equal(outbound_clear(o.family, LIMIT, NULL, &error), 0);
                assert_int_equal(outbound_is_there(o.family, LIMIT, NULL), 0);
                assert_int_equal(outbound_table(o.family), 0);
                assert_int_equal(outbound_clear(o.family, LIMIT, NULL, &error), 0); /* again */
                seen_from(o.family, ROWS[i].to, ROWS[i].node);
                assert_true(sh("/usr/sbin/nft list table ip dock")); /* not ours: untouched */
        }
        assert_string_equal(buf_str(&error), "");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(scripts),
                cmocka_unit_test(bad_words),
                cmocka_unit_test(packets),
        };

        return cmocka_run_group_tests(tests, up, down);
}
