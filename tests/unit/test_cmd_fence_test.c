/* `hamon fence-test`: each part that may be missing is told, and nothing is touched. The guard, its
 * watchdog (a fifo) and the processes in cgroups are real; Docker and Hetzner are doubles. */
#include "step_fixture.h"

#include "engine_fixture.h"
#include "guard_fixture.h"
#include "hamon/guard.h"
#include "hamon/guard_state.h"
#include "tests/fake/fake_hetzner.h"

static struct fake_hetzner cloud = { .control = -1 };
static struct container c; /* a process in a cgroup with a container's name */
static pid_t guard;
static int dog = -1; /* reads the fifo */

static int up(void **unused)
{
        (void)unused;
        if (step_up() < 0 || fake_docker_start(&fake) < 0)
                return -1;
        return fake_hetzner_start(&cloud);
}

static int down(void **unused)
{
        (void)unused;
        fake_docker_stop(&fake);
        fake_hetzner_stop(&cloud);
        step_down();
        return 0;
}

static void configure(const char *volume, const char *more)
{
        step_configure("[cluster]\nnodes = n1=10.0.0.1 n2=10.0.0.2 n3=10.0.0.3\n"
                       "secret_file = %s/token\n[docker]\nsocket = %s\nproject = mailcow\n"
                       "[stack]\nactive = redis-mailcow\nwarm = clamd-mailcow\n[watchdog]\n"
                       "device = %s/dog\n[volume]\nuuid = 1-2\nmount = %s/mnt\n%s\n%s",
                       sx.dir.path, fake.socket, sx.dir.path, sx.dir.path, volume, more);
}

static void hetzner(void)
{
        char more[256];

        snprintf(more, sizeof more,
                 "[hetzner]\napi_url = %s/v1\ntoken_file = %s/token\nserver = n1\n", cloud.url,
                 sx.dir.path);
        configure("provider = hetzner\nid = 7", more);
}

static void guard_ends(void)
{
        end_child(&guard);
        unlink(at(&sx.dir, "guard.sock"));
        unlink(at(&sx.dir, "guard.state"));
}

static void guard_begins(void)
{
        const char *const argv[] = { program("hamond"), "-c", sx.conf, "guard", NULL };
        const struct guard_message m = { .verb = GUARD_SAY_STATUS };
        struct guard_answer a;

        guard = start(argv, NULL, at(&sx.dir, "log"), 0);
        EVENTUALLY(guard_ask(at(&sx.dir, "guard.sock"), &m, 500, &a) == 0);
}

