/* `hamon takeover --force` against a double of the daemon and one of the Hetzner API: who is fenced
 * and by what proof, what is refused without a name, and that no order is given before all is done.
 */
#include "tests/fake/fake_hetzner.h"
#include "tests/unit/step_fixture.h"

#define LOOK(bar, node, database)                                                             \
        "ok bar=" bar " node=" node " state=standby database=" database " members=1 nodes=3 " \
        "holder=n2\n"
#define NODE(name, is, fenced) \
        "node name=" name " is=" is " heard_ms=43000 in_view=no fenced=" fenced "\n"
#define TWO_SILENT   NODE("n2", "silent", "no") NODE("n3", "silent", "no")
#define ONE_SILENT   NODE("n2", "silent", "no") NODE("n3", "clean", "no")
#define UNFENCED(db) LOOK("unfenced", "n2", db)

static struct fake_hetzner fake = { .control = -1 };

static int up(void **unused)
{
        (void)unused;
        return step_up() < 0 ? -1 : fake_hetzner_start(&fake);
}

static int down(void **unused)
{
        (void)unused;
        fake_hetzner_stop(&fake);
        step_down();
        return 0;
}

#define CLUSTER "[cluster]\nnodes = n1=10.0.0.1 n2=10.0.0.2 n3=10.0.0.3\nsecret_file = %s/token\n"

static void hetzner(const char *poweroff)
{
        step_configure(CLUSTER "[volume]\nprovider = hetzner\nid = 7\nuuid = 1-2\nmount = %s/mnt\n"
                               "[hetzner]\napi_url = %s/v1\ntoken_file = %s/token\nserver = n1\n"
                               "poweroff = %s\n",
                       sx.dir.path, sx.dir.path, fake.url, sx.dir.path, poweroff);
}

static void local(const char *more)
{
        step_configure(CLUSTER "[volume]\nprovider = local\ndevice = /dev/mha\nuuid = 1-2\n"
                               "mount = %s/mnt\n%s",
                       sx.dir.path, sx.dir.path, more);
}

static void daemon_says(const char *first, const char *after)
{
        lease_reset();
        snprintf(sx.lease->look[0], sizeof sx.lease->look[0], "%s", first);
        snprintf(sx.lease->look[1], sizeof sx.lease->look[1], "%s", after);
        snprintf(sx.lease->outcome, sizeof sx.lease->outcome, "done n1 leads now");
}

static int before(void **unused)
{
        (void)unused;
        hetzner_say(&fake, "reset");
        put_file(at(&sx.dir, "token"), "rw-token\n");
        chmod(at(&sx.dir, "token"), 0600);
        hetzner("auto");
        daemon_says(UNFENCED("primary") TWO_SILENT, LOOK("none", "", "primary") TWO_SILENT);
        return 0;
}

#define HEARD(want) assert_string_equal(sx.lease->heard, want)

static void server_is(const char *id, const char *want)
{
        char status[32];

        snprintf(status, sizeof status, "\"%s\"", want);
        assert_string_equal(hetzner_say(&fake, "get server %s status", id), status);
}

static void words(void **unused)
{
        (void)unused;
        STEP(64, "hamon switchover", "takeover");
        STEP(64, "usage: hamon takeover --force", "takeover", "now");
        STEP(64, "unexpected argument: --json", "takeover", "--force", "--json");
        STEP(64, "--fence n9: no other node", "takeover", "--force", "--fence", "n2,n9");
        STEP(64, "--off n1: no other node", "takeover", "--force", "--off", "n1");
        HEARD("");
}

/* Nobody is fenced whose name was not given, and without all of them nothing is taken over. */
static void names_are_demanded(void **unused)
{
        (void)unused;
        STEP(1, "n2 may still write: let it be powered off with --fence n2", "takeover", "--force");
        assert_non_null(strstr(sx.ran.err, "n3 was last heard 43 s ago: whether it is off"));
        assert_non_null(strstr(sx.ran.err, "calls itself Primary with 1 of 3 nodes"));
        HEARD("");
        STEP(1, "--fence n2", "takeover", "--force", "--off",
             "n2"); /* it runs, says the provider */
        HEARD("");
        STEP(1, "--fence n3", "takeover", "--force", "--fence", "n2");
        HEARD("takeover fenced n2 poweroff;");
        server_is("42", "off");
        server_is("43", "running");
}

