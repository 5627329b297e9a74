/* `hamon ip assign` and `release`: the real program in a network namespace of the test's own, with
 * the double of the Hetzner API and with the local provider. */
#include "hamon/provider/local_net.h"
#include "tests/fake/fake_hetzner.h"
#include "tests/unit/step_fixture.h"

#include <sched.h>

#define IFACE "hatest0"

static struct fake_hetzner fake = { .control = -1 };
static bool able;

static bool sh(const char *script)
{
        RUN(&sx.dir, &sx.ran, "/bin/sh", "-ec", script);
        return sx.ran.code == 0;
}

static int up(void **unused)
{
        (void)unused;
        able = geteuid() == 0 && unshare(CLONE_NEWNET) == 0;
        if (step_up() < 0)
                return -1;
        able = able && sh("/sbin/ip link set lo up\n"
                          "/sbin/ip link add " IFACE " type veth peer name hatest1\n"
                          "/sbin/ip link set " IFACE " up\n/sbin/ip link set hatest1 up\n");
        return fake_hetzner_start(&fake);
}

static int down(void **unused)
{
        (void)unused;
        fake_hetzner_stop(&fake);
        step_down();
        return 0;
}

static void configure(const char *ip)
{
        put_file(at(&sx.dir, "token"), "rw-token\n");
        chmod(at(&sx.dir, "token"), 0600);
        step_configure("[hetzner]\napi_url = %s/v1\ntoken_file = %s/token\nserver = n1\n"
                       "[ip]\ninterface = " IFACE "\n%s",
                       fake.url, sx.dir.path, ip);
}

#define HETZNER "provider = hetzner\nid = 9, 10\n"

static int before(void **unused)
{
        (void)unused;
        lease_reset();
        hetzner_say(&fake, "reset");
        configure(HETZNER);
        if (able)
                sh("/usr/sbin/nft flush ruleset; /sbin/ip addr flush dev " IFACE " scope global");
        unlink(at(&sx.dir, "step-ip.addresses"));
        return 0;
}

static int after(void **unused)
{
        (void)unused;
        assert_int_equal(hetzner_stat(&fake, "overlap"), 0);
        return 0;
}

#define NEEDS_ROOT()            \
        do {                    \
                if (!able)      \
                        skip(); \
        } while (0)

static int has(const char *address)
{
        struct local_address a;

        assert_int_equal(local_net_parse(address, &a), 0);
        return local_net_has(&a, IFACE);
}

static bool snat_to(const char *family, const char *address)
{
        char script[160];

        snprintf(script, sizeof script,
                 "/usr/sbin/nft list table %s mailcow_ha | grep -F 'snat to %s '", family, address);
        return sh(script);
}

static void server_is(const char *id, const char *want)
{
        assert_string_equal(hetzner_say(&fake, "get ip %s server", id), want);
}

static void floating(void **unused)
{
        (void)unused;
        NEEDS_ROOT();
        hetzner_say(&fake, "put ip 9 server 42"); /* the old master's */
        STEP(0, "2 addresses at this node", "ip", "assign");
        server_is("9", "41");
        server_is("10", "41");
        assert_int_equal(has("198.51.100.9"), 1);
        assert_int_equal(has("2001:db8:9::1"), 1); /* the first of the network */
        assert_int_equal(has("2001:db8:9::"), 0);
        assert_true(snat_to("ip", "198.51.100.9"));
        assert_true(snat_to("ip6", "2001:db8:9::1"));
        assert_true(sh("/sbin/ip -6 addr show dev " IFACE " | grep 2001:db8:9::1 | grep depr"));

        unsigned long sent = hetzner_stat(&fake, "assign");
        STEP(0, "\"result\":\"already\"", "ip", "assign", "--json");
        assert_int_equal(hetzner_stat(&fake, "assign"), sent);

        STEP(0, "2 addresses gone from this node", "ip", "release");
        server_is("9", "null");
        server_is("10", "null");
        assert_int_equal(has("198.51.100.9"), 0);
        assert_int_equal(has("2001:db8:9::1"), 0);
        assert_false(sh("/usr/sbin/nft list ruleset | grep mailcow_ha"));
        STEP(0, "\"result\":\"already\"", "ip", "release", "--json");
        assert_int_equal(hetzner_stat(&fake, "unassign"), 2);
}

/* Without the lease: everything on this node goes, also without API; what the API points to stays.
 */
static void release_without_lease(void **unused)
{
        (void)unused;
        NEEDS_ROOT();
        STEP(0, "at this node", "ip", "assign");
        sx.lease->mood = LEASE_NO;
        hetzner_say(&fake, "fault any 99 unavailable");
        STEP(0, "the provider was not asked, the next master does that", "ip", "release");
        assert_int_equal(has("198.51.100.9"), 0);
        assert_int_equal(has("2001:db8:9::1"), 0);
        assert_false(sh("/usr/sbin/nft list ruleset | grep mailcow_ha"));
        hetzner_say(&fake, "reset");
        hetzner_say(&fake, "put ip 9 server 41");
        STEP(0, "gone", "ip", "release");
        server_is("9", "41");
        STEP(1, "we do not have the lease", "ip", "assign");
        assert_int_equal(has("198.51.100.9"), 0);
        assert_int_equal(hetzner_stat(&fake, "assign"), 0);
        STEP(0, "gone", "ip", "release", "--no-lease", "--yes");
        server_is("9", "null");
}

