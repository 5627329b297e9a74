/* One statement after the other on one connection, each waited for. The tables are compared with
 * what they should be before anything is changed, so that a database of another shape is refused
 * untouched; every statement may be said again. */
#include "hamon/cmd_store.h"

#include "hamon/config.h"
#include "hamon/mailcow.h"
#include "hamon/store_sql.h"
#include "hamon/verb.h"
#include "lib/secret.h"
#include "lib/sql.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

enum { CONNECT_MS = 5000, ANSWER_MS = 60000, STATEMENT_MAX = 16 * 1024, ADMIN_ERROR = 1 };

struct words { /* of the command line */
        bool print;
        const char *user, *password_file;
};

struct talk {
        struct loop loop;
        struct sql *sql;
        struct store_names names;
        enum store_table table; /* whose shape is looked at */
        bool failed, odd;
        size_t n_rows;
};

/* ---- one statement, waited for ---- */

static void check_shape(struct talk *t, const struct sql_answer *a)
{
        const char *const *row;
        char want[128];

        while ((row = sql_row(a)) && !t->odd) {
                if (!store_sql_shape_row(t->table, t->n_rows++, row[0] ? row[0] : "", want,
                                         sizeof want)) {
                        t->odd = true;
                        fprintf(stderr,
                                "hamon: table %s.%s is of another shape: it has \"%s\", not "
                                "\"%s\"; "
                                "rename it and run this again\n",
                                t->names.database, STORE_TABLES[t->table], row[0] ? row[0] : "",
                                want);
                }
        }
        if (t->n_rows > 0 && !t->odd &&
            !store_sql_shape_row(t->table, t->n_rows, "", want, sizeof want)) {
                t->odd = true;
                fprintf(stderr,
                        "hamon: table %s.%s is of another shape: it lacks \"%s\"; rename it and "
                        "run "
                        "this again\n",
                        t->names.database, STORE_TABLES[t->table], want);
        }
}

static void on_answer(void *arg, const struct sql_answer *a)
{
        struct talk *t = arg;

        t->failed = a->end != SQL_DONE;
        if (t->failed)
                fprintf(stderr, "hamon: the database says: %s\n", a->text);
        else if (a->columns == 1)
                check_shape(t, a);
        loop_stop(&t->loop);
}

static bool say(struct talk *t, const struct buf *statement)
{
        t->failed = true;
        if (statement->error)
                return false;
        t->loop.stop = false;
        sql_send(t->sql, buf_str(statement), statement->len);
        if (sql_busy(t->sql))
                loop_run(&t->loop);
        return !t->failed;
}

static int open_talk(struct talk *t, const struct config *c, const char *user, const char *password)
{
        struct sql_config sc = { .socket = c->galera.socket,
                                 .host = c->galera.host,
                                 .port = (unsigned)c->galera.port,
                                 .user = user,
                                 .password = password,
                                 .connect = CONNECT_MS,
                                 .answer = ANSWER_MS };

        sql_free(t->sql);
        t->sql = NULL;
        return sql_new(&t->loop, &sc, on_answer, NULL, t, &t->sql);
}

/* ---- the statements ---- */

/* All of them, in order, each handed to `fn`; the first that fails ends it. */
static bool each_statement(const struct store_names *n, const char *user, const char *password,
                           bool (*fn)(void *arg, const struct buf *statement), void *arg)
{
        CLEANUP(buf_wipe) struct buf q = BUF(STATEMENT_MAX);

        store_sql_create_database(&q, n);
        bool ok = fn(arg, &q);
        for (enum store_table t = 0; ok && t < TABLE_COUNT_; t++) {
                buf_reset(&q);
                store_sql_create_table(&q, n, t);
                ok = fn(arg, &q);
        }
        buf_reset(&q);
        store_sql_insert_lease(&q, n);
        ok = ok && fn(arg, &q);
        buf_reset(&q);
        store_sql_create_user(&q, user, password);
        ok = ok && fn(arg, &q);
        for (enum store_table t = 0; ok && t < TABLE_COUNT_; t++) {
                buf_reset(&q);
                store_sql_grant(&q, n, t, user);
                ok = fn(arg, &q);
        }
        return ok;
}

static bool say_one(void *arg, const struct buf *statement)
{
        return say(arg, statement);
}

static bool print_one(void *arg, const struct buf *statement)
{
        (void)arg;
        printf("%s;\n", buf_str(statement));
        return statement->error == 0;
}

