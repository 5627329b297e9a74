/* What every step shares, seen from outside with `hamon ip` and `hamon volume` on nothing that
 * moves: its words, the lock, the lease in all its moods, the clock. */
#include "hamon/step.h"
#include "tests/unit/step_fixture.h"

#include <dirent.h>
#include <sys/file.h>

static int up(void **unused)
{
        (void)unused;
        return step_up();
}

static int down(void **unused)
{
        (void)unused;
        step_down();
        return 0;
}

static int before(void **unused)
{
        (void)unused;
        lease_reset();
        unsetenv("HAMON_EPOCH");
        step_configure("[volume]\nprovider = local\ndevice = /dev/null\nmount = %s/mnt\n",
                       sx.dir.path);
        return 0;
}

#define NO_DEVICE "there is no such block device here"

static void grants(void **unused)
{
        static const struct {
                const char *line;
                int want;
                bool ok;
                uint64_t epoch, incarnation;
                const char *reason;
        } ROWS[] = {
                { "ok epoch=12 valid_ms=900 renewed_ms=5 holder=n1\n", 0, true, 12, 0, "" },
                { "ok holder=n1 renewed_ms=0 x=y valid_ms=0 epoch=18446744073709551615", 0, true,
                  UINT64_MAX, 0, "" },
                { "ok epoch=1 valid_ms=1 renewed_ms=1 holder=n1 incarnation=00000000000000ff\n", 0,
                  true, 1, 255, "" },
                { "no reason=\"n2 has it\"\n", 0, false, 0, 0, "n2 has it" },
                { "no\n", 0, false, 0, 0, "the lease is not ours" },
                { "error: only root may ask that\n", 0, false, 0, 0, "only root may ask that" },
                { "ok epoch=0 valid_ms=900 renewed_ms=5 holder=n1\n", -EBADMSG, false, 0, 0, "" },
                { "ok epoch=12 valid_ms=900 renewed_ms=5 holder=\n", -EBADMSG, false, 0, 0, "" },
                { "ok epoch=12 valid_ms=-1 renewed_ms=5 holder=n1\n", -EBADMSG, false, 0, 0, "" },
                { "ok epoch=12 valid_ms=900 holder=n1\n", -EBADMSG, false, 0, 0, "" },
                { "ok epoch=12 renewed_ms=5 holder=n1\n", -EBADMSG, false, 0, 0, "" },
                { "ok myepoch=12 valid_ms=900 renewed_ms=5 holder=n1\n", -EBADMSG, false, 0, 0,
                  "" },
                { "ok epoch=12 valid_ms=900 renewed_ms=5 holder=n1 incarnation=ff\n", -EBADMSG,
                  false, 0, 0, "" },
                { "ok epoch=1 valid_ms=99999999999999999999 renewed_ms=5 holder=n1\n", -EBADMSG,
                  false, 0, 0, "" },
                { "okay\n", -EBADMSG, false, 0, 0, "" },
                { "nobody\n", -EBADMSG, false, 0, 0, "" },
                { "", -EBADMSG, false, 0, 0, "" },
        };

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
                struct step_grant g = { .ok = false };
                last_heard = ROWS[i].line;
                assert_int_equal(step_parse_grant(ROWS[i].line, &g), ROWS[i].want);
                assert_int_equal(g.ok, ROWS[i].ok);
                assert_true(g.epoch == ROWS[i].epoch && g.incarnation == ROWS[i].incarnation);
                assert_string_equal(g.reason, ROWS[i].reason);
        }
}