static void all_are_powered_off(void **unused)
{
        (void)unused;
        hetzner_say(&fake, "put server 43 status '\"off\"'");
        STEP(0, "n1 leads now", "takeover", "--force", "--fence", "n2");
        HEARD("takeover fenced n2 poweroff;takeover fenced n3 off;takeover go;");
        assert_int_equal(hetzner_stat(&fake, "poweroff"), 1);
        server_is("41", "running");
}

/* Who answers that it is clean is left alone. */
static void the_clean_are_left_alone(void **unused)
{
        (void)unused;
        daemon_says(UNFENCED("primary") ONE_SILENT, LOOK("none", "", "primary") ONE_SILENT);
        STEP(0, "n1 leads now", "takeover", "--force", "--fence", "n2,n3");
        HEARD("takeover fenced n2 poweroff;takeover go;");
        server_is("43", "running");
}

static void a_word_for_what_cannot_be_proven(void **unused)
{
        (void)unused;
        hetzner_say(&fake, "fault poweroff 9 protected");
        STEP(1, "only if it is surely off and stays off: --off n2", "takeover", "--force",
             "--fence", "n2,n3");
        HEARD("");
        STEP(0, "n1 leads now", "takeover", "--force", "--fence", "n2,n3", "--off", "n2,n3");
        HEARD("takeover fenced n2 word;takeover fenced n3 word;takeover go;");

        before(NULL);
        hetzner("never");
        STEP(1, "hetzner.poweroff = never", "takeover", "--force", "--fence", "n2,n3");
        STEP(0, "n1 leads now", "takeover", "--force", "--off", "n2,n3");
        assert_int_equal(hetzner_stat(&fake, "poweroff"), 0);
}

static void local_storage(void **unused)
{
        (void)unused;
        local("");
        STEP(1, "nobody can fence a node from here", "takeover", "--force", "--fence", "n2,n3");
        HEARD("");
        STEP(0, "n1 leads now", "takeover", "--force", "--off", "n2,n3");
        HEARD("takeover fenced n2 word;takeover fenced n3 word;takeover go;");

        before(NULL);
        local("[local]\nfence_command = /bin/true\n");
        STEP(1, "--fence n2", "takeover", "--force", "--off", "n2,n3");
        STEP(0, "n1 leads now", "takeover", "--force", "--fence", "n2,n3");
        HEARD("takeover fenced n2 poweroff;takeover fenced n3 poweroff;takeover go;");
}

/* Fenced first; then what to do with the database is said, and no order is given. */
static void no_quorum(void **unused)
{
        (void)unused;
        daemon_says(UNFENCED("no_quorum") TWO_SILENT,
                    LOOK("no_quorum", "", "no_quorum") TWO_SILENT);
        STEP(75, "hamon galera recover --accept-loss", "takeover", "--force", "--fence", "n2,n3");
        HEARD("takeover fenced n2 poweroff;takeover fenced n3 poweroff;");

        before(NULL);
        daemon_says(LOOK("no_quorum", "", "silent") NODE("n2", "clean", "no"), "");
        STEP(75, "hamon stack start --only mysql-mailcow", "takeover", "--force");
        HEARD("");
}