static int print(const struct config *c, const struct store_names *n)
{
        if (!*c->galera.password_file)
                return each_statement(n, c->galera.user, NULL, print_one, NULL) ? EX_OK
                                                                                : EX_SOFTWARE;
        printf("-- the password below stands in %s; put it in yourself\n", c->galera.password_file);
        return each_statement(n, c->galera.user, "PASSWORD", print_one, NULL) ? EX_OK : EX_SOFTWARE;
}

static bool shapes_fit(struct talk *t)
{
        CLEANUP(buf_done) struct buf q = BUF(STATEMENT_MAX);

        for (t->table = 0; t->table < TABLE_COUNT_; t->table++) {
                t->n_rows = 0;
                buf_reset(&q);
                store_sql_shape(&q, &t->names, t->table);
                if (!say(t, &q) || t->odd)
                        return false;
        }
        return true;
}

/* Can hamon itself log in, and read its row? */
static bool user_works(struct talk *t, const struct config *c, const char *password)
{
        CLEANUP(buf_done) struct buf q = BUF(STATEMENT_MAX);
        struct lease_statement read = { .op = OP_READ };

        store_sql_statement(&q, &t->names, &read);
        if (open_talk(t, c, c->galera.user, password) == 0 && say(t, &q))
                return true;
        fprintf(stderr,
                "hamon: all is made, but user %s cannot use it; had it another password before? "
                "ALTER USER '%s'@'%%' IDENTIFIED BY …\n",
                c->galera.user, c->galera.user);
        return false;
}

static bool init(struct talk *t, const struct config *c, const struct words *w, const char *admin,
                 const char *password)
{
        CLEANUP(buf_wipe) struct buf quoted = BUF(STATEMENT_MAX / 2);

        if (password && sql_quote(&quoted, password) < 0)
                return false;
        bool ok = open_talk(t, c, w->user, admin) == 0 && shapes_fit(t) &&
                  each_statement(&t->names, c->galera.user, password ? buf_str(&quoted) : NULL,
                                 say_one, t) &&
                  shapes_fit(t);
        return ok && user_works(t, c, password);
}

/* ---- the command ---- */

/* Of a file, or root's, which Mailcow has in its own. */
static int admin_password(const struct config *c, const struct words *w, char **ret,
                          struct buf *error)
{
        if (*w->password_file || strcmp(w->user, "root") != 0)
                return secret_read(w->password_file, ret, error);
        return mailcow_root_password(c->mailcow.dir, ret);
}

static int store_init(const struct config *c, const struct words *w)
{
        CLEANUP(buf_done) struct buf error = BUF(4096);
        CLEANUP(secret_wipe) char *admin = NULL;
        CLEANUP(secret_wipe) char *password = NULL;
        struct talk t = { .names = { .database = c->galera.database,
                                     .lease = STORE_LEASE,
                                     .me = c->node.name } };

        if (!store_name_valid(c->galera.database) || !store_name_valid(c->galera.user)) {
                fputs("hamon: [galera] database and user may have letters, digits, '.', '_' and "
                      "'-' "
                      "only\n",
                      stderr);
                return EX_CONFIG;
        }
        if (w->print)
                return print(c, &t.names);
        if (admin_password(c, w, &admin, &error) < 0 ||
            secret_read(c->galera.password_file, &password, &error) < 0) {
                fprintf(stderr, "hamon: %s\n", buf_str(&error));
                return EX_CONFIG;
        }
        if (loop_init(&t.loop) < 0)
                return EX_OSERR;
        bool ok = init(&t, c, w, admin, password);
        sql_free(t.sql);
        loop_done(&t.loop);
        if (ok)
                printf("database %s: tables lease, node, event and user %s are ready\n",
                       c->galera.database, c->galera.user);
        return ok ? EX_OK : ADMIN_ERROR;
}

static int mistake(const char *what, const char *arg)
{
        fprintf(stderr, "store: %s%s (try `hamon help store`)\n", what, arg);
        return EX_USAGE;
}

int store_command(const char *file, int argc, char **argv)
{
        struct words w = { .user = "root", .password_file = "" };
        struct config c;

        if (argc < 1 || strcmp(argv[0], "init") != 0)
                return mistake("say what to do: init", "");
        for (int i = 1; i < argc; i++) {
                if (strcmp(argv[i], "--print") == 0)
                        w.print = true;
                else if (strcmp(argv[i], "--user") == 0 && i + 1 < argc)
                        w.user = argv[++i];
                else if (strcmp(argv[i], "--password-file") == 0 && i + 1 < argc)
                        w.password_file = argv[++i];
                else
                        return mistake("unexpected argument: ", argv[i]);
        }
        if (verb_config(file, &c) < 0)
                return EX_CONFIG;
        int code = store_init(&c, &w);
        config_free(&c);
        return code;
}
