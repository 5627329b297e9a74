/* The status query and what its rows and errors mean. Pure: no sockets, no clock; the only things
 * known of MariaDB are names of variables and error numbers. */
#pragma once

#include "hamon/core/facts.h"
#include "lib/buf.h"

/* Facts while their rows come in. */
struct galera_rows {
        struct galera_facts facts;
        bool on;       /* wsrep_on */
        bool provider; /* a provider is loaded */
        unsigned known;
};

/* One statement that works for a user with USAGE only, and on a non-Primary member. */
int galera_facts_query(struct buf *out);

void galera_facts_begin(struct galera_rows *r);
/* One row of the answer; unknown names are ignored, NULL counts as "". */
void galera_facts_row(struct galera_rows *r, const char *name, const char *value);
/* -EBADMSG: not one row was of ours. Else the facts with reach = DB_OK. */
int galera_facts_end(const struct galera_rows *r, struct galera_facts *ret);

/* Facts of a failure; `error` 0 = no number known. The text is reduced to printable ASCII. */
void galera_facts_error(enum db_reach reach, unsigned error, const char *text,
                        struct galera_facts *ret);
/* Is the member at this address (numeric) in our view of the component? Galera tells members by
 * the address they call themselves by: one bound to a single address says "AUTO" (MariaDB 10.11),
 * so as long as anybody does, nobody is surely out. */
enum galera_member { MEMBER_UNKNOWN, MEMBER_IN, MEMBER_OUT };
enum galera_member galera_member(const struct galera_facts *f, const char *address);

/* What a MariaDB error number says of the server. */
enum db_reach galera_reach(unsigned error);
