/* One connection to a MariaDB server on the loop (MariaDB Connector/C's non-blocking calls): it
 * connects when it has something to say, every step has a deadline, and nothing ever blocks. */
#pragma once

#include "loop.h"

struct sql;

struct sql_config {
        const char *socket; /* unix socket, at most 107 bytes; NULL or "" = TCP */
        const char *host;   /* numeric address: no resolver is ever waited for */
        unsigned port;
        const char *user;
        const char *password;   /* may be NULL; copied and wiped on free */
        const char *database;   /* may be NULL */
        const char *begin;      /* said on each new connection, may be NULL: within `connect` */
        msec_t connect, answer; /* deadlines: connection and greeting; each statement */
};

enum sql_end {
        SQL_DONE,
        SQL_FAILED,  /* error and text say why */
        SQL_OVERDUE, /* given up; the statement may still be carried out if it was sent */
};

struct sql_answer { /* borrowed for the time of the call */
        enum sql_end end;
        bool sent;      /* false: it failed while connecting, the server has not heard of it */
        bool kept;      /* it went over the connection of an earlier statement */
        unsigned error; /* MariaDB's number, 0 = none known */
        const char *text;
        uint64_t changed; /* rows, of a statement that changes some */
        unsigned columns; /* 0: the statement gives no rows */
        struct st_mysql_res *rows;
};

/* Once per sql_send(), from the loop or from within sql_send(), the last thing that touches the
 * handle: it may send the next statement, or free it. */
typedef void (*sql_fn)(void *arg, const struct sql_answer *a);

/* The idle connection has ended and is closed. May send or free, too. */
typedef void (*sql_ended_fn)(void *arg);

/* -EINVAL: no user, no deadline, a path too long, a host that is a name. Copies what it needs.
 * `ended` may be NULL. */
int sql_new(struct loop *l, const struct sql_config *c, sql_fn fn, sql_ended_fn ended, void *arg,
            struct sql **ret);
void sql_free(struct sql *s);

bool sql_busy(const struct sql *s);
bool sql_connected(const struct sql *s);

/* One at a time. `statement` is borrowed until the answer. A broken connection is closed by itself;
 * after an error the server reported it stays, unless sql_close() is called. */
void sql_send(struct sql *s, const char *statement, size_t len);
void sql_close(struct sql *s); /* only while idle */

/* The next row, `columns` values of which each may be NULL; NULL at the end. */
const char *const *sql_row(const struct sql_answer *a);

/* `text` as the inside of a '…' literal, in any SQL mode but NO_BACKSLASH_ESCAPES. */
struct buf;
int sql_quote(struct buf *out, const char *text);
