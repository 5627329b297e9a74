/* The lease row in Galera: one statement of hamon/core/lease.h at a time, through any member that
 * answers, and its fate in lease.h's words. Never blocks; an answer always comes. */
#pragma once

#include "hamon/core/lease.h"
#include "lib/loop.h"

struct store;

enum { STORE_MEMBERS = 16 };

struct store_member {
        const char *socket; /* NULL or "" = TCP */
        const char *host;   /* numeric */
        unsigned port;
};

struct store_config {
        const struct store_member *members; /* our own first: its connection is kept open */
        size_t n_members;                   /* 1 to STORE_MEMBERS */
        const char *user, *password;        /* password may be NULL */
        const char *database, *lease, *me;  /* [A-Za-z0-9._-] */
        uint64_t incarnation;
        msec_t connect; /* deadline of a connection with its greeting */
        msec_t answer;  /* deadline of the statement itself */
        msec_t avoid;   /* who let a deadline pass is asked last for so long */
};

struct store_answer { /* borrowed for the time of the call */
        enum lease_answer answer;
        struct lease_row row; /* of a READ that is DONE */
        size_t member;        /* who said so, or was asked last */
        unsigned error;       /* MariaDB's number, 0 = none */
        const char *text;     /* of the last failure, "" = none on the way */
};

/* Once per store_send(), from the loop. May send the next statement, or free the store. */
typedef void (*store_fn)(void *arg, const struct store_answer *a);

/* -EINVAL: no members, a name that is none, what sql_new() refuses. Copies what it needs. */
int store_new(struct loop *l, const struct store_config *c, struct store **ret);
void store_free(struct store *s); /* what is under way is given up, unreported */

/* -EBUSY: one is under way. -EINVAL: not a statement. The longest wait is n_members * connect +
 * answer: a member that cannot be reached, or surely did nothing, is followed by the next one; a
 * statement whose fate is not known is not sent again. */
int store_send(struct store *s, const struct lease_statement *st, store_fn fn, void *arg);
