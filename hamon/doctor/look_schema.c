/* Mailcow's own tables, read with Mailcow's own user: what Galera does not replicate, or not well.
 */
#include "hamon/ask.h"
#include "hamon/doctor/doctor.h"

#include <string.h>

enum { CONNECT_MS = 1500, ANSWER_MS = 4000, NAMES = 200 };

/* Those Mailcow itself makes without a primary key (init_db.inc.php): it would undo an added one.
 */
static const char *const KNOWN[] = { "fido2", "tags_domain", "tags_mailbox" };

struct tables {
        struct buf names;
        size_t n;
};

static void on_row(void *arg, const char *const *values, unsigned columns)
{
        struct tables *t = arg;

        if (columns == 0 || !values[0])
                return;
        for (size_t i = 0; i < ARRAY_SIZE(KNOWN); i++)
                if (strcmp(values[0], KNOWN[i]) == 0)
                        return;
        t->n++;
        buf_addf(&t->names, "%s%s", t->n > 1 ? ", " : "", values[0]);
}

static bool ask(const struct doctor *d, const char *statement, struct tables *ret)
{
        const struct config *c = &d->config;
        const struct sql_config sc = { .socket = c->galera.socket,
                                       .host = c->galera.host,
                                       .port = (unsigned)c->galera.port,
                                       .user = d->mailcow.dbuser,
                                       .password = d->mailcow.dbpass,
                                       .database = d->mailcow.dbname,
                                       .connect = CONNECT_MS,
                                       .answer = ANSWER_MS };
        struct ask_sql a;

        return ask_sql(&sc, statement, on_row, ret, &a) == 0 && ret->n > 0;
}

/* That it cannot be reached is told by the look at Galera. */
void look_schema(struct doctor *d)
{
        struct tables keyless = { .names = BUF(NAMES) }, foreign = { .names = BUF(NAMES) };
        const char *db = found_word(d->mailcow.dbname);

        if (!*d->mailcow.dbuser || !*d->mailcow.dbname)
                return;
        if (ask(d,
                "SELECT t.TABLE_NAME FROM information_schema.TABLES t LEFT JOIN "
                "information_schema.TABLE_CONSTRAINTS k"
                " ON k.TABLE_SCHEMA=t.TABLE_SCHEMA AND k.TABLE_NAME=t.TABLE_NAME AND "
                "k.CONSTRAINT_TYPE='PRIMARY KEY'"
                " WHERE t.TABLE_SCHEMA=DATABASE() AND t.TABLE_TYPE='BASE TABLE' AND k.TABLE_NAME "
                "IS NULL"
                " ORDER BY 1",
                &keyless)) {
                struct flaw *f = found(d, F_TABLE_KEY, "%zu tables have no primary key: %s",
                                       keyless.n, buf_str(&keyless.names));
                found_at(f, "database %s", db);
                found_fix(f,
                          "ALTER TABLE `%s`.`TABLE` ADD COLUMN id BIGINT UNSIGNED NOT NULL "
                          "AUTO_INCREMENT PRIMARY KEY;",
                          db);
        }
        if (ask(d,
                "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA=DATABASE() AND"
                " TABLE_TYPE='BASE TABLE' AND ENGINE<>'InnoDB' ORDER BY 1",
                &foreign)) {
                struct flaw *f = found(d, F_TABLE_ENGINE, "%zu tables are not InnoDB: %s",
                                       foreign.n, buf_str(&foreign.names));
                found_at(f, "database %s", db);
                found_fix(f, "ALTER TABLE `%s`.`TABLE` ENGINE=InnoDB; on the node that leads", db);
        }
        buf_done(&keyless.names);
        buf_done(&foreign.names);
}
