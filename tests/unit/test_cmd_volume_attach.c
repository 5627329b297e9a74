/* `hamon volume attach` and `detach` against the double of the Hetzner API: from whom the volume is
 * taken, who is powered off, what is never done without the lease, and that whoever tries again
 * after any mishap gets there. */
#include "tests/fake/fake_hetzner.h"
#include "tests/unit/disk.h"
#include "tests/unit/step_fixture.h"

#include <sys/sysmacros.h>

static struct fake_hetzner fake = { .control = -1 };
static bool able;

static int up(void **unused)
{
        (void)unused;
        able = disk_able();
        return step_up() < 0 ? -1 : fake_hetzner_start(&fake);
}

static int down(void **unused)
{
        (void)unused;
        fake_hetzner_stop(&fake);
        step_down();
        return 0;
}

static void configure(const char *more)
{
        put_file(at(&sx.dir, "token"), "rw-token\n");
        chmod(at(&sx.dir, "token"), 0600);
        step_configure("[volume]\nprovider = hetzner\nid = 7\nmount = %s/mnt\n"
                       "[hetzner]\napi_url = %s/v1\ntoken_file = %s/token\nserver = n1\n%s",
                       sx.dir.path, fake.url, sx.dir.path, more);
}

static int before(void **unused)
{
        (void)unused;
        lease_reset();
        hetzner_say(&fake, "reset");
        unsetenv("HAMON_FROM");
        unsetenv("HAMON_FROM_SILENT");
        unsetenv("HAMON_UNCLEAN");
        configure("");
        return 0;
}

/* Whatever a test did: this is never done. */
static int after(void **unused)
{
        (void)unused;
        assert_int_equal(hetzner_stat(&fake, "double"), 0);
        assert_int_equal(hetzner_stat(&fake, "automount"), 0);
        assert_int_equal(hetzner_stat(&fake, "overlap"), 0);
        return 0;
}

static void server_is(const char *want)
{
        assert_string_equal(hetzner_say(&fake, "get volume 7 server"), want);
}

static unsigned long changes(void)
{
        static const char *const KINDS[] = { "attach", "detach", "poweroff", "label" };
        unsigned long sum = 0;

        for (size_t i = 0; i < ARRAY_SIZE(KINDS); i++)
                sum += hetzner_stat(&fake, KINDS[i]);
        return sum;
}

static void attach(void **unused)
{
        (void)unused;
        STEP(0, "attach volume 7 to server 41", "volume", "attach");
        server_is("41");
        STEP(0, "volume 7 is attached to us, server 41", "volume", "attach");
        assert_int_equal(changes(), 1);
        STEP(0, "\"step\":\"volume attach\",\"result\":\"already\"", "volume", "attach", "--json");
        STEP(0, "detach volume 7", "volume", "detach");
        server_is("null");
        STEP(0, "attached to none, not to us", "volume", "detach", "--json");
        assert_int_equal(changes(), 2);
}

/* ---- who is powered off ---- */

static void fences(void **unused)
{
        static const struct {
                const char *poweroff, *from, *silent; /* silent: environment, or "flag" */
                const char *fault;                    /* of the poweroff */
                int code;
                bool off, moved;
                const char *says;
        } ROWS[] = {
                { "auto", "", NULL, NULL, 0, false, true, "" },
                { "auto", "n1", NULL, NULL, 0, false, true, "" }, /* we led before */
                { "auto", "n2", NULL, NULL, 0, true, true, "" },  /* it did not release */
                { "auto", "n2", "0", NULL, 0, false, true, "" },
                { "auto", "n2", "1", NULL, 0, true, true, "" },
                { "auto", "n2", "flag", NULL, 0, true, true, "" },
                { "auto", "42", "1", NULL, 0, true, true, "" },
                { "auto", "n3", "1", NULL, 0, false, true, "which is not the silent node \"n3\"" },
                { "auto", "", "1", NULL, 0, false, true, "which is not the silent node \"\"" },
                { "auto", "n2", "1", "protected", 0, false, true, "it is detached without" },
                { "never", "n2", "1", NULL, 0, false, true, "" },
                { "always", "n2", NULL, NULL, 0, true, true, "" },
                { "always", "n3", NULL, NULL, 0, true, true, "" },
                { "always", "n2", "1", "protected", 1, false, false, "protected" },
        };
        char more[64];

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
                bool flag = ROWS[i].silent && strcmp(ROWS[i].silent, "flag") == 0;

                before(NULL);
                snprintf(more, sizeof more, "poweroff = %s\n", ROWS[i].poweroff);
                configure(more);
                hetzner_say(&fake, "put volume 7 server 42");
                if (ROWS[i].fault)
                        hetzner_say(&fake, "fault poweroff 9 %s", ROWS[i].fault);
                setenv("HAMON_FROM", ROWS[i].from, 1);
                if (ROWS[i].silent && !flag)
                        setenv("HAMON_FROM_SILENT", ROWS[i].silent, 1);
                STEP(ROWS[i].code, ROWS[i].says, "volume", "attach", flag ? "--silent" : "--json");
                server_is(ROWS[i].moved ? "41" : "42");
                assert_string_equal(hetzner_say(&fake, "get server 42 status"),
                                    ROWS[i].off ? "\"off\"" : "\"running\"");
                assert_string_equal(hetzner_say(&fake, "get server 41 status"), "\"running\"");
        }
}

