/* `hamon stack` as people and hooks call it: words, exit codes, the lease, the lock. Mounts are
 * made in a mount namespace of the test's own. */
#include "step_fixture.h"

#include "engine_fixture.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/mount.h>

static char volume[64];

static int start_all(void **unused)
{
        const char *lo[] = { "/bin/sh", "-c", "ip link set lo up", NULL };

        (void)unused;
        str_copy(volume, sizeof volume, "/tmp/mha-volume.XXXXXX");
        if (unshare(CLONE_NEWNS | CLONE_NEWNET) < 0 ||
            mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 || !mkdtemp(volume) ||
            step_up() < 0)
                return -1;
        pid_t pid = start(lo, NULL, NULL, 0);
        return wait_end(&pid) == 0 ? fake_docker_start(&fake) : -1;
}

static int stop_all(void **unused)
{
        (void)unused;
        umount2(volume, MNT_DETACH);
        rmdir(volume);
        fake_docker_stop(&fake);
        step_down();
        return 0;
}

/* A redis that is needed and an ofelia that is not, both stopped; a warm clamd that runs. */
static int set_up(void **unused)
{
        (void)unused;
        lease_reset();
        step_configure("[docker]\nsocket = %s\nproject = mailcow\n"
                       "[volume]\nprovider = local\ndevice = /dev/null\nmount = %s\n"
                       "[stack]\nstop_timeout = 2s\ndrain_timeout = 0s\n"
                       "active = redis-mailcow ofelia-mailcow\nwarm = clamd-mailcow\n"
                       "optional = ofelia-mailcow\n",
                       fake.socket, volume);
        if (mount("test", volume, "tmpfs", 0, NULL) < 0)
                return -1;
        say("reset");
        say("add 1 service=redis-mailcow state=exited");
        say("add 1 service=ofelia-mailcow state=exited");
        say("add 1 service=clamd-mailcow");
        return 0;
}

static int tear_down(void **unused)
{
        (void)unused;
        umount2(volume, MNT_DETACH);
        return 0;
}

static void out_has(const char *part)
{
        if (!strstr(sx.ran.out, part))
                fail_msg("no \"%s\" in: %s", part, sx.ran.out);
}

static void test_words(void **state)
{
        (void)state;
        STEP(64, "usage: hamon stack start|stop|restart|drain|reload", "stack");
        STEP(64, "usage: hamon stack", "stack", "boil");
        STEP(64, "unexpected argument: more", "stack", "status", "more");
        STEP(64, "unexpected argument: --set", "stack", "status", "--set", "ignored");
        STEP(64, "--set wants warm or active: none", "stack", "start", "--set");
        STEP(64, "--set wants warm or active: all", "stack", "stop", "--json", "--set", "all");
        STEP(64, "unexpected argument: --set", "stack", "drain", "--set", "warm");
        STEP(64, "unexpected argument: --no-lease", "stack", "stop", "--no-lease");
}

static void test_life(void **state)
{
        (void)state;
        STEP(0, "stack start: 1 of 1 had to be started\n", "stack", "start", "--without",
             "redis-mailcow");
        STEP(0, "stack start: 1 of 2 had to be started\n", "stack", "start");
        STEP(0, "redis-mailcow            active   running    none       restart=no\n", "stack",
             "status");
        out_has("ofelia-mailcow           active   running    none       restart=no (optional)\n");
        out_has("clamd-mailcow            warm     running ");
        STEP(0, "clamd", "stack", "status", "--set", "warm");
        assert_null(strstr(sx.ran.out, "redis"));
        STEP(0, "\"result\":\"done\"", "stack", "stop", "--json");
        out_has("{\"service\":\"redis-mailcow\",\"set\":\"active\",\"optional\":false,"
                "\"state\":\"exited\",\"health\":\"none\",\"restart\":\"no\",\"changed\":true,"
                "\"error\":\"\"}");
        out_has("\"message\":\"2 of 2 had to be stopped\"");
        assert_null(strstr(sx.ran.out, "clamd"));
        STEP(0, "\"result\":\"already\"", "stack", "stop", "--json");
        STEP(0, "1 of 1 had to be stopped\n", "stack", "stop", "--set", "warm");
        STEP(0, "\"services\":[{\"service\":\"redis-mailcow\"", "stack", "status", "--json");
}

