/* The certificate a service shows, looked at once: how long it is good for, for whom, and whether a
 * stranger would trust it. */
#pragma once

#include "hamon/config.h"
#include "lib/loop.h"

enum cert_reason {
        CERT_OK,
        CERT_EXPIRED,
        CERT_NOT_YET,
        CERT_EXPIRES_SOON,
        CERT_WRONG_NAME,
        CERT_UNTRUSTED,
        CERT_UNREACHABLE,
        CERT_REASON_COUNT_
};

struct cert_reason_row {
        const char *name, *sentence;
};

extern const struct cert_reason_row CERT_REASONS[CERT_REASON_COUNT_];

enum { CERT_SERVICES_COUNT = 6, CERT_UNKNOWN = -100000 };

extern const char *const CERT_SERVICES[CERT_SERVICES_COUNT]; /* smtp, submission, ... */

struct cert_facts {
        enum cert_reason reason;
        char service[16], address[80], subject[200], message[640];
        int days_left; /* CERT_UNKNOWN: nobody showed one */
};

struct cert_look;
struct x509_st;

/* Once, from the loop; the look is gone when it returns. */
typedef void (*cert_fn)(void *arg, size_t service, const struct cert_facts *f);

/* -ENOENT: that service is published nowhere. `c` is borrowed until the end. */
int cert_look_new(struct loop *l, const struct config *c, size_t service, cert_fn fn, void *arg,
                  struct cert_look **ret);
void cert_look_free(struct cert_look *k); /* NULL is fine */

/* `verdict`: libssl's word for the chain; `name` "" = any; `now`: seconds since 1970. */
void cert_judge(struct x509_st *x, long verdict, const char *name, int64_t now, unsigned soon,
                struct cert_facts *f);
