/* `hamon store init` by the real program against a real mariadbd: makes everything, twice without
 * harm, gives hamon no more rights than it needs, and refuses tables of another shape. */
#include "tests/unit/harness.h"

#include "tests/unit/galera_server.h" /* its names are not for harness.h to see */

static struct tmp tmp;
static struct ran ran;
static char conf[160];

#define HAMON(...) RUN(&tmp, &ran, program("hamon"), "-c", conf, __VA_ARGS__)

static void assert_ran(int code, const char *out, const char *err)
{
        if (ran.code != code || (out ? !strstr(ran.out, out) : *ran.out) ||
            (err ? !strstr(ran.err, err) : *ran.err))
                fail_msg("exit %d (want %d)\nstdout: %s\nstderr: %s", ran.code, code, ran.out,
                         ran.err);
}

static int setup(void **unused)
{
        (void)unused;
        sql("DROP DATABASE IF EXISTS hamon");
        sql("DROP USER IF EXISTS hamon@'%'");
        assert_int_equal(tmp_make(&tmp), 0);
        str_copy(conf, sizeof conf, at(&tmp, "conf"));
        put_file(at(&tmp, "pass"), "o'dd\\word\n");
        chmod(at(&tmp, "pass"), 0600);
        put_file(conf,
                 "[node]\nname = n1\n[mailcow]\ndir = %s\n[galera]\nsocket = %s\n"
                 "password_file = %s\n",
                 tmp.path, path, at(&tmp, "pass"));
        return 0;
}

static int teardown(void **unused)
{
        (void)unused;
        tmp_remove(&tmp);
        return 0;
}

static bool as_hamon(const char *statement)
{
        MYSQL *my = mysql_init(NULL);
        bool ok = mysql_real_connect(my, NULL, "hamon", "o'dd\\word", "hamon", 0, path, 0) &&
                  mysql_query(my, statement) == 0;
        if (ok)
                mysql_free_result(mysql_store_result(my));
        mysql_close(my);
        return ok;
}

static void test_makes_all(void **unused)
{
        static const char *const MAY[] = {
                "SELECT * FROM lease",
                "UPDATE lease SET beat=beat+1 WHERE name='mail'",
                "INSERT INTO node (name) VALUES ('n1')",
                "DELETE FROM node",
                "INSERT INTO event (node) VALUES ('n1')",
                "DELETE FROM event",
        };
        static const char *const MAY_NOT[] = {
                "DELETE FROM lease",         "INSERT INTO lease (name) VALUES ('x')",
                "UPDATE event SET node='x'", "DROP TABLE node",
                "CREATE TABLE x (a INT)",    "SELECT * FROM mysql.user",
                "SET GLOBAL wsrep_desync=1",
        };

        (void)unused;
        for (int i = 0; i < 2; i++) {
                HAMON("store", "init");
                assert_ran(0, "are ready", NULL);
        }
        for (size_t i = 0; i < ARRAY_SIZE(MAY); i++)
                if (!as_hamon(MAY[i]))
                        fail_msg("may not: %s", MAY[i]);
        for (size_t i = 0; i < ARRAY_SIZE(MAY_NOT); i++)
                if (as_hamon(MAY_NOT[i]))
                        fail_msg("may: %s", MAY_NOT[i]);
        HAMON("store", "init"); /* the row is left as it is */
        assert_ran(0, "are ready", NULL);
        sql("DELETE FROM hamon.lease WHERE beat<>1");
        assert_false(try_sql("INSERT INTO hamon.lease (name) VALUES ('mail')"));
}

/* What --print shows can be run as it is, but for the password. */
static void test_print(void **unused)
{
        char *save = NULL, *copy;

        (void)unused;
        HAMON("store", "init", "--print");
        assert_ran(0, "CREATE TABLE IF NOT EXISTS `hamon`.lease", NULL);
        assert_null(strstr(ran.out, "o'dd"));
        assert_null(strstr(ran.out, "word\n"));
        assert_false(try_sql("SELECT * FROM hamon.lease")); /* nothing was done */
        copy = strchr(ran.out, '\n') + 1;
        for (char *s = strtok_r(copy, ";", &save); s; s = strtok_r(NULL, ";", &save))
                if (strlen(s) > 1)
                        sql(s);
        sql("ALTER USER hamon@'%' IDENTIFIED BY 'o\\'dd\\\\word'");
        HAMON("store", "init");
        assert_ran(0, "are ready", NULL);
}