static void words(void **unused)
{
        (void)unused;
        STEP(64, "usage: hamon volume attach|detach", "volume");
        STEP(64, "usage: hamon volume", "volume", "wipe");
        STEP(64, "usage: hamon ip assign", "ip", "--json");
        STEP(64, "volume attach: unexpected argument: --fast", "volume", "attach", "--fast");
        STEP(64, "unexpected argument: --no-lease", "volume", "umount", "--no-lease", "--yes");
        STEP(64, "unexpected argument: --silent", "volume", "detach", "--silent");
        STEP(64, "only together with --no-lease: --yes", "volume", "attach", "--yes");
        STEP(64, "without one add --yes: --no-lease", "volume", "attach", "--no-lease");
        STEP(64, "--timeout wants a time", "volume", "attach", "--timeout");
        STEP(64, "--timeout wants a time", "volume", "attach", "--timeout", "7");
        STEP(64, "--timeout wants a time", "volume", "attach", "--timeout", "0s");
        assert_int_equal(sx.lease->asked, 0);

        const char *argv[] = { program_for_all(&sx.dir), "-c", sx.conf, "volume", "umount", NULL };
        run_as(&sx.dir, 65534, &sx.ran, argv);
        step_expect(77, "only root may do this");

        step_configure("[volume]\nprovder = local\n");
        STEP(78, "provder", "volume", "attach");
        step_configure("%s", "");
        STEP(78, "[volume] provider and mount must be set", "volume", "attach");
}

/* ---- the lease ---- */

static void lease_needed(void **unused)
{
        static const struct {
                enum lease_mood mood;
                const char *env, *holder;
                int code;
                const char *says;
        } ROWS[] = {
                { LEASE_OURS, NULL, "n1", 75, NO_DEVICE },
                { LEASE_OURS, "12", "n1", 75, NO_DEVICE },
                { LEASE_NO, NULL, "n1", 1, "we do not have the lease: n9 has it" },
                { LEASE_STUCK, NULL, "n1", 75, "no renewal of the lease was committed in time" },
                { LEASE_ENDING, NULL, "n1", 75, "no renewal" },
                { LEASE_SILENT, NULL, "n1", 75, "does not say whether the lease is ours" },
                { LEASE_GARBAGE, NULL, "n1", 75, "does not say whether the lease is ours" },
                { LEASE_OURS, "11", "n1", 1, "in epoch 12, this was started for 11" },
                { LEASE_OURS, NULL, "n2", 1, "the lease is held by n2, and this is n1" },
        };

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
                lease_reset();
                sx.lease->mood = ROWS[i].mood;
                str_copy(sx.lease->holder, sizeof sx.lease->holder, ROWS[i].holder);
                if (ROWS[i].env)
                        setenv("HAMON_EPOCH", ROWS[i].env, 1);
                else
                        unsetenv("HAMON_EPOCH");
                STEP(ROWS[i].code, ROWS[i].says, "volume", "attach", "--timeout", "700ms");
                assert_true(sx.lease->asked_for ==
                            (ROWS[i].env ? strtoull(ROWS[i].env, NULL, 10) : 0));
        }
}

/* R: the daemon goes by another volume, or another place for it. */
static void config_in_force(void **unused)
{
        (void)unused;
        setenv("HAMON_CONFIG_MARK", "0123456789abcdef", 1);
        STEP(1, "wants a restart", "volume", "attach");
        assert_int_equal(sx.lease->asked, 0);
        STEP(0, "is mounted", "volume", "umount");
        unsetenv("HAMON_CONFIG_MARK");
        STEP(75, NO_DEVICE, "volume", "attach", "--timeout", "500ms");
}

/* What was renewed before we asked counts for nothing, however short ago that was. */
static void fresh_commit(void **unused)
{
        (void)unused;
        STEP(75, NO_DEVICE, "volume", "attach", "--timeout", "500ms");
        assert_in_range(sx.lease->asked, 2, 20); /* the first answer is never enough */
        lease_reset();
        sx.lease->lag = 100; /* each renewal known now had begun 100 ms before */
        STEP(75, NO_DEVICE, "volume", "attach", "--timeout", "900ms");
        assert_in_range(sx.lease->asked, 4, 60);
        lease_reset();
        sx.lease->lag = 600; /* and none is young enough, though they began after we asked */
        STEP(75, "no renewal of the lease was committed in time", "volume", "attach", "--timeout",
             "1500ms");
}

