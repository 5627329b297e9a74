/* Would a receiver that looks at SPF (RFC 7208) let mail for a domain come from an address? Names
 * are resolved through a function, so this is pure but for that. */
#pragma once

#include "hamon/doctor/dns.h"

enum spf_result {
        SPF_PASS,
        SPF_NONE,   /* there is no record */
        SPF_NOT,    /* fail, softfail, neutral */
        SPF_BROKEN, /* permanent error: two records, too many look-ups */
        SPF_UNSURE, /* it depends on macros, or the DNS was silent */
};

typedef enum dns_end (*spf_ask_fn)(void *arg, const char *name, enum dns_type t,
                                   struct dns_answer *ret);

struct spf {
        spf_ask_fn ask;
        void *arg;
        const char *address;
        unsigned lookups; /* zeroed by the caller */
        bool unsure;
};

enum { SPF_LOOKUPS = 10 }; /* the standard's */

enum spf_result spf_check(struct spf *s, const char *domain);