/* Power off first, then detach: the other way round it is no fence. */
static void order(void **unused)
{
        (void)unused;
        hetzner_say(&fake, "put volume 7 server 42");
        hetzner_say(&fake, "act poweroff 1 stuck");
        setenv("HAMON_FROM", "n2", 1);
        setenv("HAMON_FROM_SILENT", "1", 1);
        pid_t pid = step_start((const char *const[]){ "volume", "attach", NULL }, NULL);
        EVENTUALLY(hetzner_stat(&fake, "poweroff") == 1);
        EVENTUALLY(hetzner_stat(&fake, "polls") > 2);
        assert_int_equal(hetzner_stat(&fake, "detach"), 0);
        server_is("42");
        end_child(&pid);
}

/* ---- the lease ---- */

/* Gone at each moment there is: what was sent before stands, nothing is sent after. How often it
 * asks for one fresh commit depends on how busy the machine is. */
static void lease_goes(void **unused)
{
        bool stopped_at[4] = { false };
        int last = -1;

        (void)unused;
        for (unsigned n = 1; n < 60 && last != 0; n++) {
                before(NULL);
                hetzner_say(&fake, "put volume 7 server 42");
                setenv("HAMON_FROM", "n2", 1);
                sx.lease->no_after = n;
                step_run((const char *const[]){ "volume", "attach", NULL });
                last = sx.ran.code;
                unsigned long sent = changes(); /* poweroff, detach, attach */
                assert_in_range(sent, 0, 3);
                stopped_at[sent] = true;
                server_is(sent == 3 ? "41" : sent == 2 ? "null" : "42");
                if (last != 0)
                        step_expect(1, "we do not have the lease: n9 has it");
        }
        assert_int_equal(last, 0);
        assert_true(stopped_at[0] && stopped_at[1] && stopped_at[2] && stopped_at[3]);
}

/* Every change had its own fresh commit: the daemon was asked at least twice for each. */
static void fresh_for_each(void **unused)
{
        (void)unused;
        hetzner_say(&fake, "put volume 7 server 42");
        STEP(0, "attach volume 7", "volume", "attach");
        assert_int_equal(changes(), 2);
        assert_in_range(sx.lease->asked, 6, 60); /* to begin, detach, attach: twice each */
        assert_true(sx.lease->renewed == sx.lease->asked);
}

/* Frozen in the middle of waiting for an action: what comes after is not sent. */
static void frozen(void **unused)
{
        const char *err = at(&sx.dir, "err");

        (void)unused;
        hetzner_say(&fake, "put volume 7 server 42");
        hetzner_say(&fake, "action-ms 800");
        pid_t pid = step_start((const char *const[]){ "volume", "attach", NULL }, err);
        EVENTUALLY(hetzner_stat(&fake, "detach") == 1);
        kill(pid, SIGSTOP);
        for (msec_t thaw = clock_ms() + 2600; clock_ms() < thaw;)
                nap();
        server_is("null");
        kill(pid, SIGCONT);
        assert_int_equal(wait_end(&pid), 75);
        assert_true(file_has(at(&sx.dir, "err"), "did not run for"));
        assert_int_equal(hetzner_stat(&fake, "attach"), 0);
}

/* ---- mishaps ---- */

/* The API fails at each place; a hook that tries again gets there, and nothing is done twice. */
static void tried_again(void **unused)
{
        static const char *const FAULTS[] = {
                "fault volume 40 unavailable", "fault server 40 status 502", "act detach 1 stuck",
                "act attach 1 stuck",          "fault attach 40 locked",     "fault any 40 429 0",
        };

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(FAULTS); i++) {
                before(NULL);
                hetzner_say(&fake, "put volume 7 server 42");
                hetzner_say(&fake, "%s", FAULTS[i]);
                for (int tries = 0; tries < 5; tries++) { /* a stalled machine renews too late */
                        step_run((const char *const[]){ "volume", "attach", "--timeout", "700ms",
                                                        NULL });
                        if (!strstr(sx.ran.err, "no renewal of the lease"))
                                break;
                }
                step_expect(75, "not within");
                hetzner_say(&fake, "reset");
                hetzner_say(&fake, "put volume 7 server 42");
                STEP(0, "attach volume 7", "volume", "attach");
                server_is("41");
        }
        before(NULL);
        hetzner_say(&fake, "fault any 9 unauthorized");
        STEP(1, "does not know this token", "volume", "attach");
}

