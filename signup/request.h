/* One request and its answer, free of FastCGI: tests make them by hand. */
#pragma once

#include "signup/netaddr.h"

enum method { METHOD_GET, METHOD_HEAD, METHOD_POST, METHOD_OTHER };

enum { REQUEST_PATH = 512, REQUEST_BODY = 16 * 1024 };

struct request {
        enum method method;
        char path[REQUEST_PATH]; /* below the base: "/", "/health"; "" = not ours */
        const char *query;       /* never NULL, nor are the next six */
        const char *host, *origin, *fetch_site, *cookie, *accept_language, *content_type;
        struct netaddr client;
        const char *body; /* of a POST; NULL = none, or longer than REQUEST_BODY (too_long) */
        size_t body_len;
        bool too_long;
        msec_t now;   /* CLOCK_BOOTTIME */
        int64_t wall; /* seconds since 1970 */
};

/* What the web server said of the request, by the names of CGI. NULL = nothing. */
typedef const char *(*request_param_fn)(void *arg, const char *name);

/* All but body and time. -EINVAL: no client address, or no URI. */
int request_fill(struct request *r, const char *base, const struct strlist *trusted,
                 request_param_fn param, void *arg);

struct reply {
        int status;
        const char *type;   /* MIME; NULL = no body */
        bool keep;          /* may be cached for ever: its name has a hash in it */
        struct buf headers; /* further ones, each with its CR LF; reply_header() */
        struct buf body;
};

enum { REPLY_HEADERS = 2048, REPLY_BODY = 1024 * 1024 };

#define REPLY                                                                         \
        {                                                                             \
                .status = 200, .headers = BUF(REPLY_HEADERS), .body = BUF(REPLY_BODY) \
        }

void reply_done(struct reply *r);

/* -EINVAL: a character that has no place in a header; nothing is added. */
int reply_header(struct reply *r, const char *name, const char *value);

/* The head as CGI wants it, up to and with the empty line. */
int reply_head(const struct reply *r, struct buf *out);
