/* HTTP requests that are waited for: each worker has a caller of its own, a loop and lib/http in
 * it. Not thread-safe: one thread, one caller. */
#pragma once

#include "lib/http.h"

struct caller;

struct caller_answer {
        int error;     /* as in http_result */
        int status;    /* 0: no answer */
        bool sent;     /* false: it was not even tried */
        char why[200]; /* a sentence for the log */
        struct buf body;
};

int caller_new(struct caller **ret);
void caller_free(struct caller *c); /* NULL is fine */

/* Returns when there is an answer or the request's timeout (which must be set) is over. The
 * callbacks of `r` are ours. `ret` is filled in any case; buf_done(&ret->body) is the caller's
 * duty. */
void caller_do(struct caller *c, const struct http_request *r, struct caller_answer *ret);
