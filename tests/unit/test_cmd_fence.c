/* `hamon fence` and the Docker engine: told first, waited for a second, needed never. That the
 * cgroups and the device decide is in test_fence.c. */
#include "step_fixture.h"

#include "engine_fixture.h"

static int start_all(void **unused)
{
        (void)unused;
        return step_up() < 0 ? -1 : fake_docker_start(&fake);
}

static int stop_all(void **unused)
{
        (void)unused;
        fake_docker_stop(&fake);
        step_down();
        return 0;
}

/* An active one that runs, one that has ended, and a warm one; no volume on this machine. */
static int set_up(void **unused)
{
        (void)unused;
        lease_reset();
        sx.lease->mood = LEASE_NO; /* nobody asks for one */
        step_configure("[docker]\nsocket = %s\nproject = mailcow\n"
                       "[volume]\nprovider = hetzner\nid = 4711\nmount = %s/mnt\n"
                       "[stack]\nactive = redis-mailcow ofelia-mailcow\nwarm = clamd-mailcow\n",
                       fake.socket, sx.dir.path);
        say("reset");
        say("add 1 service=redis-mailcow");
        say("add 1 service=ofelia-mailcow state=exited");
        say("add 1 service=clamd-mailcow");
        return 0;
}

static void the_engine_ends_them(void **state)
{
        (void)state;
        STEP(0, "\"result\":\"done\"", "fence", "--json");
        assert_non_null(strstr(sx.ran.out, "\"containers\":2"));
        assert_non_null(strstr(sx.ran.out, "\"message\":\"nothing here uses the volume\""));
        const char *deeds = say("deeds");
        assert_non_null(strstr(deeds, "redis-mailcow"));
        assert_null(strstr(deeds, "clamd"));
        assert_null(strstr(deeds, "start:"));
        assert_int_equal(sx.lease->asked, 0);

        say("reset");
        STEP(0, "nothing here uses the volume", "fence"); /* again, with nothing there */
}

/* No policy of Docker's may start again what is killed. */
static void it_starts_them_no_more(void **state)
{
        (void)state;
        say("set redis-mailcow policy=always");
        STEP(0, "nothing here uses the volume", "fence");
        assert_non_null(strstr(say("deeds"), "update:redis-mailcow"));
}

static void an_ill_engine_is_not_waited_for(void **state)
{
        static const char *const MODES[] = { "mode all hang", "mode list garbage", "mode stop hang",
                                             "mode stop 500", "gone" };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(MODES); i++) {
                set_up(NULL);
                say(MODES[i]);
                msec_t began = clock_ms();
                STEP(0, "nothing here uses the volume", "fence");
                assert_true(clock_ms() - began < 7000);
        }
        say("listen");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(the_engine_ends_them, set_up),
                cmocka_unit_test_setup(it_starts_them_no_more, set_up),
                cmocka_unit_test_setup(an_ill_engine_is_not_waited_for, set_up),
        };

        return cmocka_run_group_tests(tests, start_all, stop_all);
}
