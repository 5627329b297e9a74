/* TABLES[] is what `hamon store init` creates and what it compares with: a new column is one row.
 * All names that stand in a statement were validated, and numbers are numbers: nothing needs
 * quoting but the user's password. */
#include "hamon/store_sql.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* ---- names ---- */

bool store_name_valid(const char *s)
{
        size_t len = s ? strlen(s) : 0;

        return len > 0 && len < LEASE_NAME &&
               strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
                       len;
}

/* ---- the lease ---- */

static void where_ours(struct buf *out, const struct store_names *n, uint64_t epoch)
{
        buf_addf(out,
                 " WHERE name='%s' AND holder='%s' AND incarnation=%" PRIu64 " AND epoch=%" PRIu64,
                 n->lease, n->me, n->incarnation, epoch);
}

/* The breaker's count goes up by one, or begins anew. The columns are set from left to right, each
 * one from what stood there before. */
static void count(struct buf *out, const struct lease_statement *s)
{
        if (!s->cause)
                return;
        buf_addf(out,
                 "loser=holder,failovers=IF(failovers=0 OR since<UTC_TIMESTAMP(3)-INTERVAL %" PRId64
                 " MICROSECOND,1,failovers+1),since=IF(failovers=1,UTC_TIMESTAMP(3),since),",
                 s->window * 1000);
}

int store_sql_statement(struct buf *out, const struct store_names *n,
                        const struct lease_statement *s)
{
        switch (s->op) {
        case OP_READ:
                return buf_addf(out,
                                "SELECT holder,incarnation,token,epoch,beat,failovers,"
                                "GREATEST(0,TIMESTAMPDIFF(MICROSECOND,since,UTC_TIMESTAMP(3)))"
                                " DIV 1000,loser FROM `%s`.lease WHERE name='%s'",
                                n->database, n->lease);
        case OP_TAKE:
                buf_addf(out, "UPDATE `%s`.lease SET ", n->database);
                count(out, s);
                return buf_addf(
                        out,
                        "holder='%s',incarnation=%" PRIu64 ",token=%" PRIu64 ",epoch=%" PRIu64
                        ",beat=beat+1 WHERE name='%s' AND epoch=%" PRIu64 " AND beat=%" PRIu64,
                        n->me, n->incarnation, s->token, s->new_epoch, n->lease, s->epoch, s->beat);
        case OP_RENEW:
                buf_addf(out, "UPDATE `%s`.lease SET beat=beat+1", n->database);
                where_ours(out, n, s->epoch);
                return out->error;
        case OP_RELEASE:
                buf_addf(out, "UPDATE `%s`.lease SET ", n->database);
                count(out, s);
                buf_addf(out, "holder='',epoch=epoch+1,beat=beat+1");
                where_ours(out, n, s->epoch);
                return out->error;
        case OP_ACK:
                return buf_addf(out,
                                "UPDATE `%s`.lease SET failovers=0,loser='',beat=beat+1"
                                " WHERE name='%s'",
                                n->database, n->lease);
        case OP_NONE:
        case OP_COUNT_:
                break;
        }
        return -EINVAL;
}

int store_sql_row(const char *const *values, unsigned n, struct lease_row *ret)
{
        struct lease_row row = { .epoch = 0 };
        uint64_t age = 0;
        uint64_t *const numbers[] = { &row.incarnation, &row.token,     &row.epoch,
                                      &row.beat,        &row.failovers, &age };
        const char *loser = n == STORE_ROW ? values[1 + ARRAY_SIZE(numbers)] : NULL;

        if (!loser || !values[0] || !str_copy(row.holder, sizeof row.holder, values[0]) ||
            !str_copy(row.loser, sizeof row.loser, loser))
                return -EBADMSG;
        for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
                if (!values[i + 1] || parse_uint(values[i + 1], 0, UINT64_MAX, numbers[i]) < 0)
                        return -EBADMSG;
        row.since_age = age < INT64_MAX ? (msec_t)age : INT64_MAX;
        *ret = row;
        return 0;
}

/* Numbers of mysqld_error.h and errmsg.h whose meaning is certain; all others leave it open: 1180
 * (error during commit), 1205 (a wait inside the server ended), 1053 (shutdown), 2013 (lost). */
static const struct fate_row {
        unsigned error;
        enum store_fate fate;
} FATES[] = {
        { 1213, FATE_REFUSED },   /* deadlock: another statement was certified first */
        { 1047, FATE_ELSEWHERE }, /* not a member of the Primary component */
        { 1290, FATE_ELSEWHERE }, /* read_only */
        { 2006, FATE_ELSEWHERE }, /* the connection had ended before it could be sent */
        { 1044, FATE_REFUSED },   /* no access to that database */
        { 1049, FATE_REFUSED },   /* no such database */
        { 1054, FATE_REFUSED },   /* no such column */
        { 1064, FATE_REFUSED },   /* syntax */
        { 1142, FATE_REFUSED },   /* command denied */
        { 1143, FATE_REFUSED },   /* column denied */
        { 1146, FATE_REFUSED },   /* no such table */
};

enum store_fate store_sql_fate(enum lease_op op, bool sent, unsigned error)
{
        if (!sent)
                return FATE_ELSEWHERE;
        for (size_t i = 0; i < ARRAY_SIZE(FATES); i++)
                if (FATES[i].error == error)
                        return FATES[i].fate;
        return op == OP_READ ? FATE_ELSEWHERE : FATE_UNKNOWN; /* a read changes nothing */
}

/* ---- the tables ---- */

#define NUMBER "bigint(20) unsigned"

enum column_kind { COL_NAME, COL_TEXT, COL_NUMBER, COL_TIME, COL_SERIAL };

