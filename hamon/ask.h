/* One question, one answer, and until then a loop of its own is turned: for a look, which lives in
 * a child and may wait. Every question has a deadline. */
#pragma once

#include "lib/http.h"
#include "lib/sql.h"

struct ask_http {
        int error; /* as http_result's */
        int status;
        char message[256];
        char date[64]; /* the header, "" = none */
        struct buf body;
};

/* 0: there was an answer, whatever it is; else a negative errno, also in `error`. The caller gives
 * ret->body its cap, and frees it. */
int ask_http(const struct http_request *r, struct ask_http *ret);

typedef void (*ask_row_fn)(void *arg, const char *const *values, unsigned columns);

struct ask_sql {
        enum sql_end end;
        bool sent;
        unsigned error;
        char text[256];
};

/* Each row of the answer goes to `fn` (may be NULL). 0, or a negative errno; what the server says
 * in `ret`. */
int ask_sql(const struct sql_config *c, const char *statement, ask_row_fn fn, void *arg,
            struct ask_sql *ret);