/* One service that is named, of the set that is named. */
static void test_start_only(void **state)
{
        (void)state;
        say("add 1 service=mysql-mailcow state=exited");
        say("die clamd-mailcow 0");
        STEP(0, "stack start: 1 of 1 had to be started\n", "stack", "start", "--set", "warm",
             "--only", "clamd-mailcow");
        STEP(0, "clamd-mailcow            warm     running ", "stack", "status");
        out_has("redis-mailcow            active   exited ");
        STEP(1, "redis-mailcow: no container of the warm set\n", "stack", "start", "--set", "warm",
             "--only", "redis-mailcow");
        STEP(1, "nobody: no container of the active set\n", "stack", "start", "--only", "nobody");
        STEP(0, "1 of 1 had to be started\n", "stack", "start", "--only", "redis-mailcow");
        STEP(64, "--only names one service; it wants no --part\n", "stack", "start", "--only",
             "redis-mailcow", "--part", "early");
        STEP(64, "unexpected argument: --only", "stack", "drain", "--only", "redis-mailcow");
}

/* One service alone, with little time to end, and only where it may be started again. */
static void test_restart(void **state)
{
        (void)state;
        STEP(64, "want --only SERVICE", "stack", "restart");
        STEP(1, "nginx-mailcow: no container of the active set", "stack", "restart", "--only",
             "nginx-mailcow");
        STEP(1, "clamd-mailcow: no container of the active set", "stack", "restart", "--only",
             "clamd-mailcow");
        say("set redis-mailcow state=running");
        say("set redis-mailcow stop_ms=60000"); /* deaf, but for SIGKILL */
        msec_t began = clock_ms();
        STEP(0, "stack restart: it runs anew", "stack", "restart", "--only", "redis-mailcow");
        assert_in_range(clock_ms() - began, 500, 15000);
        const char *deeds = say("deeds");
        assert_non_null(strstr(deeds, "start:redis-mailcow"));
        assert_null(strstr(deeds, "ofelia-mailcow"));
        STEP(0, "\"state\":\"running\"", "stack", "status", "--json");

        say("set redis-mailcow state=paused");
        STEP(0, "it runs anew", "stack", "restart", "--only", "redis-mailcow");
        assert_non_null(strstr(say("deeds"), "unpause:redis-mailcow"));
        say("die redis-mailcow"); /* meanwhile: it is only started */
        STEP(0, "it runs anew", "stack", "restart", "--only", "redis-mailcow");

        sx.lease->mood = LEASE_NO;
        STEP(1, "we do not have the lease", "stack", "restart", "--only", "redis-mailcow");
        lease_reset();
        umount2(volume, MNT_DETACH);
        STEP(1, "the volume is not mounted", "stack", "restart", "--only", "redis-mailcow");
        assert_null(strstr(say("deeds"), "stop:ofelia"));
}

/* rspamd needs nothing of the volume, unless somebody put it there. */
static void test_early(void **state)
{
        char text[256];

        (void)state;
        say("add 1 service=rspamd-mailcow state=exited");
        umount2(volume, MNT_DETACH);
        STEP(64, "--part wants all, mail, early or rest: most", "stack", "start", "--part", "most");
        sx.lease->mood = LEASE_NO;
        STEP(1, "we do not have the lease", "stack", "start", "--part", "early");
        lease_reset();
        STEP(0, "stack start: 1 of 1 had to be started\n", "stack", "start", "--part", "early");
        assert_non_null(strstr(say("deeds"), "start:rspamd-mailcow"));
        assert_null(strstr(say("deeds"), "start:redis-mailcow"));
        STEP(1, "the volume is not mounted", "stack", "start", "--part", "mail");

        say("die rspamd-mailcow");
        snprintf(text, sizeof text, "set rspamd-mailcow source=%s/rspamd", volume);
        say(text);
        STEP(0, "stack start: 0 of 0 had to be started\n", "stack", "start", "--part", "early");
        snprintf(text, sizeof text, "set rspamd-mailcow source=%s-else/rspamd", volume);
        say(text);
        STEP(0, "stack start: 1 of 1 had to be started\n", "stack", "start", "--part", "early");

        say("start redis-mailcow");
        say("start ofelia-mailcow");
        STEP(0, "stack stop: 1 of 1 had to be stopped\n", "stack", "stop", "--part", "rest");
        assert_non_null(strstr(say("deeds"), "stop/2:ofelia-mailcow"));
        assert_null(strstr(say("deeds"), "/2:redis-mailcow"));
}

