/* What every provider of a movable volume and a movable address can do, and how it says how that
 * went. An operation looks first and acts only if it must ("already so" is success), retries what
 * may pass by itself, and ends by its one callback, at the latest when its deadline has come. */
#pragma once

#include "lib/loop.h"

enum { PROVIDER_ID_SIZE = 64, PROVIDER_TEXT_SIZE = 512 };

enum provider_result {
        PROVIDER_DONE,      /* it was not so, now it is; or what was asked for has been read */
        PROVIDER_ALREADY,   /* it was so before: nothing was sent */
        PROVIDER_TEMPORARY, /* not within the deadline; it may come to pass still: look again */
        PROVIDER_FAILED,    /* it will not work until somebody changes something */
        PROVIDER_RESULT_COUNT_,
};

struct provider_volume {
        char id[PROVIDER_ID_SIZE];
        char server[PROVIDER_ID_SIZE]; /* "" = attached to none, and that is proven */
        char location[32], status[32]; /* the provider's own words */
        char device[256]; /* where its holder finds it; "" = the provider does not say */
        char label[128];  /* value of the label `hamon` */
};

struct provider_ip {
        char id[PROVIDER_ID_SIZE], address[64];
        char server[PROVIDER_ID_SIZE]; /* "" = assigned to none */
};

struct provider_server {
        char id[PROVIDER_ID_SIZE], name[256];
        char location[32], status[32];
        bool locked; /* another action is under way on it */
};

/* What was last seen; of no meaning where no operation has looked. */
struct provider_seen {
        bool have_volume, have_ip, have_server;
        struct provider_volume volume;
        struct provider_ip ip;
        struct provider_server server;
};

struct provider_outcome {
        enum provider_result result;
        int error;        /* 0, or -EAGAIN, -EBUSY (somebody else has it), -ENOENT, -EACCES,
                             -EPERM (`may` said no), -ETIMEDOUT, -EIO */
        const char *text; /* a sentence that names the thing; never NULL, valid in the callback */
        const struct provider_seen *seen;
};

struct provider_request {
        const char *id;     /* of the volume or the address; server_get, poweroff: not used */
        const char *server; /* attach, assign, poweroff: this one. detach: only from this one, NULL
                               or "" from any. unassign: likewise, and "not there" is success.
                               server_get: id or name, NULL or "" = the one we run on */
        const char *label;  /* volume_label */
        msec_t deadline;    /* from now on; > 0 */

        void *arg;
        /* Asked right before every request that changes something: false ends the operation with
         * nothing more sent (-EPERM). NULL = always. It must not end or free anything. */
        bool (*may)(void *arg);
        /* Once, from the loop, unless cancelled. Here everything may be called, free() too. */
        void (*done)(void *arg, const struct provider_outcome *o);
};

struct provider; /* the base of each provider's own struct */
struct provider_call;

/* Copies what it needs of the request. On failure (-EINVAL: an id or a label that cannot be one;
 * -ENOMEM) no callback will run. `ret` may be NULL. */
typedef int (*provider_op)(struct provider *p, const struct provider_request *r,
                           struct provider_call **ret);

struct provider_ops {
        const char *name;
        bool (*can_fence)(const struct provider *p); /* it can keep a silent holder from writing */
        provider_op server_get, poweroff;
        provider_op volume_get, volume_attach, volume_detach, volume_label;
        provider_op ip_get, ip_assign, ip_unassign;
        void (*cancel)(struct provider_call *c); /* no callback any more; NULL is fine */
        void (*free)(struct provider *p);        /* cancels all; NULL is fine */
};

struct provider {
        const struct provider_ops *ops;
};
