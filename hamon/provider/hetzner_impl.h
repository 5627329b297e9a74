/* What the files of the hetzner provider share; not for anyone else. */
#pragma once

#include "hamon/provider/hetzner.h"
#include "hamon/provider/hetzner_json.h"
#include "lib/http.h"
#include <sys/queue.h>

TAILQ_HEAD(hetzner_calls, provider_call);

struct hetzner {
        struct provider base;
        struct loop *loop;
        struct http *http;
        char *api_url, *metadata_url, *server;
        char *auth; /* "Authorization: Bearer TOKEN" */
        msec_t poll, retry, request_timeout;
        unsigned jitter; /* state of the generator */
        struct hetzner_calls calls;
};

enum hetzner_thing { HETZNER_VOLUME, HETZNER_IP, HETZNER_SERVER };

enum hetzner_next {
        HETZNER_THERE, /* it is as wanted */
        HETZNER_WAIT,  /* reason says for what */
        HETZNER_ACT,   /* send `path` and `body` */
        HETZNER_NEVER, /* reason says why */
};

struct hetzner_op {
        enum hetzner_thing thing;
        const char *what;  /* "attach volume": what it does, for the sentences */
        bool wants_server; /* the request must name one */
        bool asks_server;  /* look at that server too before acting */
        const char *method;
        enum hetzner_next (*decide)(struct provider_call *c); /* NULL: it only looks */
};

struct provider_call {
        TAILQ_ENTRY(provider_call) link;
        struct hetzner *h;
        const struct hetzner_op *op;
        char id[PROVIDER_ID_SIZE], server[256], label[64];
        void *arg;
        bool (*may)(void *arg);
        void (*done)(void *arg, const struct provider_outcome *o);

        struct timer deadline, timer;
        void (*next)(struct provider_call *c); /* when `timer` fires */
        msec_t allowed, started;
        struct http_call *http;
        void (*answered)(struct provider_call *c, const struct http_result *r);

        struct provider_seen seen;
        char what[576], reason[PROVIDER_TEXT_SIZE];
        char subject[288]; /* what the request under way is about, for sentences */
        int error;         /* that goes with the reason */
        unsigned tries;    /* in a row that came to nothing */
        unsigned bad_actions;
        bool sending;        /* the request under way changes something */
        bool acted;          /* a change was sent and not surely refused */
        bool unassign_first; /* the API wants it so */
        msec_t settle_until; /* the API said "done"; until then its lists may lag behind */

        /* Of the change decided on. While `acting`, no other call acts on these servers. */
        char path[320], target[2][PROVIDER_ID_SIZE];
        struct buf body;
        bool acting;
        char action[PROVIDER_ID_SIZE];
        msec_t posted_at;

        int64_t date, reset, retry_after; /* headers of the last answer; 0 = none */
};

/* hetzner.c */
int hetzner_begin(struct provider *p, const struct hetzner_op *op, const struct provider_request *r,
                  struct provider_call **ret);
void hetzner_cancel(struct provider_call *c);
void hetzner_free(struct provider *p);
void hetzner_finish(struct provider_call *c, enum provider_result result, int error);
void hetzner_reason(struct provider_call *c, int error, const char *fmt, ...) PRINTF(3, 4);
void hetzner_fail(struct provider_call *c); /* for the reason given before */
void hetzner_later(struct provider_call *c, msec_t ms, void (*next)(struct provider_call *c));

/* hetzner_http.c */
void hetzner_send(struct provider_call *c, const char *method, const char *url, const char *body,
                  void (*answered)(struct provider_call *c, const struct http_result *r));
/* Nothing came of it: after a pause that grows, from the first look on again, or from the action
 * under way if there is one. */
void hetzner_again(struct provider_call *c);
/* What an error code of an action or an answer means for the call. */
void hetzner_judge(struct provider_call *c, const struct hetzner_error *e, bool of_action);

/* hetzner_ops.c */
extern const struct provider_ops HETZNER_OPS;
void hetzner_look(struct provider_call *c);
void hetzner_poll(struct provider_call *c);