static void test_lease(void **state)
{
        (void)state;
        sx.lease->mood = LEASE_NO;
        STEP(1, "stack start: we do not have the lease: n9 has it", "stack", "start");
        STEP(0, "0 of 1 had to be started", "stack", "start", "--set", "warm");
        STEP(0, "0 of 2 had to be stopped", "stack", "stop"); /* warm, and stops: no lease */
        assert_null(strstr(say("deeds"), "start:"));
        sx.lease->mood = LEASE_STUCK; /* ours, but no renewal commits: it is proven by nothing */
        STEP(75, "no renewal of the lease was committed in time", "stack", "start");
        assert_null(strstr(say("deeds"), "start:"));

        lease_reset();
        setenv("HAMON_EPOCH", "11", 1);
        STEP(1, "the lease is in epoch 12, this was started for 11", "stack", "start");
        setenv("HAMON_EPOCH", "12", 1);
        STEP(0, "2 of 2", "stack", "start");
        unsetenv("HAMON_EPOCH");

        say("die redis-mailcow");
        sx.lease->mood = LEASE_NO;
        STEP(64, "asks on a terminal", "stack", "start", "--no-lease");
        STEP(0, "1 of 2", "stack", "start", "--no-lease", "--yes");
}

/* Lost while the first one starts: the second one is not started any more. */
static void test_lease_runs_out(void **state)
{
        (void)state;
        say("set ofelia-mailcow start_ms=300");
        say("set redis-mailcow depends=ofelia-mailcow:service_started:false");
        sx.lease->mood = LEASE_OURS;
        sx.lease->lag = 0;
        STEP(0, "2 of 2 had to be started", "stack", "start"); /* 9 s are enough for both */
        unsigned asked = sx.lease->asked;
        assert_in_range(asked, 1, 3);

        say("die redis-mailcow");
        say("die ofelia-mailcow");
        sx.lease->valid = 600; /* not for long: asked again before the second */
        say("set ofelia-mailcow start_ms=700");
        pid_t pid = step_start((const char *const[]){ "stack", "start", NULL }, at(&sx.dir, "err"));
        EVENTUALLY(strstr(say("deeds"), "most=1") &&
                   strstr(fake.reply, "start:ofelia-mailcow most"));
        sx.lease->mood = LEASE_NO;
        assert_int_equal(wait_end(&pid), 1);
        assert_true(file_has(at(&sx.dir, "err"), "we do not have the lease: n9 has it"));
        const char *deeds = say("deeds"), *last = strrchr(deeds, ':');
        assert_non_null(last);
        assert_true(strncmp(last, ":ofelia-mailcow", 15) == 0);
}

static void test_volume(void **state)
{
        (void)state;
        umount2(volume, MNT_DETACH);
        STEP(1, "stack start: the volume is not mounted on /tmp/mha-volume", "stack", "start");
        assert_null(strstr(say("deeds"), "start:"));
        STEP(0, "0 of 1", "stack", "start", "--set", "warm");
}

static int listen_on(unsigned short port)
{
        struct sockaddr_in in = { .sin_family = AF_INET,
                                  .sin_port = htons(port),
                                  .sin_addr = { .s_addr = htonl(INADDR_LOOPBACK) } };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof in), 0);
        assert_int_equal(listen(fd, 8), 0);
        return fd;
}

static bool shell_says(const char *command)
{
        const char *argv[] = { "/bin/sh", "-c", command, NULL };
        pid_t pid = start(argv, NULL, NULL, 0);

        return wait_end(&pid) == 0;
}

static bool door_is_closed(void)
{
        return shell_says("nft list table inet hamon_door >/dev/null 2>&1");
}

