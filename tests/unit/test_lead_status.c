/* The cluster as the leading part sees it, and what of it a master puts right: nodes by their
 * freshest word, where the volume is, whether the service addresses are still here. */
#include "tests/unit/lead_fixture.h"

static struct status_cluster view;

static const struct status_node *seen(size_t i)
{
        lead_status(lw.lead, &view);
        assert_int_equal(view.n_nodes, 3);
        return &view.nodes[i];
}

static bool is_node(size_t i, const char *want)
{
        const struct status_node *n = seen(i);
        char text[512];

        snprintf(text, sizeof text, "%s %s %s %s %s %s%s", n->name, n->address, n->role,
                 *n->state ? n->state : "-", n->verdict, n->reason, n->leads ? " leads" : "");
        return str_eq(text, want);
}

/* ---- nodes ---- */

static void nodes_by_their_own_words(void **unused)
{
        (void)unused;
        str_copy(lw.others[1].says.verdict, sizeof lw.others[1].says.verdict, "unfit");
        str_copy(lw.others[1].says.reason, sizeof lw.others[1].says.reason, "galera_refused");
        str_copy(lw.others[0].says.role, sizeof lw.others[0].says.role, "master");
        str_copy(lw.others[0].says.state, sizeof lw.others[0].says.state, "master");
        lw.others[0].says.candidate = lw.others[1].says.candidate = false;
        row_taken_by("n2");
        world_start();
        assert_true(is_node(1, "n2 127.0.0.12 unknown - unknown stale"));
        assert_true(seen(1)->age < 0);
        TURN_UNTIL(is_node(1, "n2 127.0.0.12 master master fit ok leads"));
        TURN_UNTIL(is_node(2, "n3 127.0.0.13 standby standby unfit galera_refused"));
        TURN_UNTIL(is_node(0, "n1 127.0.0.11 standby standby fit ok") && seen(0)->candidate);
        assert_true(seen(0)->self && !seen(1)->self);
        assert_true(seen(1)->age >= 0 && seen(1)->age < 10000);
        assert_false(seen(1)->candidate);
}

/* The peer channel is cut, the database is not. */
static void a_row_is_better_than_nothing(void **unused)
{
        (void)unused;
        sql("DELETE FROM hamon.node");
        sql("INSERT INTO hamon.node (name,address,role,verdict,reason,beat) VALUES "
            "('n3','127.0.0.13','standby','fit','ok',1), "
            "('nobody','127.0.0.9','master','fit','ok',1)");
        row_taken_by("n2");
        other_down(1);
        world_start();
        TURN_UNTIL(is_node(0, "n1 127.0.0.11 standby standby fit ok"));
        TURN_WHILE(2500, is_node(2, "n3 127.0.0.13 unknown - unknown stale")); /* seen once only */
        sql("UPDATE hamon.node SET beat=2");
        TURN_UNTIL(is_node(2, "n3 127.0.0.13 standby - fit ok"));
        assert_true(seen(2)->age >= 0);
        other_up(1, SECRET); /* and its own word is better than its row */
        TURN_UNTIL(is_node(2, "n3 127.0.0.13 standby standby fit ok"));
}

/* What it said long ago says nothing about now. */
static void old_words_are_forgotten(void **unused)
{
        (void)unused;
        lw.stale = "7s";
        world_configure("");
        str_copy(lw.others[0].says.role, sizeof lw.others[0].says.role, "master");
        row_taken_by("n2");
        world_start();
        TURN_UNTIL(is_node(1, "n2 127.0.0.12 master standby fit ok leads"));
        other_silent(0);
        TURN_UNTIL(is_node(1, "n2 127.0.0.12 unknown - unknown stale leads"));
        assert_true(seen(1)->age > 7000); /* but how long ago it was is known */
}

/* ---- volume and addresses ---- */

static void the_volume_is_shown(void **unused)
{
        (void)unused;
        world_start();
        seen(0);
        assert_string_equal(view.volume.provider, "local");
        assert_false(view.volume.mounted);
        assert_true(view.volume.age < 0);
        become_master();
        TURN_UNTIL((seen(0), view.volume.mounted && view.volume.answers && view.volume.age >= 0));
        assert_string_equal(view.volume.mount, lw.vol);
        assert_string_equal(view.volume.at, ""); /* a shared device is everywhere */
        assert_true(seen(0)->leads && seen(0)->mounted);
        assert_string_equal(view.ip.provider, "none");
        assert_int_equal(view.ip.n, 0);
}

