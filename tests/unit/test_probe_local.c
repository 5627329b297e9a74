/* The probes that are not a published port: a container's own address, which the Docker engine
 * tells, and the volume. Mounts are made in a mount namespace of the test's own. */
#include "tests/unit/probe_fixture.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

static void say(const char *command)
{
        assert_true(fake_docker_say(&fx.fake, command));
        WAIT(fake_docker_answered(&fx.fake));
        if (strncmp(fx.fake.reply, "ok", 2) != 0)
                fail_msg("%s: %s", command, fx.fake.reply);
}

static unsigned long lists(void)
{
        say("stats");
        const char *p = strstr(fx.fake.reply, "\"list\": ");
        assert_non_null(p);
        return strtoul(p + strlen("\"list\": "), NULL, 10);
}

/* ---- rspamd ---- */

static void test_address(void **state)
{
        (void)state;
        double_start(&fx.server, &fx.loop,
                     &(struct double_script){
                             .answers = { { "GET /ping", "HTTP/1.1 200 OK\r\n\r\npong\r\n" } } });
        struct probes_config c = config_of(PROBE_RSPAMD, NULL, fx.server.port);
        say("reset");
        begin_with(&c);
        ask();
        assert_told(RES_FAIL, REASON_PROBE_REFUSED, "its container does not run");

        say("add 1 service=rspamd-mailcow project=another");
        say("add 1 service=rspamd-mailcow state=exited");
        ask();
        assert_told(RES_FAIL, REASON_PROBE_REFUSED, "its container does not run");

        say("add 1 service=rspamd-mailcow");
        say("set rspamd-mailcow address=127.0.0.1");
        ask();
        assert_told(RES_PASS, REASON_OK, "answers");
        unsigned long n = lists();
        say("mode all hang"); /* the address is known: the engine is not needed */
        ask();
        assert_told(RES_PASS, REASON_OK, "answers");
        say("mode all ok");
        assert_int_equal(lists(), n);

        say("set rspamd-mailcow address=127.0.0.2"); /* it was made anew: asked after a failure */
        fx.server.script.answers[0].answer = "HTTP/1.1 503 Not now\r\n\r\n";
        ask();
        assert_told(RES_FAIL, REASON_PROBE_BAD_ANSWER, "127.0.0.1:");
        ask();
        assert_told(RES_FAIL, REASON_PROBE_REFUSED, "127.0.0.2:");
        assert_int_equal(lists(), n + 1);
}

static void test_ill_engine(void **state)
{
        static const char *const MODES[] = { "500", "garbage", "close", "short", "hang" };
        struct probes_config c = config_of(PROBE_RSPAMD, NULL, 11334);
        char command[64];

        (void)state;
        say("reset");
        begin_with(&c);
        for (size_t i = 0; i < ARRAY_SIZE(MODES); i++) {
                snprintf(command, sizeof command, "mode list %s", MODES[i]);
                say(command);
                ask(); /* no news: the engine has a check of its own */
                assert_told(RES_SKIP, REASON_STARTING, "the Docker engine does not tell");
        }
}

/* ---- the volume ---- */

static void begin_volume(void)
{
        struct probes_config c = config_of(PROBE_VOLUME, NULL, 0);

        begin_with(&c);
}

static void mount_small(void)
{
        assert_int_equal(mount("test", fx.volume, "tmpfs", 0, "size=16k"), 0);
}

static void remount(unsigned long flags)
{
        assert_int_equal(mount(NULL, fx.volume, NULL, MS_REMOUNT | flags, NULL), 0);
}

static void probe_path(char *dst, size_t size)
{
        snprintf(dst, size, "%s/.hamon-probe", fx.volume);
}

static void fill(void)
{
        char path[128], block[4096] = { 0 };

        snprintf(path, sizeof path, "%s/full", fx.volume);
        FILE *f = fopen(path, "w");
        assert_non_null(f);
        while (fwrite(block, 1, sizeof block, f) == sizeof block && fflush(f) == 0)
                ;
        fclose(f);
}

static void test_volume(void **state)
{
        char path[128];

        (void)state;
        probe_path(path, sizeof path);
        begin_volume();
        ask();
        assert_told(RES_FAIL, REASON_VOLUME_NOT_MOUNTED, "not mounted");
        assert_int_not_equal(access(path, F_OK), 0); /* nothing is written beside it */

        mount_small();
        ask();
        assert_told(RES_PASS, REASON_OK, "can be written to");
        assert_int_not_equal(access(path, F_OK), 0); /* and nothing stays */

        remount(MS_RDONLY);
        ask();
        assert_told(RES_FAIL, REASON_VOLUME_READ_ONLY, "can no longer be written to");
        remount(0);
        fill();
        ask();
        assert_told(RES_PASS, REASON_VOLUME_FULL, "is full");

        unlink(path);
        assert_int_equal(symlink("/etc/passwd", path), 0); /* never through a link */
        ask();
        assert_told(RES_FAIL, REASON_VOLUME_IO_ERROR, "Too many levels of symbolic links");
        assert_int_equal(umount(fx.volume), 0);

        assert_int_equal(rmdir(fx.volume), 0);
        ask();
        assert_told(RES_FAIL, REASON_VOLUME_NOT_MOUNTED, "not mounted");
        assert_int_equal(mkdir(fx.volume, 0700), 0);
}

/* Opening a fifo for writing waits for a reader, as a dead disk does for ever. */
static void test_volume_hangs(void **state)
{
        char path[128];

        (void)state;
        probe_path(path, sizeof path);
        mount_small();
        assert_int_equal(mkfifo(path, 0600), 0);
        begin_volume();
        ask();
        assert_told(RES_FAIL, REASON_VOLUME_HUNG, "does not end");
        ask(); /* still, and at most one child at a time */
        assert_told(RES_FAIL, REASON_VOLUME_HUNG, "does not end");
        unlink(path);
        for (unsigned i = 0; fx.last.finding.result != RES_PASS && i < 100; i++)
                ask(); /* the killed one may not be gone yet */
        assert_told(RES_PASS, REASON_OK, "can be written to");

        assert_int_equal(mkfifo(path, 0600), 0);
        probes_run(fx.probes);
        turn();
        probes_free(take_ptr(fx.probes)); /* takes its child along */
        WAIT(umount(fx.volume) == 0);
}

static int start_all(void **unused)
{
        (void)unused;
        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
                return -1;
        str_copy(fx.volume, sizeof fx.volume, "/tmp/mha-volume.XXXXXX");
        return mkdtemp(fx.volume) ? fake_docker_start(&fx.fake) : -1;
}

static int stop_all(void **unused)
{
        (void)unused;
        umount2(fx.volume, MNT_DETACH);
        rmdir(fx.volume);
        fake_docker_stop(&fx.fake);
        return 0;
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                PROBE_TEST(test_address),
                PROBE_TEST(test_ill_engine),
                PROBE_TEST(test_volume),
                PROBE_TEST(test_volume_hangs),
        };

        return cmocka_run_group_tests(tests, start_all, stop_all);
}