/* It moved between our two looks: it is taken from nobody but the one we decided about. */
static void never_from_a_third(void **unused)
{
        char err[160];

        (void)unused;
        str_copy(err, sizeof err, at(&sx.dir, "err"));
        unlink(err);
        hetzner_say(&fake, "put volume 7 server 42");
        hetzner_say(&fake, "fault volume 1 slow 800");
        pid_t pid = step_start((const char *const[]){ "volume", "attach", NULL }, err);
        EVENTUALLY(hetzner_stat(&fake, "requests") >= 2); /* who we are, where the volume is */
        hetzner_say(&fake, "put volume 7 server 43");
        assert_int_equal(wait_end(&pid), 1);
        assert_true(file_has(err, "it is attached to server 43, not to server 42"));
        server_is("43");
        assert_int_equal(changes(), 0);
}

/* ---- detach ---- */

static void detach_refusals(void **unused)
{
        struct disk d = { .device = "" };
        char more[256], where[160];

        (void)unused;
        hetzner_say(&fake, "put volume 7 server 42");
        STEP(0, "attached to server 42, not to us", "volume", "detach");
        server_is("42");
        sx.lease->mood = LEASE_NO;
        STEP(1, "we do not have the lease", "volume", "detach");
        sx.lease->mood = LEASE_OURS;
        if (!able)
                skip();

        disk_make(&sx.dir, &d, "disk", DISK_UUID, 8);
        snprintf(more, sizeof more, "[volume]\nprovider = hetzner\nid = 7\ndevice = %s\n",
                 d.device);
        step_configure("%smount = %s/mnt\n[hetzner]\napi_url = %s/v1\ntoken_file = %s/token\n"
                       "server = n1\n",
                       more, sx.dir.path, fake.url, sx.dir.path);
        hetzner_say(&fake, "put volume 7 server 41");
        str_copy(where, sizeof where, at(&sx.dir, "mnt"));
        assert_int_equal(mkdir(where, 0755), 0);
        assert_int_equal(mount(d.device, where, "ext4", 0, NULL), 0);
        STEP(1, "hamon volume umount first", "volume", "detach");
        assert_int_equal(umount(where), 0);
        int fd = open(d.device, O_RDONLY | O_EXCL | O_CLOEXEC);
        STEP(75, "still holds /dev/loop", "volume", "detach");
        assert_int_equal(changes(), 0);
        close(fd);
        STEP(0, "detach volume 7", "volume", "detach");
        server_is("null");
        disk_detach(&d);
        rmdir(where);
}

/* ---- a shared device ---- */

