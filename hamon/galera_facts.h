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
/* What a MariaDB error number says of the server. */
enum db_reach galera_reach(unsigned error);
