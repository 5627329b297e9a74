/* `hamon galera join` among doubles: whom it stops, and whom it only waits for. The double's
 * database never answers, so each join ends with its time. */
#include "step_fixture.h"

#include "engine_fixture.h"
#include "lib/address.h"
#include <sched.h>

#define GRASTATE                                                                              \
        "# GALERA saved state\nversion: 2.1\nuuid:    6f1d4e7c-2b1e-11ee-8a5e-3f1c2d4b5a69\n" \
        "seqno:   -1\nsafe_to_bootstrap: 0\n"

static int other = -1; /* another node's member */

static int listen_as_member(void)
{
        union address a;

        return address_parse("127.0.0.2", 4567, &a) < 0 ? -1 : address_listen(&a, 16, &other);
}

static int start_all(void **unused)
{
        const char *lo[] = { "/bin/sh", "-c", "ip link set lo up", NULL };

        (void)unused;
        if (unshare(CLONE_NEWNET) < 0 || step_up() < 0)
                return -1;
        pid_t pid = start(lo, NULL, NULL, 0);
        if (wait_end(&pid) != 0 || listen_as_member() < 0)
                return -1;
        return fake_docker_start(&fake);
}

static int stop_all(void **unused)
{
        (void)unused;
        close(other);
        fake_docker_stop(&fake);
        step_down();
        return 0;
}

static const struct row {
        const char *what, *state;      /* of its container */
        bool there, grastate, copying; /* what is in the data directory */
        bool discard;
        const char *deeds; /* the engine's */
} ROWS[] = {
        { "a copy comes in", "running", .copying = true, .deeds = " most=0" },
        { "it was started a moment ago", "running", .deeds = " most=0" },
        { "a copy was cut off", "exited", .copying = true, .deeds = "start:mysql-mailcow most=1" },
        { "nothing yet", "created", .deeds = "start:mysql-mailcow most=1" },
        { "a copy comes in that nobody wants", "running", .copying = true, .discard = true,
          .deeds = "stop/60:mysql-mailcow start:mysql-mailcow most=1" },
        { "a member that got stuck", "running", .there = true, .grastate = true,
          .deeds = "stop/60:mysql-mailcow start:mysql-mailcow most=1" },
};

static void put_data(const struct row *row)
{
        static const char *const FILES[] = { "ibdata1", "grastate.dat", "sst_in_progress" };
        const bool has[] = { row->there, row->grastate, row->copying };

        for (size_t i = 0; i < ARRAY_SIZE(FILES); i++) {
                unlink(at(&sx.dir, FILES[i]));
                if (has[i])
                        put_file(at(&sx.dir, FILES[i]), "%s", i == 1 ? GRASTATE : "");
        }
}

static void test_join(void **state)
{
        char text[512];

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
                const struct row *row = &ROWS[i];
                say("reset");
                snprintf(text, sizeof text, "add 1 service=mysql-mailcow state=%s", row->state);
                say(text);
                snprintf(text, sizeof text, "volume mailcow_mysql-vol-1 %s", sx.dir.path);
                say(text);
                put_data(row);
                STEP(75, "it is no synced member yet", "galera", "join", "--timeout", "1s",
                     row->discard ? "--discard" : NULL);
                if (strcmp(say("deeds"), row->deeds) != 0)
                        fail_msg("%s: %s", row->what, fake.reply);
        }
}

static int set_up(void **unused)
{
        (void)unused;
        lease_reset();
        step_configure("[docker]\nsocket = %s\nproject = mailcow\n"
                       "[galera]\nsocket = %s\npassword_file = %s\n"
                       "[cluster]\nnodes = n1=127.0.0.1 n2=127.0.0.2 n3=127.0.0.3\n"
                       "[volume]\nprovider = local\ndevice = /dev/null\nmount = /mnt/mailcow-ha\n"
                       "uuid = e4caf530-0000-4000-8000-000000000000\n"
                       "[stack]\nwarm = mysql-mailcow\nactive =\noptional =\n",
                       fake.socket, at(&sx.dir, "nobody"), at(&sx.dir, "pass"));
        return 0;
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test_setup(test_join, set_up) };

        return cmocka_run_group_tests(tests, start_all, stop_all);
}