/* SMTP may come in, IMAP may not. */
static bool door_is_ajar(void)
{
        return shell_says("nft get element inet hamon_door ports '{ 143 }' >/dev/null 2>&1 && "
                          "! nft get element inet hamon_door ports '{ 25 }' >/dev/null 2>&1");
}

/* Nobody new comes in, those who are in end, and only then postfix; the next start opens again. */
static void test_drain(void **state)
{
        char command[64];
        CLEANUP(closep) int fd = -1;

        (void)state;
        say("start redis-mailcow");
        say("add 1 service=postfix-mailcow");
        snprintf(command, sizeof command, "set postfix-mailcow pid=%d", getpid());
        say(command);
        assert_false(door_is_closed());
        STEP(0, "stack drain: no new mail is taken; 0 sessions had to be cut", "stack", "drain");
        assert_string_equal(say("deeds"), "stop/2:postfix-mailcow most=1");
        assert_true(door_is_closed());
        STEP(0, "\"message\":\"nobody takes mail here\"", "stack", "drain", "--json");
        out_has("\"result\":\"already\"");
        STEP(0, "1 of 3 had to be stopped", "stack", "stop");
        assert_true(door_is_closed()); /* until the address has moved, and a minute more */
        pid_t pid = step_start((const char *const[]){ "stack", "start", NULL }, NULL);
        EVENTUALLY(strstr(say("deeds"), "start:postfix-mailcow"));
        for (msec_t end = clock_ms() + 300; clock_ms() < end; nap())
                assert_int_equal(ended(&pid), -1); /* its process does not listen yet */
        assert_true(door_is_closed());
        fd = listen_on(25);
        assert_int_equal(wait_end(&pid), 0);
        assert_false(door_is_closed());
}

/* Where postfix runs its master is told; who is told has a test of its own. */
static void test_reload(void **state)
{
        char command[64];

        (void)state;
        STEP(0, "\"message\":\"nobody takes mail here\"", "stack", "reload", "--json");
        out_has("\"result\":\"already\"");
        say("add 1 service=postfix-mailcow");
        snprintf(command, sizeof command, "set postfix-mailcow pid=%d", getpid());
        say(command);
        STEP(75, "stack reload: postfix-mailcow: postfix does not run in it", "stack", "reload");
        say("set postfix-mailcow pid=0");
        STEP(75, "postfix does not run in it", "stack", "reload");
        STEP(64, "unexpected argument: --only", "stack", "reload", "--only", "redis-mailcow");
        assert_string_equal(say("deeds"), " most=0");
}

#define REDIS "start:redis-mailcow"

/* While services start newcomers wait; where somebody answers already there is nothing to close. */
static void test_door(void **state)
{
        CLEANUP(closep) int fd = -1;

        (void)state;
        say("set redis-mailcow start_ms=1500");
        pid_t pid = step_start((const char *const[]){ "stack", "start", NULL }, NULL);
        EVENTUALLY(strstr(say("deeds"), REDIS));
        assert_true(door_is_closed());
        assert_int_equal(wait_end(&pid), 0);
        assert_false(door_is_closed());

        fd = listen_on(25);
        say("die redis-mailcow");
        pid = step_start((const char *const[]){ "stack", "start", NULL }, NULL);
        EVENTUALLY(strstr(strstr(say("deeds"), REDIS) + 1, REDIS)); /* once more */
        assert_false(door_is_closed());
        assert_int_equal(wait_end(&pid), 0);
}

/* What taking mail needs comes first, and mail is let in before the others have come. */
static void test_mail_first(void **state)
{
        char command[64];
        CLEANUP(closep) int fd = -1;

        (void)state;
        say("add 1 service=nginx-mailcow state=exited");
        say("add 1 service=postfix-mailcow state=exited");
        snprintf(command, sizeof command, "set postfix-mailcow pid=%d", getpid());
        say(command);
        say("set nginx-mailcow start_ms=5000");
        pid_t pid = step_start((const char *const[]){ "stack", "start", NULL }, NULL);
        EVENTUALLY(strstr(say("deeds"), "start:postfix-mailcow"));
        fd = listen_on(25);
        EVENTUALLY(door_is_ajar());
        assert_int_equal(ended(&pid), -1);
        assert_int_equal(wait_end(&pid), 0);
        const char *deeds = say("deeds");
        assert_true(strstr(deeds, "start:postfix-mailcow") < strstr(deeds, "start:nginx-mailcow"));
        assert_true(strstr(deeds, "start:redis-mailcow") < strstr(deeds, "start:nginx-mailcow"));
        assert_false(door_is_closed());
        STEP(0, "0 of 4", "stack", "start");
}