static void what_stands_against_it(void **unused)
{
        static const struct {
                const char *look;
                int code;
                const char *says;
        } ROWS[] = {
                { LOOK("leads", "", "primary"), 0, "this node leads" },
                { LOOK("busy", "", "primary"), 75, "has not read the lease yet" },
                { LOOK("maintenance", "", "primary"), 1, "hamon maintenance off" },
                { LOOK("no_guard", "", "primary"), 1, "the guard does not answer" },
                { LOOK("unasked", "n3", "primary"), 75, "n3 has not been asked yet" },
                { LOOK("holder_lives", "n2", "primary"), 1, "n2 answers and leads" },
                { LOOK("breaks_quorum", "", "primary"), 1, "without its quorum" },
                { LOOK("what", "", "primary"), 1, "the daemon says \"what\"" },
                { "ok nonsense\n", 1, "makes no sense" },
                { "error: this node is of no cluster\n", 1, "of no cluster" },
        };

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
                daemon_says(ROWS[i].look, "");
                STEP(ROWS[i].code, ROWS[i].says, "takeover", "--force", "--fence", "n2,n3");
                HEARD("");
        }
        daemon_says(UNFENCED("primary") TWO_SILENT, LOOK("holder_lives", "n3", "primary"));
        STEP(1, "n3 answers and leads", "takeover", "--force", "--fence", "n2,n3"); /* meanwhile */
        assert_null(strstr(sx.lease->heard, "go"));
}

static void an_order_that_fails(void **unused)
{
        (void)unused;
        snprintf(sx.lease->outcome, sizeof sx.lease->outcome, "failed it came to nothing");
        STEP(1, "it came to nothing", "takeover", "--force", "--fence", "n2,n3");
}

static void lease_verbs(void **unused)
{
        (void)unused;
        STEP(0, "n1 leads now", "lease", "take");
        HEARD("take;");
        STEP(0, "n1 leads now", "lease", "release");
        HEARD("take;release;");
        snprintf(sx.lease->outcome, sizeof sx.lease->outcome, "failed it came to nothing");
        STEP(1, "it came to nothing", "lease", "take");
        STEP(64, "lease: unexpected argument: --json", "lease", "take", "--json");
        STEP(64, "lease: unexpected argument: none", "lease");
        STEP(64, "lease: unexpected argument: seize", "lease", "seize");
}

/* ---- a person at a terminal ---- */

/* Each question gets one of `answers`. Returns the exit code. */
static int typed(const char *const *answers)
{
        const char *argv[] = { sx.hamon, "-c", sx.conf, "takeover", "--force", NULL };
        CLEANUP(closep) int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
        char name[64];

        assert_true(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
        str_copy(name, sizeof name, ptsname(master));
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                int tty = open(name, O_RDWR | O_NOCTTY);
                int out = open(at(&sx.dir, "typed"), O_WRONLY | O_CREAT | O_TRUNC, 0600);
                dup2(tty, STDIN_FILENO);
                dup2(out, STDOUT_FILENO);
                dup2(out, STDERR_FILENO);
                execv(argv[0], (char *const *)argv); /* NOLINT */
                _exit(127);
        }
        for (; *answers; answers++)
                assert_true(dprintf(master, "%s\n", *answers) > 0);
        return wait_end(&pid);
}

static void names_are_typed(void **unused)
{
        (void)unused;
        assert_int_equal(typed((const char *const[]){ "yes", NULL }), 1);
        HEARD("");
        assert_int_equal(typed((const char *const[]){ "n2", "n2", NULL }), 1);
        HEARD("takeover fenced n2 poweroff;");
        before(NULL);
        assert_int_equal(typed((const char *const[]){ "n2", "n3", NULL }), 0);
        HEARD("takeover fenced n2 poweroff;takeover fenced n3 poweroff;takeover go;");
        assert_true(file_has(at(&sx.dir, "typed"), "Type its name (n3) to say so"));
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup(f, before)
        const struct CMUnitTest tests[] = {
                CASE(words),
                CASE(names_are_demanded),
                CASE(all_are_powered_off),
                CASE(the_clean_are_left_alone),
                CASE(a_word_for_what_cannot_be_proven),
                CASE(local_storage),
                CASE(no_quorum),
                CASE(what_stands_against_it),
                CASE(an_order_that_fails),
                CASE(lease_verbs),
                CASE(names_are_typed),
        };

        return cmocka_run_group_tests(tests, up, down);
}
