/* Tickets: small signed statements that a page carries and any node can check, nothing is stored.
 *
 * A ticket says what it is for, when it was issued, in which language, and has a random nonce. All
 * a gate needs follows from the nonce and the keys: the answers, each pixel, each sample. It is
 * signed together with `bind`, which it does not carry: what must be the same when it comes back
 * (the portal's address, say).
 *
 * On the wire: base64url without padding of
 *      version 1 | key id 4 | kind 1 | issued 8 | nonce 16 | count 2 | locale 1+n | payload 1+n |
 * MAC 32 in network order. There is exactly one text for a ticket: any other is refused.
 *
 * Times are seconds since 1970, because they are compared on other nodes than they were made on;
 * TICKET_SKEW is how far these clocks may disagree. Thread-safe. */
#pragma once

#include "signup/gate/keys.h"

enum {
        TICKET_NONCE = 16,
        TICKET_LOCALE = 16,  /* with its NUL */
        TICKET_PAYLOAD = 64, /* bytes */
        TICKET_TEXT = 240,   /* the longest one with its NUL */
        TICKET_SKEW = 5,
};

enum ticket_kind {
        TICKET_FORM, /* in the form: one try at one gate */
        TICKET_PASS, /* a gate was passed, the form still had errors */
        TICKET_KIND_COUNT_,
};

struct ticket {
        enum ticket_kind kind;
        int64_t issued;
        unsigned char nonce[TICKET_NONCE];
        unsigned count; /* form: difficulty of the proof of work in bits; pass: tries left; <= 65535
                         */
        char locale[TICKET_LOCALE]; /* [a-zA-Z-], may be empty */
        unsigned char payload[TICKET_PAYLOAD];
        size_t payload_len;
        size_t key; /* with which of our keys it is signed; set by ticket_read */
};

enum ticket_end {
        TICKET_OK,
        TICKET_MALFORMED, /* not a ticket */
        TICKET_FORGED,    /* not signed by us, or bound to something else */
        TICKET_FOREIGN,   /* ours, but of another kind */
        TICKET_EARLY,     /* younger than min_age: no human is that fast; it is not used up */
        TICKET_EXPIRED,
        TICKET_END_COUNT_,
};

struct ticket_rule {
        enum ticket_kind kind;
        int64_t min_age, ttl; /* seconds */
        const char *bind;
};

/* Fills nonce and issued and signs with the newest key. -EINVAL: a field out of its range. */
int ticket_issue(const struct keys *k, struct ticket *t, const char *bind, int64_t now,
                 char ret[TICKET_TEXT]);

/* Signature first, then kind, then time. *ret is valid only after TICKET_OK, TICKET_EARLY and
 * TICKET_EXPIRED, so that a page can renew what has expired. */
enum ticket_end ticket_read(const struct keys *k, const char *text, const struct ticket_rule *rule,
                            int64_t now, struct ticket *ret);

extern const char *const TICKET_ENDS[]; /* "ok", "malformed", ... */