static void test_other_shapes(void **unused)
{
        static const char *const ODD[] = {
                "ALTER TABLE hamon.lease MODIFY epoch INT NOT NULL",
                "ALTER TABLE hamon.lease ADD COLUMN more INT",
                "ALTER TABLE hamon.lease DROP COLUMN since",
                "ALTER TABLE hamon.node ENGINE=Aria",
                "ALTER TABLE hamon.node MODIFY name VARCHAR(63) CHARACTER SET ascii NOT NULL",
                "ALTER TABLE hamon.node DROP PRIMARY KEY",
                "ALTER TABLE hamon.event MODIFY detail VARCHAR(1000) COLLATE utf8mb4_bin NULL",
        };

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(ODD); i++) {
                sql("DROP DATABASE IF EXISTS hamon");
                HAMON("store", "init");
                assert_ran(0, "are ready", NULL);
                sql(ODD[i]);
                HAMON("store", "init");
                assert_ran(1, NULL, "is of another shape");
                assert_non_null(strstr(ran.err, "rename it"));
        }
        sql("DROP DATABASE hamon");
        sql("CREATE DATABASE hamon"); /* refused before anything is made */
        sql("CREATE TABLE hamon.event (x INT)");
        HAMON("store", "init");
        assert_ran(1, NULL, "hamon.event is of another shape");
        assert_false(try_sql("SELECT * FROM hamon.lease"));
}

static void test_lease_status(void **unused)
{
        (void)unused;
        HAMON("lease", "status");
        assert_ran(75, NULL, "cannot be read");
        HAMON("store", "init");
        HAMON("lease", "status");
        assert_ran(0, "holder=- incarnation=0000000000000000 epoch=0 beat=0\n", NULL);
        sql("UPDATE hamon.lease SET holder='n2',incarnation=255,epoch=18446744073709551615");
        HAMON("lease", "status", "--json");
        assert_ran(0,
                   "{\"holder\":\"n2\",\"incarnation\":\"00000000000000ff\","
                   "\"epoch\":18446744073709551615,\"beat\":0}\n",
                   NULL);
        sql("UPDATE hamon.lease SET holder='\"'");
        HAMON("lease", "status", "--json");
        assert_ran(1, NULL, "no name hamon would write");
        sql("DELETE FROM hamon.lease");
        HAMON("lease", "status");
        assert_ran(1, NULL, "hamon store init makes it");
        HAMON("lease");
        assert_ran(64, NULL, "unexpected argument");
        HAMON("lease", "status", "--more");
        assert_ran(64, NULL, "unexpected argument: --more");
}

static void test_mistakes(void **unused)
{
        (void)unused;
        HAMON("store");
        assert_ran(64, NULL, "say what to do");
        HAMON("store", "init", "--nonsense");
        assert_ran(64, NULL, "unexpected argument: --nonsense");
        HAMON("store", "init", "--user");
        assert_ran(64, NULL, "unexpected argument: --user");
        HAMON("store", "init", "--password-file", at(&tmp, "none"));
        assert_ran(78, NULL, "No such file");
        HAMON("store", "init", "--user", "nobody-of-that-name");
        assert_ran(1, NULL, "Access denied");
        sql("CREATE USER hamon@'%' IDENTIFIED BY 'another'");
        HAMON("store", "init");
        assert_ran(1, NULL, "had it another password before?");
}

/* Mailcow has root's password in its own file. */
static void test_root_of_mailcow(void **unused)
{
        (void)unused;
        sql("CREATE USER keeper@'%' IDENTIFIED BY 'k'");
        sql("GRANT ALL ON *.* TO keeper@'%' WITH GRANT OPTION");
        sql("ALTER USER root@localhost IDENTIFIED BY 'of mailcow'");
        put_file(at(&tmp, "mailcow.conf"), "DBROOT=wrong\n");
        HAMON("store", "init");
        int wrong = ran.code;
        put_file(at(&tmp, "mailcow.conf"), "DBROOT=\"of mailcow\"\n");
        HAMON("store", "init");
        MYSQL *my = mysql_init(NULL);
        assert_non_null(mysql_real_connect(my, NULL, "keeper", "k", NULL, 0, path, 0));
        assert_int_equal(mysql_query(my, "ALTER USER root@localhost IDENTIFIED BY ''"), 0);
        mysql_close(my);
        sql("DROP USER keeper@'%'");
        assert_int_equal(wrong, 1);
        assert_ran(0, "are ready", NULL);
        assert_true(as_hamon("SELECT * FROM lease"));
}

static int group_setup(void **unused)
{
        (void)unused;
        server_install();
        server_start(true);
        return 0;
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        const struct CMUnitTest tests[] = { CASE(test_makes_all),       CASE(test_print),
                                            CASE(test_other_shapes),    CASE(test_lease_status),
                                            CASE(test_root_of_mailcow), CASE(test_mistakes) };

        return cmocka_run_group_tests(tests, group_setup, server_group_teardown);
}