static void test_missing(void **state)
{
        (void)state;
        say("forget ofelia-mailcow");
        STEP(0, "(optional) no container: ofelia-mailcow", "stack", "start");
        say("clear");
        STEP(1, "no container: redis-mailcow: create them", "stack", "start");
        STEP(0, "0 of 0", "stack", "stop"); /* then nothing runs */
}

static void test_no_engine(void **state)
{
        (void)state;
        say("refuse");
        STEP(75, "stack stop: the Docker engine is not running", "stack", "stop");
        STEP(75, "\"result\":\"temporary\"", "stack", "status", "--json");
        STEP(75, "the Docker engine is not running", "stack", "drain");
        say("listen");
}

/* Two steps at once wait for one another; looking waits for nobody. */
static void test_lock(void **state)
{
        (void)state;
        int fd = open(at(&sx.dir, "step-stack.lock"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        assert_int_equal(flock(fd, LOCK_EX), 0);
        STEP(0, "redis", "stack", "status");
        pid_t pid = step_start((const char *const[]){ "stack", "start", NULL }, NULL);
        for (msec_t end = clock_ms() + 300; clock_ms() < end; nap())
                assert_int_equal(ended(&pid), -1);
        assert_null(strstr(say("deeds"), "start:"));
        close(fd);
        assert_int_equal(wait_end(&pid), 0);
        assert_non_null(strstr(say("deeds"), "start:redis-mailcow"));
}

static void set_schema(const char *schema)
{
        put_file(at(&sx.dir, "data/web/inc/init_db.inc.php"), "<?php\n  $db_version = \"%s\";\n",
                 schema);
}

/* A Mailcow that is older than one that has served from this volume would spoil the database. */
static void test_schema(void **state)
{
        char mark[96], said[128];

        (void)state;
        assert_int_equal(make_parents(at(&sx.dir, "data/web/inc/x")), 0);
        snprintf(mark, sizeof mark, "%s/.hamon-schema", volume);
        snprintf(said, sizeof said, "rm %s/.hamon-schema", volume);
        set_schema("30062026_1500");
        STEP(0, "2 of 2 had to be started", "stack", "start");
        assert_true(file_holds(mark, "30062026_1500\n"));
        say("die redis-mailcow");
        set_schema("05082026_1130"); /* an upgrade */
        STEP(0, "1 of 2", "stack", "start");
        assert_true(file_holds(mark, "05082026_1130\n"));

        say("die redis-mailcow");
        set_schema("30062026_1500");
        STEP(1,
             "(schema 05082026_1130), and the one here (of no known version, schema 30062026_1500)",
             "stack", "start");
        STEP(1, said, "stack", "start", "--part", "mail");
        STEP(1, "hamon upgrade", "stack", "restart", "--only", "redis-mailcow");
        STEP(0, "", "stack", "start", "--part", "early"); /* needs no database */
        STEP(0, "", "stack", "start", "--set", "warm");
        assert_true(file_holds(mark, "05082026_1130\n"));

        put_file(mark, "rubbish\n"); /* proves nothing */
        STEP(0, "1 of 2", "stack", "start");
        assert_true(file_holds(mark, "30062026_1500\n"));
        say("die redis-mailcow");
        set_schema("unheard of");
        STEP(0, "1 of 2", "stack", "start");
        assert_true(file_holds(mark, "30062026_1500\n"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(test_words),          TEST(test_life),       TEST(test_lease),
                TEST(test_lease_runs_out), TEST(test_restart),    TEST(test_volume),
                TEST(test_drain),          TEST(test_reload),     TEST(test_door),
                TEST(test_missing),        TEST(test_start_only), TEST(test_early),
                TEST(test_no_engine),      TEST(test_lock),       TEST(test_mail_first),
                TEST(test_schema),
        };

        return cmocka_run_group_tests(tests, start_all, stop_all);
}