static void shared(void **unused)
{
        static const struct {
                const char *from, *fence, *watchdog; /* fence: body of the command */
                int code;
                const char *says, *fenced;
        } ROWS[] = {
                { "", "exit 0", "off", 0, "attach /", "" },   /* released */
                { "n1", "exit 0", "off", 0, "attach /", "" }, /* it was us */
                { "n2", "exit 0", "off", 0, "attach /", "n2" },
                { "n2", "exit 3", "auto", 1, "ended with 3", "n2" },
                { "n2", "exit 75", "auto", 75, "try again", "n2" },
                { "n2", NULL, "off", 1, "there is no way to keep it from writing", "" },
                { "n2", NULL, "optional", 1, "there is no way to keep it from writing", "" },
                { "n2", NULL, "auto", 0, "its watchdog has reset it", "" },
                { "n2", NULL, "required", 0, "its watchdog has reset it", "" },
        };
        char fence[160], log[160], line[200];

        (void)unused;
        str_copy(fence, sizeof fence, at(&sx.dir, "fence"));
        str_copy(log, sizeof log, at(&sx.dir, "fenced"));
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
                unlink(fence);
                put_file(fence, "#!/bin/sh\nprintf %%s \"$1\" >%s\n%s\n", log,
                         ROWS[i].fence ? ROWS[i].fence : "");
                chmod(fence, 0700);
                put_file(log, "%s", "");
                snprintf(line, sizeof line, "fence_command = %s\n", fence);
                step_configure("[volume]\nprovider = local\ndevice = %s/shared\nmount = %s/mnt\n"
                               "[watchdog]\nmode = %s\n[local]\n%s",
                               sx.dir.path, sx.dir.path, ROWS[i].watchdog,
                               ROWS[i].fence ? line : "");
                if (access(at(&sx.dir, "shared"), F_OK) < 0 &&
                    mknod(at(&sx.dir, "shared"), S_IFBLK | 0600, makedev(7, 0)) < 0)
                        skip(); /* never opened */
                setenv("HAMON_FROM", ROWS[i].from, 1);
                STEP(ROWS[i].code, ROWS[i].says, "volume", "attach");
                assert_true(file_holds(log, ROWS[i].fenced));
        }
        step_configure("[volume]\nprovider = local\ndevice = %s/shared\nmount = %s/mnt\n"
                       "[local]\nfence_command = %s\n",
                       sx.dir.path, sx.dir.path, fence);
        /* R: everybody who does not say that it is clean, also when nobody was robbed */
        put_file(fence, "#!/bin/sh\nprintf '%%s ' \"$1\" >>%s\n", log);
        put_file(log, "%s", "");
        setenv("HAMON_FROM", "", 1);
        setenv("HAMON_UNCLEAN", "n3 n1 n2", 1);
        STEP(0, "attach /", "volume", "attach");
        assert_true(file_holds(log, "n3 n2 ")); /* n1 is us */
        put_file(log, "%s", "");
        setenv("HAMON_FROM", "n2", 1);
        setenv("HAMON_FROM_SILENT", "0", 1); /* it answers, and says that it is dirty */
        setenv("HAMON_UNCLEAN", "n2", 1);
        STEP(0, "attach /", "volume", "attach");
        assert_true(file_holds(log, "n2 "));
        put_file(log, "%s", "");
        setenv("HAMON_UNCLEAN", "", 1);
        STEP(0, "attach /", "volume", "attach");
        assert_true(file_holds(log, ""));
        unsetenv("HAMON_UNCLEAN");

        setenv("HAMON_FROM", "", 1); /* silent, and nobody says who */
        setenv("HAMON_FROM_SILENT", "1", 1);
        step_configure("[volume]\nprovider = local\ndevice = %s/shared\nmount = %s/mnt\n"
                       "[local]\nfence_command = %s\n",
                       sx.dir.path, sx.dir.path, fence);
        STEP(1, "nobody says who it was", "volume", "attach");
}

/* ---- without lease ---- */

static void repair(void **unused)
{
        (void)unused;
        sx.lease->mood = LEASE_SILENT;
        hetzner_say(&fake, "put volume 7 server 42");
        STEP(0, "attach volume 7", "volume", "attach", "--no-lease", "--yes");
        server_is("41");
        hetzner_say(&fake, "put volume 7 server 43");
        STEP(0, "detach volume 7", "volume", "detach", "--no-lease", "--yes");
        server_is("null");
        assert_int_equal(sx.lease->asked, 0);
}

/* On a terminal: script(1) makes one. */
static void asks(void **unused)
{
        static const struct {
                const char *typed;
                int code;
                const char *server;
        } ROWS[] = { { "no", 1, "42" }, { "", 1, "42" }, { "y", 1, "42" }, { "yes", 0, "41" } };
        char command[1200];

        (void)unused;
        if (access("/usr/bin/script", X_OK) < 0)
                skip();
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
                before(NULL);
                hetzner_say(&fake, "put volume 7 server 42");
                snprintf(command, sizeof command,
                         "echo %s | script -qec '%s -c %s volume attach --no-lease' /dev/null",
                         ROWS[i].typed, sx.hamon, sx.conf);
                RUN(&sx.dir, &sx.ran, "/bin/sh", "-c", command);
                step_expect(ROWS[i].code, "attached to server 42. If that one still has it");
                server_is(ROWS[i].server);
        }
}

/* ---- label ---- */

static void label(void **unused)
{
        (void)unused;
        STEP(0, "label volume 7", "volume", "label");
        assert_non_null(strstr(hetzner_say(&fake, "get volume 7 labels"), "\"hamon\": \"n1.12\""));
        assert_non_null(strstr(hetzner_say(&fake, "get volume 7 labels"), "\"owner\""));
        STEP(0, "label volume 7", "volume", "label");
        assert_int_equal(hetzner_stat(&fake, "label"), 1);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, before, after)

int main(void)
{
        const struct CMUnitTest tests[] = {
                CASE(attach),          CASE(fences), CASE(order),       CASE(lease_goes),
                CASE(fresh_for_each),  CASE(frozen), CASE(tried_again), CASE(never_from_a_third),
                CASE(detach_refusals), CASE(shared), CASE(repair),      CASE(asks),
                CASE(label),
        };

        return cmocka_run_group_tests(tests, up, down);
}
