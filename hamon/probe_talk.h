/* One conversation of a probe: connect, maybe TLS, the dialog of probe_proto.h, one answer. */
#pragma once

#include "hamon/probe_proto.h"
#include "lib/loop.h"

struct ssl_ctx_st;
struct probe_talk;

struct talk_config {
        enum probe_kind kind;
        bool tls;
        const char *address; /* numeric */
        unsigned port;
        const char *host;     /* for SNI and HTTP; "" = none. Borrowed until the end */
        const char *password; /* "" = none. Borrowed until the end */
        msec_t timeout;       /* for all of it */
        struct ssl_ctx_st *tls_context;
};

/* Once, from the loop; the talk goes on for a moment to say goodbye, until probe_talk_free(). */
typedef void (*talk_fn)(void *arg, struct finding f, const char *text);

/* -EINVAL: no numeric address. */
int probe_talk_new(struct loop *l, const struct talk_config *c, talk_fn fn, void *arg,
                   struct probe_talk **ret);
void probe_talk_free(struct probe_talk *t); /* NULL is fine; inside its own callback too */

/* A context for clients that want to know who lives, not who it is: nothing is verified. */
struct ssl_ctx_st *probe_talk_context(void);
