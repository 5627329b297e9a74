/* The portal's database: a few connections to one MariaDB server that all threads share, prepared
 * statements only, and a deadline for everything. A connection is opened when it is needed and
 * kept; one that failed is closed. Blocking: for threads that serve one visitor each. Thread-safe.
 */
#pragma once

#include "lib/buf.h"

enum { DB_CONNECTIONS = 8, DB_CELL = 256, DB_COLUMNS = 12, DB_WAIT_S = 2 };

struct db_config {
        const char *socket; /* NULL or "" = TCP */
        const char *host;   /* numeric */
        unsigned port;
        const char *user, *password, *database; /* password may be NULL; copied, wiped on free */
};

struct db;
struct db_conn;

struct db_value { /* bytes == NULL: the number counts */
        int64_t number;
        const void *bytes;
        size_t len;
};

#define DB_NUMBER(n)          \
        {                     \
                .number = (n) \
        }
#define DB_BYTES(p, n)                   \
        {                                \
                .bytes = (p), .len = (n) \
        }
#define DB_TEXT(s)                             \
        {                                      \
                .bytes = (s), .len = strlen(s) \
        }

/* A row as text, NULL for NULL; borrowed for the time of the call. */
typedef void (*db_row_fn)(void *arg, const char *const *cells, const unsigned long *lengths);

/* -EINVAL: no user, a path too long. Nothing is connected yet. */
int db_new(const struct db_config *c, struct db **ret);
void db_free(struct db *db); /* all connections are given back */

/* A connection of one's own, for a transaction or a single statement. Waits DB_WAIT_S for a free
 * one: -EBUSY. -EHOSTUNREACH: no connection and greeting in time, or refused. */
int db_take(struct db *db, struct db_conn **ret);
void db_give(struct db_conn *c); /* an open transaction is undone */

/* `sql` is a literal: its address is its name. Zero; -EEXIST: such a key is there; -EAGAIN: another
 * node or connection was first, the transaction is undone and may be tried again; -ENOENT: no such
 * table; -EACCES; -EIO: anything else, and nobody knows whether it was carried out. ret_changed and
 * fn may be NULL. */
int db_run(struct db_conn *c, const char *sql, const struct db_value *in, size_t n, db_row_fn fn,
           void *arg, uint64_t *ret_changed);
int db_begin(struct db_conn *c);
int db_commit(struct db_conn *c);
void db_undo(struct db_conn *c);

/* The last error of a failed call in the database's words, for the log. */
const char *db_error(const struct db_conn *c);
