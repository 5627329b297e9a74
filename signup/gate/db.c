/* MariaDB Connector/C's blocking calls. Its timeouts count in whole seconds. A statement is
 * prepared once per connection. */
#include "signup/gate/db.h"

#include "lib/sql_options.h"
#include <errno.h>
#include <mysql.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <time.h>

enum {
        STATEMENTS = 24,
        ER_DUP_ENTRY_ = 1062,
        ER_LOCK_WAIT = 1205,
        ER_DEADLOCK = 1213,
        ER_UNKNOWN_TABLE = 1146,
        ER_TABLE_DENIED = 1142,
        ER_ACCESS_DENIED = 1044,
        CLIENT_ERRORS = 2000,
        CLIENT_ERRORS_END = 3000,
        IDLE_MS = 1000, /* kept longer: asked whether it is still there */
};

/* As hamon/store_sql.h, and for the same reasons: what the cluster has committed is seen. */
#define BEGIN_WITH "SET SESSION autocommit=1, wsrep_sync_wait=7, sql_mode='STRICT_TRANS_TABLES'"

struct db_conn {
        struct db *db;
        MYSQL *my; /* NULL = not connected */
        bool taken, transaction;
        msec_t used_at;
        char error[256];
        struct {
                const char *sql;
                MYSQL_STMT *st;
        } statement[STATEMENTS];
};

struct db {
        char *socket, *host, *user, *password, *database;
        unsigned port;
        pthread_mutex_t lock;
        pthread_cond_t given;
        struct db_conn conn[DB_CONNECTIONS];
};

/* ---- connections ---- */

static void disconnect(struct db_conn *c)
{
        for (size_t i = 0; i < STATEMENTS && c->statement[i].sql; i++)
                mysql_stmt_close(c->statement[i].st);
        memset(c->statement, 0, sizeof c->statement);
        c->transaction = false;
        if (!c->my)
                return;
        if (c->my->passwd)
                explicit_bzero(c->my->passwd, strlen(c->my->passwd));
        mysql_close(c->my);
        c->my = NULL;
}

static void set_options(MYSQL *my, const struct db *db)
{
        unsigned wait = DB_WAIT_S;

        mysql_options(my, MYSQL_OPT_CONNECT_TIMEOUT, &wait);
        mysql_options(my, MYSQL_OPT_READ_TIMEOUT, &wait);
        mysql_options(my, MYSQL_OPT_WRITE_TIMEOUT, &wait);
        sql_options(my, db->socket, BEGIN_WITH);
}

static int connect_to(struct db_conn *c)
{
        const struct db *db = c->db;

        c->my = mysql_init(NULL);
        if (!c->my)
                return -ENOMEM;
        set_options(c->my, db);
        if (!mysql_real_connect(c->my, db->host, db->user, db->password, db->database, db->port,
                                db->socket, 0)) {
                str_copy(c->error, sizeof c->error, mysql_error(c->my));
                disconnect(c);
                return -EHOSTUNREACH;
        }
        return 0;
}

static struct db_conn *free_one(struct db *db)
{
        struct db_conn *best = NULL;

        for (size_t i = 0; i < DB_CONNECTIONS; i++) /* one that is open, if there is one */
                if (!db->conn[i].taken && (!best || (!best->my && db->conn[i].my)))
                        best = &db->conn[i];
        return best;
}

static struct db_conn *wait_for_one(struct db *db)
{
        struct timespec end;
        struct db_conn *c;
        int r = 0;

        clock_gettime(CLOCK_MONOTONIC, &end);
        end.tv_sec += DB_WAIT_S;
        pthread_mutex_lock(&db->lock);
        while (!(c = free_one(db)) && r == 0)
                r = pthread_cond_timedwait(&db->given, &db->lock, &end);
        if (c)
                c->taken = true;
        pthread_mutex_unlock(&db->lock);
        return c;
}

int db_take(struct db *db, struct db_conn **ret)
{
        struct db_conn *c = wait_for_one(db);
        int r = 0;

        if (!c)
                return -EBUSY;
        c->error[0] = '\0';
        if (c->my && clock_ms() - c->used_at > IDLE_MS && mysql_ping(c->my) != 0)
                disconnect(c);
        if (!c->my)
                r = connect_to(c);
        if (r < 0) {
                db_give(c);
                return r;
        }
        *ret = c;
        return 0;
}