static void no_daemon(void **unused)
{
        (void)unused;
        step_configure("[volume]\nprovider = local\ndevice = /dev/null\nmount = %s/mnt\n"
                       "[control]\nsocket = %s/nobody\n",
                       sx.dir.path, sx.dir.path);
        STEP(78, "given twice", "volume", "attach");
        put_file(sx.conf,
                 "[mailcow]\ndir = %s\n[volume]\nprovider = local\ndevice = /dev/null\n"
                 "mount = %s/mnt\n[control]\nsocket = %s/nobody\n",
                 sx.dir.path, sx.dir.path, sx.dir.path);
        STEP(75, "does not say whether the lease is ours", "volume", "attach", "--timeout",
             "700ms");
        STEP(75, NO_DEVICE, "volume", "attach", "--no-lease", "--yes", "--timeout", "500ms");
}

/* ---- json ---- */

static void json(void **unused)
{
        (void)unused;
        STEP(75, "\"step\":\"volume attach\",\"result\":\"temporary\",\"message\":", "volume",
             "attach", "--json", "--timeout", "500ms");
        step_expect(75, "\"epoch\":12}");
        sx.lease->mood = LEASE_NO;
        STEP(1, "\"result\":\"failed\",\"message\":\"we do not have the lease", "volume", "attach",
             "--json");
        STEP(0, "\"result\":\"already\"", "volume", "umount", "--json");
        assert_string_equal(sx.ran.err, "");
}

/* ---- one at a time ---- */

static void lock(void **unused)
{
        const char *path = at(&sx.dir, "step-volume.lock");
        CLEANUP(closep) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

        (void)unused;
        assert_true(fd >= 0);
        assert_int_equal(flock(fd, LOCK_EX), 0);
        assert_true(dprintf(fd, "volume mount, process 7\n") > 0);
        STEP(75, "another step is still under way: volume mount, process 7", "volume", "attach",
             "--timeout", "300ms");
        assert_int_equal(sx.lease->asked, 0);

        /* it goes on as soon as the other has ended */
        pid_t pid = step_start((const char *const[]){ "volume", "umount", NULL }, NULL);
        EVENTUALLY(file_has(path, "process 7"));
        assert_int_equal(ended(&pid), -1);
        flock(fd, LOCK_UN);
        assert_int_equal(wait_end(&pid), 0);
}

/* ---- frozen ---- */

static bool has_open(pid_t pid, const char *path)
{
        char dir[64], link[320], target[160];
        bool found = false;

        snprintf(dir, sizeof dir, "/proc/%d/fd", (int)pid);
        DIR *d = opendir(dir);
        for (const struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d)) {
                snprintf(link, sizeof link, "%s/%s", dir, e->d_name);
                ssize_t n = readlink(link, target, sizeof target - 1);
                target[n > 0 ? n : 0] = '\0';
                found |= strcmp(target, path) == 0;
        }
        if (d)
                closedir(d);
        return found;
}

/* Stopped while it waits for the lock, longer than it may be; it goes on and does nothing more. */
static void frozen(void **unused)
{
        char path[160], err[160], comm[64];

        (void)unused;
        str_copy(path, sizeof path, at(&sx.dir, "step-volume.lock"));
        str_copy(err, sizeof err, at(&sx.dir, "err"));
        CLEANUP(closep) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        assert_int_equal(flock(fd, LOCK_EX), 0);
        pid_t pid = step_start((const char *const[]){ "volume", "attach", NULL }, err);
        snprintf(comm, sizeof comm, "/proc/%d/comm", (int)pid);
        EVENTUALLY(file_holds(comm, "hamond\n") && has_open(pid, path)); /* not what it inherited */
        kill(pid, SIGSTOP);
        for (msec_t thaw = clock_ms() + 2500; clock_ms() < thaw;)
                nap();
        flock(fd, LOCK_UN);
        kill(pid, SIGCONT);
        assert_int_equal(wait_end(&pid), 75);
        assert_true(file_has(err, "did not run for"));
        assert_int_equal(sx.lease->asked, 0);
}

#define CASE(f) cmocka_unit_test_setup(f, before)

int main(void)
{
        const struct CMUnitTest tests[] = {
                CASE(grants),       CASE(words),     CASE(lease_needed), CASE(config_in_force),
                CASE(fresh_commit), CASE(no_daemon), CASE(json),         CASE(lock),
                CASE(frozen),
        };

        return cmocka_run_group_tests(tests, up, down);
}