struct column {
        const char *name, *type;
        enum column_kind kind;
};

enum { MAX_COLUMNS = 9 };

/* The first column is the primary key. */
static const struct table {
        struct column columns[MAX_COLUMNS];
        const char *rights;
} TABLES[TABLE_COUNT_] = {
        [TABLE_LEASE] = { { { "name", "varchar(63)", COL_NAME },
                            { "holder", "varchar(63)", COL_NAME },
                            { "incarnation", NUMBER, COL_NUMBER },
                            { "token", NUMBER, COL_NUMBER },
                            { "epoch", NUMBER, COL_NUMBER },
                            { "beat", NUMBER, COL_NUMBER },
                            { "failovers", "int(10) unsigned", COL_NUMBER },
                            { "since", "datetime(3)", COL_TIME },
                            { "loser", "varchar(63)", COL_NAME } },
                          "SELECT, UPDATE" },
        [TABLE_NODE] = { { { "name", "varchar(63)", COL_NAME },
                           { "address", "varchar(63)", COL_NAME },
                           { "role", "varchar(32)", COL_NAME },
                           { "verdict", "varchar(32)", COL_NAME },
                           { "reason", "varchar(64)", COL_NAME },
                           { "beat", NUMBER, COL_NUMBER } },
                         "SELECT, INSERT, UPDATE, DELETE" },
        [TABLE_EVENT] = { { { "id", NUMBER, COL_SERIAL },
                            { "at", "datetime(3)", COL_TIME },
                            { "node", "varchar(63)", COL_NAME },
                            { "epoch", NUMBER, COL_NUMBER },
                            { "kind", "varchar(32)", COL_NAME },
                            { "detail", "varchar(1000)", COL_TEXT } },
                          "SELECT, INSERT, DELETE" },
};

const char *const STORE_TABLES[TABLE_COUNT_] = {
        [TABLE_LEASE] = "lease",
        [TABLE_NODE] = "node",
        [TABLE_EVENT] = "event",
};

static const struct kind {
        const char *definition, *collation;
} KINDS[] = {
        [COL_NAME] = { "CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT ''", "ascii_bin" },
        [COL_TEXT] = { "CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL DEFAULT ''",
                       "utf8mb4_bin" },
        [COL_NUMBER] = { "NOT NULL DEFAULT 0", "-" },
        [COL_TIME] = { "NOT NULL DEFAULT '1970-01-01 00:00:00'", "-" },
        [COL_SERIAL] = { "NOT NULL AUTO_INCREMENT", "-" },
};

static size_t n_columns(enum store_table t)
{
        size_t n = 0;

        while (n < MAX_COLUMNS && TABLES[t].columns[n].name)
                n++;
        return n;
}

int store_sql_create_database(struct buf *out, const struct store_names *n)
{
        return buf_addf(out, "CREATE DATABASE IF NOT EXISTS `%s`", n->database);
}

int store_sql_create_table(struct buf *out, const struct store_names *n, enum store_table t)
{
        const struct column *c = TABLES[t].columns;

        buf_addf(out, "CREATE TABLE IF NOT EXISTS `%s`.%s (\n", n->database, STORE_TABLES[t]);
        for (size_t i = 0; i < n_columns(t); i++)
                buf_addf(out, "  %s %s %s,\n", c[i].name, c[i].type, KINDS[c[i].kind].definition);
        return buf_addf(out, "  PRIMARY KEY (%s)\n) ENGINE=InnoDB", c[0].name);
}

int store_sql_insert_lease(struct buf *out, const struct store_names *n)
{
        return buf_addf(
                out, "INSERT IGNORE INTO `%s`.lease (name, since) VALUES ('%s', UTC_TIMESTAMP(3))",
                n->database, n->lease);
}

int store_sql_create_user(struct buf *out, const char *user, const char *password)
{
        buf_addf(out, "CREATE USER IF NOT EXISTS '%s'@'%%'", user);
        if (password)
                buf_addf(out, " IDENTIFIED BY '%s'", password);
        return out->error;
}

int store_sql_grant(struct buf *out, const struct store_names *n, enum store_table t,
                    const char *user)
{
        return buf_addf(out, "GRANT %s ON `%s`.%s TO '%s'@'%%'", TABLES[t].rights, n->database,
                        STORE_TABLES[t], user);
}

int store_sql_shape(struct buf *out, const struct store_names *n, enum store_table t)
{
        return buf_addf(out,
                        "SELECT CONCAT_WS(' ',c.COLUMN_NAME,c.COLUMN_TYPE,"
                        "IFNULL(c.COLLATION_NAME,'-'),IF(c.COLUMN_KEY='PRI','key','-'),"
                        "IF(c.IS_NULLABLE='NO','-','null'),t.ENGINE)"
                        " FROM information_schema.COLUMNS c JOIN information_schema.TABLES t"
                        " USING (TABLE_SCHEMA,TABLE_NAME)"
                        " WHERE c.TABLE_SCHEMA='%s' AND c.TABLE_NAME='%s'"
                        " ORDER BY c.ORDINAL_POSITION",
                        n->database, STORE_TABLES[t]);
}

bool store_sql_shape_row(enum store_table t, size_t i, const char *have, char *ret_want,
                         size_t size)
{
        *ret_want = '\0';
        if (i < n_columns(t)) {
                const struct column *c = &TABLES[t].columns[i];
                snprintf(ret_want, size, "%s %s %s %s - InnoDB", c->name, c->type,
                         KINDS[c->kind].collation, i == 0 ? "key" : "-");
        }
        return strcmp(have, ret_want) == 0;
}