static int before(void **unused)
{
        (void)unused;
        put_file(at(&sx.dir, "token"), "rw-token\n");
        chmod(at(&sx.dir, "token"), 0600);
        hetzner_say(&cloud, "reset");
        unlink(at(&sx.dir, "dog"));
        assert_int_equal(mkfifo(at(&sx.dir, "dog"), 0600), 0);
        dog = open(at(&sx.dir, "dog"), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        assert_true(dog >= 0);
        hetzner();
        say("reset");
        guard_begins();
        return 0;
}

static int after(void **unused)
{
        (void)unused;
        guard_ends();
        closep(&dog);
        assert_string_equal(say("deeds"), " most=0"); /* none */
        assert_int_equal(hetzner_stat(&cloud, "poweroff") + hetzner_stat(&cloud, "detach") +
                                 hetzner_stat(&cloud, "attach") + hetzner_stat(&cloud, "label"),
                         0);
        return 0;
}

static void line_is(const char *part)
{
        if (!strstr(sx.ran.out, part))
                fail_msg("no \"%s\" in\n%s%s", part, sx.ran.out, sx.ran.err);
}

/* Its cgroup is real, its entry in the engine's list has the same id. */
static void run_container(const char *service)
{
        char command[200];

        container_run(&c, hierarchy(), "docker-%s.scope", false);
        snprintf(command, sizeof command, "add 1 service=%s ident=%s", service, c.id);
        say(command);
}

static void all_is_well(void **unused)
{
        (void)unused;
        run_container("redis-mailcow");
        hetzner_say(&cloud, "put volume 7 server 42");
        STEP(0, "ok   guard      it answers: off", "fence-test");
        line_is("ok   watchdog   the guard has ");
        line_is("ok   device ");
        line_is("ok   docker     the engine answers; 1 of 1 containers");
        line_is("ok   cgroups    all 1 running containers are found");
        line_is("ok   target     the guard is not armed");
        line_is("ok   provider   this is server 41 (n1); volume 7: attached to server 42");
        line_is("ok   poweroff   the provider knows a server for each node");
        assert_null(strstr(sx.ran.out, "fail"));
        assert_int_equal(kill(c.pid, 0), 0); /* it lives */
        STEP(0, "{\"test\":\"guard\",\"ok\":true,", "fence-test", "--json");
        container_end(&c);
}

static void what_is_missing_is_told(void **unused)
{
        (void)unused;
        guard_ends();
        say("add 1 service=redis-mailcow"); /* it has no cgroup here */
        STEP(1, "fail guard ", "fence-test");
        line_is("is hamon-guard.service started?");
        line_is("fail cgroups    without Docker these are not found below /sys/fs/cgroup: "
                "redis-mailcow");
        line_is("fail target     what the guard would kill is not known");
        say("reset");
        STEP(1, "fail docker     the engine answers; 0 of 0 containers", "fence-test");
        line_is("ok   cgroups    no container of the project runs");
        STEP(1, "\"ok\":false", "fence-test", "--json");
        STEP(64, "unexpected argument: --now", "fence-test", "--now");
        guard_begins();
}

static void an_armed_guard_knows_them(void **unused)
{
        struct guard_message m = { .verb = GUARD_SAY_ARM,
                                   .epoch = 4,
                                   .deadline = clock_ms() + 60000 };
        struct guard_answer a;

        (void)unused;
        run_container("redis-mailcow");
        assert_int_equal(guard_ask(at(&sx.dir, "guard.sock"), &m, PATIENCE_MS, &a), 0);
        STEP(1, "fail target     the guard does not know of: redis-mailcow", "fence-test");
        m.target.n = 1;
        str_copy(m.target.id[0], TARGET_ID_SIZE, c.id);
        m.deadline += 1000;
        assert_int_equal(guard_ask(at(&sx.dir, "guard.sock"), &m, PATIENCE_MS, &a), 0);
        STEP(0, "ok   target     the guard knows all 1 active", "fence-test");
        line_is("it answers: armed, epoch 4");
        m.verb = GUARD_SAY_OFF;
        assert_int_equal(guard_ask(at(&sx.dir, "guard.sock"), &m, PATIENCE_MS, &a), 0);
        container_end(&c);
}

static void the_provider(void **unused)
{
        (void)unused;
        say("add 1 service=redis-mailcow state=exited");
        hetzner_say(&cloud, "remove server 43");
        STEP(1, "fail poweroff   node n3 could not be powered off", "fence-test");
        hetzner_say(&cloud, "remove volume 7");
        STEP(1, "fail provider ", "fence-test");
        put_file(at(&sx.dir, "token"), "wrong\n");
        STEP(1, "fail provider ", "fence-test");
}

static void local_storage(void **unused)
{
        char more[200];

        (void)unused;
        say("add 1 service=redis-mailcow state=exited");
        configure("provider = local\ndevice = /dev/null", "");
        STEP(1, "fail device     /dev/null is no block device", "fence-test");
        line_is("ok   provider   no local.fence_command: only its own watchdog");
        snprintf(more, sizeof more, "[local]\nfence_command = %s/fence\n", sx.dir.path);
        configure("provider = local\ndevice = /dev/none", more);
        STEP(1, "fail device ", "fence-test");
        line_is("fail provider   local.fence_command: ");
        put_file(at(&sx.dir, "fence"), "#!/bin/sh\n");
        STEP(1, "is no program", "fence-test");
        chmod(at(&sx.dir, "fence"), 0777);
        STEP(1, "others than root may write", "fence-test");
        chmod(at(&sx.dir, "fence"), 0755);
        STEP(1, "is a program; what it does is not tried", "fence-test");
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, before, after)
        const struct CMUnitTest tests[] = {
                CASE(all_is_well),  CASE(what_is_missing_is_told), CASE(an_armed_guard_knows_them),
                CASE(the_provider), CASE(local_storage),
        };

        return cmocka_run_group_tests(tests, up, down);
}
