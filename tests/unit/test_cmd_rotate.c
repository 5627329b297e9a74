/* `hamon rotate database` against a real mariadbd, and `hamon rotate secret` against a real peer:
 * at no step is there one that is shut out, and a run that was killed anywhere is gone on with. */
#include "tests/unit/harness.h"

#include "hamon/peer.h"

#include "tests/unit/galera_server.h" /* its names are not for harness.h to see */

static struct tmp tmp;
static struct ran ran;
static char conf[160];
static unsigned peer_port;
static pid_t other; /* n2 */

#define HAMON(...) RUN(&tmp, &ran, program("hamon"), "-c", conf, __VA_ARGS__)

static void assert_ran(int code, const char *out, const char *err)
{
        if (ran.code != code || (out ? !strstr(ran.out, out) : *ran.out) ||
            (err ? !strstr(ran.err, err) : *ran.err))
                fail_msg("exit %d (want %d)\nstdout: %s\nstderr: %s", ran.code, code, ran.out,
                         ran.err);
}

static void put_secret(const char *name, const char *text)
{
        unlink(at(&tmp, name));
        put_file(at(&tmp, name), "%s", text);
        assert_int_equal(chmod(at(&tmp, name), 0600), 0);
}

static int setup(void **unused)
{
        (void)unused;
        sql("DROP DATABASE IF EXISTS hamon");
        sql("DROP USER IF EXISTS hamon@'%'");
        assert_int_equal(tmp_make(&tmp), 0);
        str_copy(conf, sizeof conf, at(&tmp, "conf"));
        peer_port = free_port();
        put_secret("pass", "o'ld\n");
        put_secret("secret", "the first secret of the cluster\n");
        put_file(conf,
                 "[node]\nname = n1\n[mailcow]\ndir = %s\n[galera]\nsocket = %s\n"
                 "password_file = %s/pass\n[cluster]\nnodes = n1=127.0.0.11 n2=127.0.0.12\n"
                 "secret_file = %s/secret\n[peer]\nlisten = 127.0.0.11:%u\n[volume]\n"
                 "provider = local\ndevice = /dev/null\nmount = /mnt/x\n"
                 "uuid = e4caf530-1b2c-4d3e-8f90-0123456789ab\n[watchdog]\nmode = off\n",
                 tmp.path, path, tmp.path, tmp.path, peer_port);
        HAMON("store", "init");
        assert_ran(0, "are ready", NULL);
        return 0;
}

static int teardown(void **unused)
{
        (void)unused;
        if (other > 0) {
                kill(other, SIGKILL);
                waitpid(other, NULL, 0);
                other = 0;
        }
        tmp_remove(&tmp);
        return 0;
}

/* ---- the database ---- */

static bool log_in(const char *password)
{
        MYSQL *my = mysql_init(NULL);
        bool ok = mysql_real_connect(my, NULL, "hamon", password, NULL, 0, path, 0) != NULL;

        mysql_close(my);
        return ok;
}

static char *password(void)
{
        static char text[128];

        slurp(at(&tmp, "pass"), text, sizeof text);
        text[strcspn(text, "\n")] = '\0';
        return text;
}

