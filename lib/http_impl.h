/* What http.c and http_call.c share; not for anyone else. */
#pragma once

#include "lib/http.h"

#include <curl/curl.h>
#include <sys/queue.h>

enum { HANDLES_KEPT = 4 };

TAILQ_HEAD(call_list, http_call);

struct http {
        struct loop *loop;
        CURLM *multi;
        struct timer curl_timer, kick;
        struct call_list queued, running, dead;
        CURL *idle[HANDLES_KEPT]; /* reset, to be used again */
        size_t n_idle;
        unsigned busy; /* depth of our callbacks on the stack */
        bool freed;    /* destroyed as soon as busy is 0 */
};

struct http_call {
        TAILQ_ENTRY(http_call) link;
        struct http *http;
        CURL *easy;
        struct curl_slist *headers;
        msec_t arrive, send_until;
        bool local;     /* over a unix socket */
        bool added;     /* libcurl has it: on `running` */
        bool over;      /* finished or cancelled: no callback any more */
        bool stopped;   /* on_data said so */
        bool head_seen; /* the final response's header is complete */
        int status;
        struct buf body; /* its cap is max_body until an error status comes */
        char message[CURL_ERROR_SIZE];

        void *arg;
        int (*on_data)(void *arg, const char *data, size_t len);
        void (*on_head)(void *arg, int status);
        void (*on_line)(void *arg, const char *line, size_t len);
        void (*on_done)(void *arg, const struct http_result *r);
};

int http_call_new(struct http *h, const struct http_request *r, struct http_call **ret);
void http_call_free(struct http_call *c); /* libcurl must not have it any more */
void http_call_result(struct http_call *c, CURLcode code, struct http_result *ret);