/* The next master's address is not taken from it by a late release. */
static void late_release(void **unused)
{
        (void)unused;
        NEEDS_ROOT();
        STEP(0, "at this node", "ip", "assign");
        hetzner_say(&fake, "put ip 9 server 42");
        STEP(0, "gone", "ip", "release");
        server_is("9", "42");
        server_is("10", "null");
}

static void mishaps(void **unused)
{
        (void)unused;
        NEEDS_ROOT();
        hetzner_say(&fake, "fault assign 40 locked");
        STEP(75, "not within", "ip", "assign", "--timeout", "1s");
        assert_false(snat_to("ip", "198.51.100.9")); /* answers would go elsewhere */
        hetzner_say(&fake, "reset");
        STEP(0, "at this node", "ip", "assign");
        hetzner_say(&fake, "remove ip 10");
        STEP(1, "there is none", "ip", "assign");
        configure(HETZNER "interface = nowhere0\n");
        STEP(78, "interface", "ip", "assign");
        step_configure("[ip]\nprovider = local\naddress = 192.0.2.9\ninterface = nowhere0\n");
        STEP(1, "192.0.2.9 on nowhere0", "ip", "assign");
        configure("provider = local\naddress = 192.0.2.300\n");
        STEP(1, "is no address", "ip", "assign");
        configure("provider = local\naddress = 192.0.2.9\noutbound_networks = 10.0.0.0\n");
        STEP(78, "is no network", "ip", "assign");
        configure("provider = none\n");
        STEP(0, "[ip] provider is none", "ip", "assign");
        STEP(0, "[ip] provider is none", "ip", "release");
}

/* Both kinds of steps at once: the provider sees one after the other. */
static void one_at_a_time(void **unused)
{
        (void)unused;
        NEEDS_ROOT();
        hetzner_say(&fake, "action-ms 300");
        step_configure("[hetzner]\napi_url = %s/v1\ntoken_file = %s/token\nserver = n1\n"
                       "[ip]\ninterface = " IFACE "\n" HETZNER
                       "[volume]\nprovider = hetzner\nid = 7\nmount = %s/mnt\n",
                       fake.url, sx.dir.path, sx.dir.path);
        pid_t ip = step_start((const char *const[]){ "ip", "assign", NULL }, NULL);
        pid_t volume = step_start((const char *const[]){ "volume", "attach", NULL }, NULL);
        assert_int_equal(wait_end(&ip), 0);
        assert_int_equal(wait_end(&volume), 0);
        server_is("9", "41");
        server_is("10", "41");
        assert_string_equal(hetzner_say(&fake, "get volume 7 server"), "41");
        assert_int_equal(hetzner_stat(&fake, "overlap"), 0);
        assert_int_equal(hetzner_stat(&fake, "assign") + hetzner_stat(&fake, "attach"), 3);
}

static void local(void **unused)
{
        (void)unused;
        NEEDS_ROOT();
        configure("provider = local\naddress = 192.0.2.9/24, 2001:db8::9/64\n");
        STEP(0, "2 addresses at this node", "ip", "assign");
        assert_int_equal(has("192.0.2.9"), 1);
        assert_int_equal(has("2001:db8::9"), 1);
        assert_true(snat_to("ip", "192.0.2.9"));
        assert_int_equal(hetzner_stat(&fake, "requests"), 0);
        STEP(0, "already", "ip", "assign", "--json");

        /* re-asserted: whatever of it is missing comes back */
        assert_true(sh("/usr/sbin/nft delete table ip mailcow_ha"));
        STEP(0, "at this node", "ip", "assign");
        assert_true(snat_to("ip", "192.0.2.9"));
        assert_true(sh("/sbin/ip addr del 192.0.2.9/24 dev " IFACE));
        STEP(0, "at this node", "ip", "assign");
        assert_int_equal(has("192.0.2.9"), 1);

        /* the option was switched off meanwhile */
        configure("provider = local\naddress = 192.0.2.9/24, 2001:db8::9/64\noutbound = off\n");
        STEP(0, "at this node", "ip", "assign");
        assert_false(sh("/usr/sbin/nft list ruleset | grep mailcow_ha"));
        STEP(0, "2 addresses gone", "ip", "release");
        assert_int_equal(has("192.0.2.9"), 0);
        assert_int_equal(has("2001:db8::9"), 0);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, before, after)

int main(void)
{
        const struct CMUnitTest tests[] = {
                CASE(floating), CASE(release_without_lease), CASE(late_release),
                CASE(mishaps),  CASE(one_at_a_time),         CASE(local),
        };

        return cmocka_run_group_tests(tests, up, down);
}