void db_give(struct db_conn *c)
{
        db_undo(c);
        c->used_at = clock_ms();
        pthread_mutex_lock(&c->db->lock);
        c->taken = false;
        pthread_cond_signal(&c->db->given);
        pthread_mutex_unlock(&c->db->lock);
}

/* ---- statements ---- */

static int judge(struct db_conn *c, unsigned number, const char *text)
{
        str_copy(c->error, sizeof c->error, text);
        switch (number) {
        case ER_DUP_ENTRY_:
                return -EEXIST;
        case ER_DEADLOCK:
                c->transaction = false; /* undone by the server */
                return -EAGAIN;
        case ER_LOCK_WAIT:
                db_undo(c);
                return -EAGAIN;
        case ER_UNKNOWN_TABLE:
                return -ENOENT;
        case ER_TABLE_DENIED:
        case ER_ACCESS_DENIED:
                return -EACCES;
        default:
                if (number == 0 || (number >= CLIENT_ERRORS && number < CLIENT_ERRORS_END))
                        disconnect(c);
                return -EIO;
        }
}

static int prepare(struct db_conn *c, const char *sql, MYSQL_STMT **ret)
{
        size_t i = 0;

        while (i < STATEMENTS && c->statement[i].sql && c->statement[i].sql != sql)
                i++;
        if (i == STATEMENTS)
                return -ENOBUFS;
        if (!c->statement[i].sql) {
                MYSQL_STMT *st = mysql_stmt_init(c->my);
                if (!st)
                        return -ENOMEM;
                if (mysql_stmt_prepare(st, sql, strlen(sql)) != 0) {
                        unsigned number = mysql_stmt_errno(st);
                        char text[sizeof c->error];
                        str_copy(text, sizeof text, mysql_stmt_error(st));
                        mysql_stmt_close(st);
                        return judge(c, number, text);
                }
                c->statement[i].sql = sql;
                c->statement[i].st = st;
        }
        *ret = c->statement[i].st;
        return 0;
}

static bool bind_in(MYSQL_STMT *st, const struct db_value *in, size_t n, MYSQL_BIND *bind)
{
        if (n > DB_COLUMNS || mysql_stmt_param_count(st) != n)
                return false;
        for (size_t i = 0; i < n; i++) {
                bind[i] = (MYSQL_BIND){ .buffer_type = MYSQL_TYPE_LONGLONG,
                                        .buffer = (void *)(uintptr_t)&in[i].number };
                if (in[i].bytes)
                        bind[i] = (MYSQL_BIND){ .buffer_type = MYSQL_TYPE_STRING,
                                                .buffer = (void *)(uintptr_t)in[i].bytes,
                                                .buffer_length = in[i].len };
        }
        return n == 0 || mysql_stmt_bind_param(st, bind) == 0;
}

static int fetch(struct db_conn *c, MYSQL_STMT *st, db_row_fn fn, void *arg)
{
        unsigned n = mysql_stmt_field_count(st);
        char cells[DB_COLUMNS][DB_CELL];
        const char *row[DB_COLUMNS];
        unsigned long lengths[DB_COLUMNS] = { 0 };
        my_bool null[DB_COLUMNS] = { 0 };
        MYSQL_BIND bind[DB_COLUMNS] = { { 0 } };
        int r;

        if (n == 0)
                return 0;
        if (n > DB_COLUMNS)
                return -ENOBUFS;
        for (unsigned i = 0; i < n; i++)
                bind[i] = (MYSQL_BIND){ .buffer_type = MYSQL_TYPE_STRING,
                                        .buffer = cells[i],
                                        .buffer_length = DB_CELL - 1,
                                        .length = &lengths[i],
                                        .is_null = &null[i] };
        if (mysql_stmt_bind_result(st, bind) != 0 || mysql_stmt_store_result(st) != 0)
                return judge(c, mysql_stmt_errno(st), mysql_stmt_error(st));
        while ((r = mysql_stmt_fetch(st)) == 0 || r == MYSQL_DATA_TRUNCATED) {
                for (unsigned i = 0; i < n; i++) {
                        lengths[i] = MIN(lengths[i], DB_CELL - 1UL);
                        cells[i][lengths[i]] = '\0';
                        row[i] = null[i] ? NULL : cells[i];
                }
                if (fn)
                        fn(arg, row, lengths);
        }
        r = r == MYSQL_NO_DATA ? 0 : judge(c, mysql_stmt_errno(st), mysql_stmt_error(st));
        if (c->my)
                mysql_stmt_free_result(st);
        return r;
}

