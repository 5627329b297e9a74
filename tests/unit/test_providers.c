/* `hamon volume status` and `hamon ip status`, the real programs, against the double of the Hetzner
 * API; what they say, how they end, and that the token is nowhere to be seen. */
#include "tests/fake/fake_hetzner.h"

#include "hamon/config.h"
#include <sys/resource.h>

static struct fake_hetzner fake = { .control = -1 };
static struct tmp dir;
static struct ran ran;
static char hamon[512];

static int start_all(void **unused)
{
        (void)unused;
        if (tmp_make(&dir) < 0)
                return -1;
        str_copy(hamon, sizeof hamon, program("hamon"));
        return fake_hetzner_start(&fake);
}

static int stop_all(void **unused)
{
        (void)unused;
        fake_hetzner_stop(&fake);
        tmp_remove(&dir);
        return 0;
}

static void configure(const char *token, const char *more)
{
        hetzner_say(&fake, "reset");
        put_file(at(&dir, "token"), "%s\n", token);
        chmod(at(&dir, "token"), 0600);
        put_file(at(&dir, "conf"),
                 "[node]\nname = n1\n[mailcow]\ndir = %s\n[hetzner]\napi_url = %s/v1\n"
                 "token_file = %s/token\n%s",
                 dir.path, fake.url, dir.path, more);
        chmod(at(&dir, "conf"), 0644);
}

#define HETZNER "[volume]\nprovider = hetzner\nid = 7\n[ip]\nprovider = hetzner\nid = 9, 10\n"

static void verb(const char *what, const char *flag)
{
        const char *const argv[] = { hamon, "-c", at(&dir, "conf"), what, "status", flag, NULL };

        run_as(&dir, 0, &ran, argv);
        assert_null(strstr(ran.out, "-token"));
        assert_null(strstr(ran.err, "-token"));
}

static void expect(int code, const char *out, const char *err)
{
        if (ran.code != code || (out ? !strstr(ran.out, out) : *ran.out) ||
            (err ? !strstr(ran.err, err) : *ran.err))
                fail_msg("exit %d, not %d\nstdout: %s\nstderr: %s", ran.code, code, ran.out,
                         ran.err);
}

static void volume(void **unused)
{
        (void)unused;
        configure("rw-token", HETZNER);
        verb("volume", NULL);
        expect(0, "volume 7: attached to none, available, device /dev/disk/by-id/", NULL);
        hetzner_say(&fake, "put volume 7 server 42");
        verb("volume", NULL);
        expect(0, "volume 7: attached to 42, available", NULL);
        verb("volume", "--json");
        expect(0, "{\"provider\":\"hetzner\",\"id\":\"7\",\"result\":\"done\"", NULL);
        expect(0, "\"server\":\"42\",\"location\":\"fsn1\",\"status\":\"available\"", NULL);
}

static void addresses(void **unused)
{
        (void)unused;
        configure("rw-token", HETZNER);
        hetzner_say(&fake, "put ip 10 server 43");
        verb("ip", NULL);
        expect(0, "address 198.51.100.9: not assigned", NULL);
        expect(0, "address 2001:db8:9::: at 43", NULL);
        verb("ip", "--json");
        expect(0, "\"address\":\"198.51.100.9\",\"server\":\"\"", NULL);
        hetzner_say(&fake, "remove ip 10");
        verb("ip", NULL);
        expect(1, "198.51.100.9", "floating IP 10: there is none");
}

static void refusals(void **unused)
{
        (void)unused;
        configure("wrong-token", HETZNER);
        verb("volume", NULL);
        expect(1, NULL, "look at volume 7: volume 7: the API does not know this token");
        verb("volume", "--json");
        expect(1, "\"result\":\"failed\"", NULL);
        configure("rw-token", HETZNER);
        chmod(at(&dir, "token"), 0644);
        verb("volume", NULL);
        expect(78, NULL, "others can read it");
        configure("rw token", HETZNER);
        verb("volume", NULL);
        expect(78, NULL, "holds no token");
        configure("rw-token", "");
        verb("ip", NULL);
        expect(78, NULL, "names no provider");
        configure("rw-token", "[volume]\nprovider = local\ndevice = /dev/null\n");
        verb("volume", NULL);
        expect(1, NULL, "look at /dev/null: there is no such block device here");
        configure("rw-token", HETZNER);
        verb("volume", "--xml");
        expect(64, NULL, "usage: hamon volume status [--json]");
}

/* What a provider needs is asked for when the file is read. */
static void incomplete(void **unused)
{
        static const struct {
                const char *text, *says;
        } ROWS[] = {
                { "[volume]\nprovider = hetzner\n", "[volume] id must be the number" },
                { "[volume]\nprovider = hetzner\nid = mail\n", "[volume] id must be the number" },
                { "[volume]\nprovider = local\n", "[volume] device must be set" },
                { "[ip]\nprovider = hetzner\n", "[ip] id must name" },
                { "[ip]\nprovider = hetzner\nid = 9, x\n", "\"x\" is no number" },
                { "[ip]\nprovider = local\n", "[ip] address must be set" },
                { "[ip]\nprovider = cloud\n", "provider" },
        };

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
                configure("rw-token", ROWS[i].text);
                verb("volume", NULL);
                expect(78, NULL, ROWS[i].says);
        }
}

/* While it waits for an answer: nothing in its arguments or environment, and no core dump. */
static void secrecy(void **unused)
{
        const struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
        char path[64], here[512];
        struct rlimit before;
        int status;

        (void)unused;
        configure("rw-token", HETZNER);
        hetzner_say(&fake, "fault volume 1 hang");
        assert_non_null(getcwd(here, sizeof here));
        assert_int_equal(getrlimit(RLIMIT_CORE, &before), 0);
        setrlimit(RLIMIT_CORE, &all);
        const char *const argv[] = { hamon, "-c", at(&dir, "conf"), "volume", "status", NULL };
        assert_int_equal(chdir(dir.path), 0);
        pid_t pid = start(argv, NULL, NULL, 0);
        assert_int_equal(chdir(here), 0);
        setrlimit(RLIMIT_CORE, &before);
        EVENTUALLY(hetzner_stat(&fake, "requests") > 0);

        static const char *const FILES[] = { "cmdline", "environ" };
        for (size_t i = 0; i < ARRAY_SIZE(FILES); i++) {
                char text[16384] = "";
                snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, FILES[i]);
                CLEANUP(closep) int fd = open(path, O_RDONLY);
                assert_true(fd >= 0);
                ssize_t n = read(fd, text, sizeof text - 1);
                assert_true(n > 0);
                assert_null(memmem(text, (size_t)n, "rw-token", 8));
        }
        kill(pid, SIGABRT);
        EVENTUALLY(waitpid(pid, &status, WNOHANG) == pid);
        assert_false(WIFSIGNALED(status) && WCOREDUMP(status));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(volume),   cmocka_unit_test(addresses),
                cmocka_unit_test(refusals), cmocka_unit_test(incomplete),
                cmocka_unit_test(secrecy),
        };

        return cmocka_run_group_tests(tests, start_all, stop_all);
}
