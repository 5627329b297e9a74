/* hamon's password in the database. MariaDB takes either of two passwords of a user (IDENTIFIED VIA
 * ... OR ...), so that nodes with the old file and with the new one both get in. The new one lies
 * in FILE.new until the database takes it: killed at any moment, the next run goes on with the
 * same. */
#include "hamon/setup/rotate.h"

#include "hamon/ask.h"
#include "hamon/mailcow.h"
#include "hamon/setup/secrets.h"
#include "hamon/store_sql.h"
#include "lib/secret.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { CONNECT_MS = 5000, ANSWER_MS = 60000, STATEMENT_MAX = 32 * 1024 };

struct change {
        const struct config *c;
        char *root, *have; /* passwords: of root, of the file */
        char fresh_file[4200];
        unsigned passwords; /* that the database takes now */
};

static void change_done(struct change *k)
{
        secret_wipe(&k->root);
        secret_wipe(&k->have);
}

static int say(const struct config *c, const char *user, const char *password,
               const char *statement, ask_row_fn fn, void *arg)
{
        const struct sql_config sc = { .socket = c->galera.socket,
                                       .host = c->galera.host,
                                       .port = (unsigned)c->galera.port,
                                       .user = user,
                                       .password = password,
                                       .connect = CONNECT_MS,
                                       .answer = ANSWER_MS };
        struct ask_sql answer;
        int e = ask_sql(&sc, statement, fn, arg, &answer);

        if (e < 0)
                fprintf(stderr, "rotate: the database, asked as %s: %s\n", user, answer.text);
        return e;
}

/* CREATE USER `hamon`@`%` IDENTIFIED VIA a USING '...' OR b USING '...' */
static void on_user(void *arg, const char *const *values, unsigned columns)
{
        struct change *k = arg;

        k->passwords = 1;
        for (const char *p = columns > 0 && values[0] ? values[0] : ""; (p = strstr(p, " OR "));
             p += 4)
                k->passwords++;
}

static int open_change(struct change *k, const struct config *c)
{
        CLEANUP(buf_done) struct buf error = BUF(16384), statement = BUF(STATEMENT_MAX);

        *k = (struct change){ .c = c };
        if (!store_name_valid(c->galera.user) || !*c->galera.password_file) {
                fputs("rotate: [galera] user may have letters, digits, '.', '_' and '-' only, and "
                      "password_file must be set\n",
                      stderr);
                return -EINVAL;
        }
        int n = snprintf(k->fresh_file, sizeof k->fresh_file, "%s.new", c->galera.password_file);
        if (n < 0 || (size_t)n >= sizeof k->fresh_file)
                return -ENAMETOOLONG;
        int e = secret_read(c->galera.password_file, &k->have, &error);
        if (e == 0)
                e = mailcow_root_password(c->mailcow.dir, &k->root);
        if (e < 0) {
                fprintf(stderr, "rotate: %s\n", error.len > 0 ? buf_str(&error) : strerror(-e));
                return e;
        }
        buf_addf(&statement, "SHOW CREATE USER '%s'@'%%'", c->galera.user);
        return say(c, "root", k->root, buf_str(&statement), on_user, k);
}

/* Either of the two passwords, or the one. */
static int alter(const struct change *k, const char *a, const char *b)
{
        CLEANUP(buf_wipe) struct buf q = BUF(STATEMENT_MAX);

        buf_addf(&q, "ALTER USER '%s'@'%%' IDENTIFIED VIA mysql_native_password USING PASSWORD('",
                 k->c->galera.user);
        int e = sql_quote(&q, a);
        if (b && e == 0) {
                buf_adds(&q, "') OR mysql_native_password USING PASSWORD('");
                e = sql_quote(&q, b);
        }
        buf_adds(&q, "')");
        if (e == 0)
                e = q.error ? q.error : say(k->c, "root", k->root, buf_str(&q), NULL, NULL);
        return e;
}

static int log_in(const struct change *k, const char *password)
{
        return say(k->c, k->c->galera.user, password, "SELECT 1", NULL, NULL);
}

/* The one that is being introduced, of a run before or a new one. */
static int fresh_password(const struct change *k, char **ret)
{
        CLEANUP(buf_done) struct buf error = BUF(16384);
        char made[SECRET_TEXT];

        int e = secret_read(k->fresh_file, ret, &error);
        if (e != -ENOENT) {
                if (e < 0)
                        fprintf(stderr, "rotate: %s\n", buf_str(&error));
                return e;
        }
        if (k->passwords > 1) {
                fputs("rotate: the database takes two passwords already: bring the file to every "
                      "server, then: hamon rotate database --finish\n",
                      stderr);
                return -EALREADY;
        }
        e = secret_make(made);
        made[strcspn(made, "\n")] = '\0';
        if (e == 0)
                e = rotate_write(k->fresh_file, made, NULL);
        explicit_bzero(made, sizeof made);
        if (e == 0)
                e = secret_read(k->fresh_file, ret, &error);
        return e;
}

static int introduce(const struct change *k)
{
        CLEANUP(secret_wipe) char *fresh = NULL;
        int e = fresh_password(k, &fresh);

        if (e < 0)
                return e;
        if (!str_eq(fresh, k->have)) { /* else it was killed at its last step */
                e = alter(k, k->have, fresh);
                if (e == 0)
                        e = log_in(k, fresh);
                if (e == 0)
                        e = rotate_write(k->c->galera.password_file, fresh, NULL);
        }
        if (e == 0)
                unlink(k->fresh_file);
        return e;
}

int rotate_database(const struct rotate *r)
{
        struct change k;
        int e = open_change(&k, r->c);

        if (e == 0)
                e = introduce(&k);
        change_done(&k);
        if (e < 0)
                return e;
        printf("%s has a new password, and the database takes it; it takes the old one still. "
               "Now:\n",
               r->c->galera.password_file);
        rotate_say_copy(r);
        puts("    systemctl reload hamon           # on every server\n"
             "    systemctl restart signup         # where the portal runs\n"
             "    hamon doctor                     # on every server: no `database`\n"
             "and when all have it, once:\n"
             "    hamon rotate database --finish");
        return 0;
}

int rotate_database_finish(const struct rotate *r)
{
        struct change k;
        int e = open_change(&k, r->c);

        if (e == 0 && k.passwords < 2) {
                puts("the database takes one password: nothing to do");
                change_done(&k);
                return 0;
        }
        if (e == 0 && access(k.fresh_file, F_OK) == 0) {
                fputs("rotate: hamon rotate database did not come to its end: run it again first\n",
                      stderr);
                e = -EAGAIN;
        }
        if (e == 0)
                e = log_in(&k, k.have);
        if (e == 0 && !rotate_agreed(r, "Has every server the new file, and was hamon reloaded "
                                        "there: is the old password to end"))
                e = -ECANCELED;
        if (e == 0)
                e = alter(&k, k.have, NULL);
        change_done(&k);
        if (e == 0)
                puts("the old password has ended");
        return e;
}