int db_run(struct db_conn *c, const char *sql, const struct db_value *in, size_t n, db_row_fn fn,
           void *arg, uint64_t *ret_changed)
{
        MYSQL_BIND bind[DB_COLUMNS];
        MYSQL_STMT *st = NULL;

        if (!c->my)
                return -EIO; /* an earlier statement of this transaction ended the connection */
        int r = prepare(c, sql, &st);
        if (r < 0)
                return r;
        if (!bind_in(st, in, n, bind))
                return -EINVAL;
        if (mysql_stmt_execute(st) != 0)
                return judge(c, mysql_stmt_errno(st), mysql_stmt_error(st));
        uint64_t changed = mysql_stmt_affected_rows(st);
        r = fetch(c, st, fn, arg);
        if (r == 0 && ret_changed)
                *ret_changed = changed;
        return r;
}

static int plain(struct db_conn *c, const char *sql)
{
        if (!c->my)
                return -EIO;
        return mysql_query(c->my, sql) == 0 ? 0 : judge(c, mysql_errno(c->my), mysql_error(c->my));
}

int db_begin(struct db_conn *c)
{
        int r = plain(c, "START TRANSACTION");

        if (r == 0)
                c->transaction = true;
        return r;
}

int db_commit(struct db_conn *c)
{
        c->transaction = false;
        return plain(c, "COMMIT");
}

void db_undo(struct db_conn *c)
{
        if (!c->transaction)
                return;
        c->transaction = false;
        if (c->my && mysql_query(c->my, "ROLLBACK") != 0)
                disconnect(c);
}

const char *db_error(const struct db_conn *c)
{
        return c->error;
}

/* ---- the pool ---- */

static bool copy(char **dst, const char *src)
{
        *dst = src && *src ? strdup(src) : NULL;
        return *dst || !src || !*src;
}

int db_new(const struct db_config *c, struct db **ret)
{
        bool local = c->socket && *c->socket;
        pthread_condattr_t monotonic;

        if (!c->user || !*c->user || (!local && (!c->host || c->port == 0)) ||
            (local && strlen(c->socket) >= sizeof((struct sockaddr_un *)0)->sun_path))
                return -EINVAL;
        if (mysql_library_init(0, NULL, NULL) != 0) /* before there are threads */
                return -ENOMEM;
        struct db *db = calloc(1, sizeof *db);
        if (!db)
                return -ENOMEM;
        pthread_mutex_init(&db->lock, NULL);
        pthread_condattr_init(&monotonic);
        pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
        pthread_cond_init(&db->given, &monotonic);
        pthread_condattr_destroy(&monotonic);
        db->port = local ? 0 : c->port;
        for (size_t i = 0; i < DB_CONNECTIONS; i++)
                db->conn[i].db = db;
        if (!copy(&db->socket, c->socket) || !copy(&db->host, local ? NULL : c->host) ||
            !copy(&db->user, c->user) || !copy(&db->password, c->password) ||
            !copy(&db->database, c->database)) {
                db_free(db);
                return -ENOMEM;
        }
        *ret = db;
        return 0;
}

void db_free(struct db *db)
{
        if (!db)
                return;
        for (size_t i = 0; i < DB_CONNECTIONS; i++)
                disconnect(&db->conn[i]);
        if (db->password)
                explicit_bzero(db->password, strlen(db->password));
        free(db->password);
        free(db->socket);
        free(db->host);
        free(db->user);
        free(db->database);
        pthread_cond_destroy(&db->given);
        pthread_mutex_destroy(&db->lock);
        free(db);
}
