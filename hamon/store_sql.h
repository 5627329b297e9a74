/* hamon's tables and what is said to them: SQL text from structs, structs from rows, and what an
 * error number says of a statement's fate. Pure: no sockets, no clock. */
#pragma once

#include "hamon/core/lease.h"
#include "lib/buf.h"

/* The row everybody means: a database belongs to one cluster. */
#define STORE_LEASE "mail"

struct store_names {
        const char *database, *lease, *me; /* each passes store_name_valid() */
        uint64_t incarnation;
};

/* [A-Za-z0-9._-], 1 to LEASE_NAME - 1 bytes: needs no quoting anywhere. */
bool store_name_valid(const char *s);

/* Said on each new connection. sync_wait 7: reads *and updates* wait until this member has applied
 * what the cluster had committed before, so that "no row matched" is a fact and not the word of a
 * member that lags behind. sql_mode: the count of fail-overs relies on assignments from left to
 * right. */
#define STORE_BEGIN "SET SESSION autocommit=1, wsrep_sync_wait=7, sql_mode='STRICT_TRANS_TABLES'"

int store_sql_statement(struct buf *out, const struct store_names *n,
                        const struct lease_statement *s);

/* The values of an OP_READ. -EBADMSG: this is no row of ours. */
enum { STORE_ROW = 8 };
int store_sql_row(const char *const *values, unsigned n, struct lease_row *ret);

/* What became of a statement that ended in this error. */
enum store_fate {
        FATE_UNKNOWN,   /* it may have been carried out, or will be */
        FATE_REFUSED,   /* surely not, and no other member would do it */
        FATE_ELSEWHERE, /* surely not, another member may */
};
enum store_fate store_sql_fate(enum lease_op op, bool sent, unsigned error);

/* ---- the tables ---- */

enum store_table { TABLE_LEASE, TABLE_NODE, TABLE_EVENT, TABLE_COUNT_ };
extern const char *const STORE_TABLES[TABLE_COUNT_];

int store_sql_create_database(struct buf *out, const struct store_names *n);
int store_sql_create_table(struct buf *out, const struct store_names *n, enum store_table t);
int store_sql_insert_lease(struct buf *out, const struct store_names *n);
/* `password` as the inside of a '…' literal: quoted already; NULL = none. */
int store_sql_create_user(struct buf *out, const char *user, const char *password);
int store_sql_grant(struct buf *out, const struct store_names *n, enum store_table t,
                    const char *user);

/* The shape of a table as rows of one value, to be compared with store_sql_shape_row(). No rows:
 * there is no such table. */
int store_sql_shape(struct buf *out, const struct store_names *n, enum store_table t);
/* Is this the i-th row (from 0) of the right shape? *ret_want: what it should be, "" = the end. */
bool store_sql_shape_row(enum store_table t, size_t i, const char *have, char *ret_want,
                         size_t size);