#define ADD  "ip addr replace 192.0.2.9/32 dev lo"
#define NAT  "nft add table ip mailcow_ha"
#define ADD6 "ip addr replace 2001:db8::9/128 dev lo"

static void sh(const char *command)
{
        const char *argv[] = { "/bin/sh", "-c", command, NULL };
        pid_t pid = start(argv, NULL, NULL, 0);

        assert_int_equal(wait_end(&pid), 0);
}

static void serve_addresses(const char *ip)
{
        sh("ip addr flush dev lo to 192.0.2.9; ip -6 addr flush dev lo to 2001:db8::9; "
           "nft flush ruleset");
        world_configure(ip);
        hook_does("promote", "mount -t tmpfs mha %s\ntouch %s/active\n" ADD "\n" ADD6 "\n" NAT,
                  lw.vol, lw.tmp.path);
        hook_does("recover", ADD "\n" ADD6 "\n" NAT);
        world_start();
        seen(0);
        assert_false(view.ip.n > 0 && view.ip.addresses[0].here);
        become_master();
}

/* Somebody takes it away: it is put back, and the service goes on. */
static void assert_put_right(const char *damage)
{
        unsigned before = hook_over("recover");

        sh(damage);
        TURN_UNTIL(hook_over("recover") > before);
        assert_true(hook_had("recover", "HAMON_REASON=missing\n"));
        assert_true(is_state(ST_MASTER));
        TURN_UNTIL((seen(0), !view.ip.outbound_missing && view.ip.addresses[0].here));
}

static void addresses_are_asserted(void **unused)
{
        (void)unused;
        serve_addresses("[ip]\nprovider = local\naddress = 192.0.2.9, 2001:db8::9/64\n"
                        "interface = lo\noutbound_networks = 172.22.1.0/24\n");
        TURN_UNTIL((seen(0), view.ip.n == 2 && view.ip.addresses[0].here));
        assert_string_equal(view.ip.addresses[0].text, "192.0.2.9");
        assert_string_equal(view.ip.addresses[1].text, "2001:db8::9");
        assert_true(view.ip.addresses[1].here);
        TURN_WHILE(6000, hook_ran("recover") == 0); /* all is there: nothing to do */
        assert_put_right("ip addr del 192.0.2.9/32 dev lo");
        assert_put_right("ip -6 addr del 2001:db8::9/128 dev lo");
        assert_put_right("nft flush ruleset"); /* a firewall that is loaded anew */
}

/* Without [ip] address: what `ip assign` wrote down. */
static void remembered_addresses_are_asserted(void **unused)
{
        (void)unused;
        put_file(at(&lw.tmp, "token"), "0123456789\n");
        chmod(at(&lw.tmp, "token"), 0600);
        char ip[512];
        snprintf(ip, sizeof ip,
                 "[ip]\nprovider = hetzner\nid = 9\ninterface = lo\noutbound = off\n"
                 "[hetzner]\ntoken_file = %s\nserver = n1\n",
                 at(&lw.tmp, "token"));
        serve_addresses(ip);
        seen(0);
        assert_int_equal(view.ip.n, 0); /* nothing was assigned yet */
        put_file(at(&lw.tmp, "step-ip.addresses"), "192.0.2.9/32\nno address\n");
        TURN_UNTIL((seen(0), view.ip.n == 1 && view.ip.addresses[0].here));
        assert_put_right("ip addr del 192.0.2.9/32 dev lo");
}

/* A standby asserts nothing. */
static void a_standby_has_no_address_to_miss(void **unused)
{
        (void)unused;
        row_taken_by("n2");
        world_configure("[ip]\nprovider = local\naddress = 192.0.2.9\ninterface = lo\n");
        sh("ip addr flush dev lo to 192.0.2.9; nft flush ruleset");
        world_start();
        TURN_UNTIL(is_state(ST_STANDBY) && seen(0)->candidate);
        assert_false(view.ip.addresses[0].here);
        TURN_WHILE(1500, hook_ran("recover") + hook_ran("fence") == 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                LEAD_CASE(nodes_by_their_own_words),
                LEAD_CASE(a_row_is_better_than_nothing),
                LEAD_CASE(old_words_are_forgotten),
                LEAD_CASE(the_volume_is_shown),
                LEAD_CASE(addresses_are_asserted),
                LEAD_CASE(remembered_addresses_are_asserted),
                LEAD_CASE(a_standby_has_no_address_to_miss),
        };

        return cmocka_run_group_tests(tests, world_group_setup, server_group_teardown);
}
