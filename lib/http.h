/* HTTP client on libcurl's multi interface, driven by our loop: unix socket or TCP, keep-alive,
 * streaming, a cap on every size and a deadline on every wait. Callbacks run from the loop, never
 * from inside http_start(); inside any of them every function here may be called. */
#pragma once

#include "buf.h"
#include "loop.h"

struct http;      /* one per program: connection pool */
struct http_call; /* one request under way; gone when its on_done has returned */

struct http_result {
        int error;           /* 0, or -ETIMEDOUT, -ECONNREFUSED, -ENOENT (no such socket), -EFBIG,
                                -EPROTO (not HTTP), -ECONNRESET (cut off), -ECANCELED (on_data said
                                stop), -EHOSTUNREACH (no address), another errno of connect(2)
                                (-EACCES; -EAGAIN: its queue is full), -EIO (TLS and all else) */
        const char *message; /* a sentence for people; never NULL */
        int status;          /* HTTP status, 0 if no whole header came */
        const char *body;    /* never NULL; NUL-terminated; empty when on_data took it */
        size_t len;
};

struct http_request {
        const char *method;         /* NULL = GET */
        const char *url;            /* http://localhost/v1.41/… */
        const char *unix_socket;    /* NULL = TCP */
        const char *ca_file;        /* whom https trusts; NULL or "" = the system's list */
        const char *const *headers; /* NULL-terminated "Name: value"; may be NULL */
        const char *body;           /* may be NULL */
        size_t max_body;            /* cap of the collected answer; 0 = 1 MiB */
        msec_t connect_timeout;     /* 0 = 1 s */
        msec_t timeout;             /* whole request; 0 = none (streams) */
        bool once;                  /* on a fresh connection: libcurl sends a request, a POST too, a
                                       second time by itself when a kept one breaks */
        msec_t arrive; /* with `once`, over TCP: it is not sent if connecting took longer
                          than connect_timeout (we may have been frozen), and what the
                          other end has not acknowledged after so long never arrives, not
                          even when the call is long over and the network heals; 0 = the
                          kernel tries for minutes */

        void *arg;
        /* Streaming: called with each piece of a 2xx body; non-zero ends the call (-ECANCELED).
         * NULL = collect. Bodies of other statuses are always collected (cap 64 KiB). */
        int (*on_data)(void *arg, const char *data, size_t len);
        /* The final response's header is complete; may be NULL. */
        void (*on_head)(void *arg, int status);
        /* Each header of the final response, without its line end; may be NULL. */
        void (*on_header)(void *arg, const char *line, size_t len);
        /* Once, unless cancelled; may be NULL. */
        void (*on_done)(void *arg, const struct http_result *r);
};

int http_new(struct loop *l, struct http **ret);
void http_free(struct http *h); /* cancels what is under way; NULL is fine */

/* Copies what it needs of the request. On failure (-EINVAL: not http(s), or a line break where none
 * belongs; -ENOMEM) no callback will run. `ret` may be NULL. Redirects are not followed. */
int http_start(struct http *h, const struct http_request *r, struct http_call **ret);
void http_cancel(struct http_call *c); /* no callback runs any more; NULL is fine */
