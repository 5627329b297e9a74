/* The tables `node` and `event` of hamon's database: what the nodes say of themselves, and what
 * happened. On a connection of its own and with the best of efforts only: the lease never waits for
 * it, and nothing is decided by an answer that does not come. */
#pragma once

#include "lib/buf.h"
#include "lib/loop.h"

struct rows;

enum { ROWS_NODES = 16, ROWS_EVENTS = 64 };

struct rows_config {
        const char *socket, *host; /* of our own member; socket NULL or "" = TCP */
        unsigned port;
        const char *user, *password; /* password may be NULL */
        const char *database, *me;
        msec_t connect, answer;
};

struct rows_node {
        uint64_t beat;
        msec_t moved_at; /* its beat has moved while we looked, and not before this, on our clock */
        bool moved;
        char role[33], verdict[33], name[64], address[64], reason[65];
};

/* After each read that came through; borrowed for the time of the call, sorted by name. */
typedef void (*rows_fn)(void *arg, const struct rows_node *nodes, size_t n);

/* -EINVAL: a name or a connection that cannot be. Copies what it needs. `fn` may be NULL. */
int rows_new(struct loop *l, const struct rows_config *c, rows_fn fn, void *arg, struct rows **ret);
void rows_free(struct rows *r);

/* One statement at a time; what waits is replaced by what is newer. */
void rows_put_node(struct rows *r, const char *address, const char *role, const char *verdict,
                   const char *reason);
void rows_read(struct rows *r);
/* At most ROWS_EVENTS wait: beyond that the oldest is forgotten. */
void rows_event(struct rows *r, uint64_t epoch, const char *kind, const char *detail);

uint64_t rows_lost(const struct rows *r); /* events that never got into the table */

/* Did this node write its row within `within`? By our clock alone: the beat moved between two of
 * our reads, and the first of them began less than `within` ago. A row seen once proves nothing. */
bool rows_fresh(const struct rows_node *n, msec_t now, msec_t within);