static void assert_both(void)
{
        struct stat st;

        assert_int_equal(strlen(password()), 64);
        assert_true(log_in(password()));
        assert_true(log_in("o'ld"));
        assert_int_equal(stat(at(&tmp, "pass"), &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
        assert_true(access(at(&tmp, "pass.new"), F_OK) < 0);
}

static void test_database(void **unused)
{
        (void)unused;
        HAMON("rotate", "database");
        assert_ran(0, "hamon init --copy n2 --run", NULL);
        assert_null(strstr(ran.out, password()));
        assert_both();
        HAMON("rotate", "database"); /* a third one would end the first, which n2 may have */
        assert_ran(1, NULL, "takes two passwords already");
        assert_both();
        HAMON("rotate", "database", "--finish");
        assert_ran(1, NULL, "say --yes");
        assert_both();
        HAMON("rotate", "database", "--finish", "--yes");
        assert_ran(0, "has ended", NULL);
        assert_true(log_in(password()));
        assert_false(log_in("o'ld"));
        HAMON("rotate", "database", "--finish", "--yes");
        assert_ran(0, "nothing to do", NULL);
        HAMON("store", "init"); /* with the new one */
        assert_ran(0, "are ready", NULL);
}

#define FRESH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* After each of its writes. */
static void test_database_killed(void **unused)
{
        static const struct {
                bool altered, replaced;
        } AFTER[] = { { false, false }, { true, false }, { true, true } };

        for (size_t i = 0; i < ARRAY_SIZE(AFTER); i++) {
                put_secret("pass.new", FRESH "\n");
                if (AFTER[i].altered)
                        sql("ALTER USER hamon@'%' IDENTIFIED VIA mysql_native_password USING "
                            "PASSWORD('o\\'ld') OR mysql_native_password USING PASSWORD('" FRESH
                            "')");
                if (AFTER[i].replaced)
                        put_secret("pass", FRESH "\n");
                HAMON("rotate", "database", "--finish", "--yes");
                if (AFTER[i].altered)
                        assert_ran(1, NULL, "run it again first");
                HAMON("rotate", "database");
                assert_ran(0, "has a new password", NULL);
                assert_string_equal(password(), FRESH);
                assert_both();
                teardown(unused);
                setup(unused);
        }
}

static void test_database_refused(void **unused)
{
        (void)unused;
        sql("DROP USER hamon@'%'");
        HAMON("rotate", "database");
        assert_ran(1, NULL, "asked as root");
        assert_string_equal(password(), "o'ld");
        assert_true(access(at(&tmp, "pass.new"), F_OK) < 0);
}

/* ---- the secret ---- */

static void on_question(void *arg, const char *from, enum peer_command command, const char *words,
                        struct buf *out)
{
        (void)arg;
        (void)from;
        (void)command;
        (void)words;
        buf_adds(out, "ok");
}

static void be_peer(const char *secret, const char *second)
{
        const struct peer_node nodes[] = { { "n1", "127.0.0.11", peer_port },
                                           { "n2", "127.0.0.12", peer_port } };
        const struct peer_config c = { .address = "127.0.0.12",
                                       .port = peer_port,
                                       .nodes = nodes,
                                       .n_nodes = 2,
                                       .me = 1,
                                       .secret = secret,
                                       .other = second };
        struct loop l;
        struct peer *p;

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (loop_init(&l) == 0 && peer_new(&l, &c, on_question, NULL, &p) == 0)
                loop_run(&l);
        _exit(1);
}

static void n2_has(const char *secret, const char *second)
{
        struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)peer_port) };
        msec_t end = clock_ms() + PATIENCE;

        if (other > 0) {
                kill(other, SIGKILL);
                waitpid(other, NULL, 0);
        }
        fflush(NULL);
        other = fork();
        if (other == 0)
                be_peer(secret, second);
        inet_pton(AF_INET, "127.0.0.12", &a.sin_addr);
        for (int r = -1; r < 0;) {
                struct timespec pause = { .tv_nsec = 10000000 };
                int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
                r = connect(fd, (struct sockaddr *)&a, sizeof a);
                close(fd);
                assert_true(clock_ms() < end);
                nanosleep(&pause, NULL);
        }
}

static void test_secret(void **unused)
{
        static char text[256], again[256];

        (void)unused;
        HAMON("rotate", "secret", "--finish");
        assert_ran(0, "nothing to do", NULL);
        HAMON("rotate", "secret");
        assert_ran(0, "hamon init --copy n2 --run", NULL);
        slurp(at(&tmp, "secret"), text, sizeof text);
        assert_int_equal(strcspn(text, "\n"), 64);
        assert_string_equal(text + 65, "the first secret of the cluster\n");
        HAMON("rotate", "secret"); /* no third one */
        assert_ran(0, "already", NULL);
        slurp(at(&tmp, "secret"), again, sizeof again);
        assert_string_equal(again, text);

        text[64] = '\0';
        HAMON("rotate", "secret", "--finish");
        assert_ran(1, NULL, "n2 does not take the new secret yet");
        n2_has("the first secret of the cluster", NULL);
        HAMON("rotate", "secret", "--finish");
        assert_ran(1, NULL, "the old secret stays until they do");
        slurp(at(&tmp, "secret"), again, sizeof again);
        assert_string_equal(again + 65, "the first secret of the cluster\n");
        n2_has(text, "the first secret of the cluster");
        HAMON("rotate", "secret", "--finish");
        assert_ran(0, "the new secret alone", NULL);
        slurp(at(&tmp, "secret"), again, sizeof again);
        assert_int_equal(strlen(again), 65);
        assert_memory_equal(again, text, 64);
}

static void test_mistakes(void **unused)
{
        (void)unused;
        HAMON("rotate");
        assert_ran(64, NULL, "say what");
        HAMON("rotate", "key");
        assert_ran(64, NULL, "not key");
        HAMON("rotate", "token", "--finish");
        assert_ran(64, NULL, "unexpected argument: --finish");
        HAMON("rotate", "token");
        assert_ran(1, NULL, "there is no token");
}

static int group_setup(void **unused)
{
        (void)unused;
        server_install();
        server_start(false);
        return 0;
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        const struct CMUnitTest tests[] = { CASE(test_database), CASE(test_database_killed),
                                            CASE(test_database_refused), CASE(test_secret),
                                            CASE(test_mistakes) };

        return cmocka_run_group_tests(tests, group_setup, server_group_teardown);
}
