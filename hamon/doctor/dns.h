/* Questions to the resolvers of /etc/resolv.conf, by libresolv, which waits: for a look, which
 * lives in a child with a deadline. A resolver that was silent once is not asked again. */
#pragma once

#include "lib/util.h"

enum dns_type { DNS_A, DNS_AAAA, DNS_PTR, DNS_MX, DNS_TXT };
enum dns_end {
        DNS_FOUND,
        DNS_NOTHING, /* no such name, or nothing of this type */
        DNS_SILENT,  /* no answer, or one that says nothing (SERVFAIL) */
};

enum { DNS_ANSWERS = 24, DNS_TEXT = 1024 };

struct dns_answer {
        size_t n;
        char v[DNS_ANSWERS]
              [DNS_TEXT]; /* addresses, names without the last dot, texts put together */
};

struct dns; /* one per look */
int dns_new(struct dns **ret);
void dns_free(struct dns *d);
bool dns_silent(const struct dns *d); /* some question had no answer */

enum dns_end dns_ask(struct dns *d, const char *name, enum dns_type t, struct dns_answer *ret);

/* "9.2.0.192.in-addr.arpa" of an address. -EINVAL. */
int dns_reverse(const char *address, char *ret, size_t size);
bool dns_same_address(const char *a, const char *b);
/* A host name that may stand in a question: letters, digits, '.', '-', '_'. */
bool dns_name_ok(const char *s);
