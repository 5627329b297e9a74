/* A connection that talks in lines, on our loop: a name is looked up, its addresses are tried one
 * after the other, TLS from the start or later (STARTTLS), one deadline over all of it. What is
 * said in the lines is the caller's matter (lib/mail.c, lib/imap.c).
 *
 * Not libcurl: its SMTP and IMAP wait *inside* curl_multi for the answer to a message's end and to
 * QUIT, and a mail server that hangs would hang the loop. */
#pragma once

#include "loop.h"

struct talk;
struct x509_st;

enum talk_tls {
        TALK_PLAIN,
        TALK_STARTTLS, /* plain until talk_secure() */
        TALK_TLS,      /* from the first byte on */
};

extern const char *const TALK_TLS_NAMES[]; /* "none", "starttls", "tls", NULL */

enum talk_stage { TALK_LOOKUP, TALK_CONNECT, TALK_HANDSHAKE, TALK_OPEN, TALK_LEAVING, TALK_OVER };

enum { TALK_LINE_MAX = 8192 };

struct talk_config {
        const char *host;    /* a name or a numeric address; the certificate is for it */
        const char *address; /* numeric: ask this one instead of looking the name up; NULL, "" */
        unsigned port;       /* 1..65535 */
        enum talk_tls tls;
        bool verify;         /* the certificate must be trusted and be for `host` */
        bool judge;          /* it need not, but talk_verdict() is asked for */
        const char *ca_file; /* whom to trust; NULL or "" = the system's list */
        msec_t timeout;      /* all of it, until talk_leave(); 0 = 30 s */

        /* From the loop, never from inside a function of ours. talk_free() may be called in all. */
        void *arg;
        void (*on_open)(void *arg); /* it stands; after each handshake too */
        /* One line, without its end. False: no further one until talk_go_on(). */
        bool (*on_line)(void *arg, const char *line, size_t len);
        void (*on_bytes)(void *arg, const char *data, size_t len); /* of talk_expect() */
        /* Once, and nothing follows. error 0: it ended after talk_leave(). Else -ETIMEDOUT,
         * -EHOSTUNREACH (no such name), -ECONNREFUSED or what else connect(2) says, -ECONNRESET
         * (hung up), -EPROTO (no TLS, or a line without end), -EKEYREJECTED (certificate). `why`
         * begins with the server's name and port. */
        void (*on_end)(void *arg, int error, enum talk_stage stage, const char *why);
};

/* Nothing is called before the next turn of the loop. -EINVAL: port, or an address that is not
 * numeric; -ENOENT: ca_file cannot be read. */
int talk_new(struct loop *l, const struct talk_config *c, struct talk **ret);
void talk_free(struct talk *t); /* at once, without a word; NULL is fine */

void talk_say(struct talk *t, const void *data, size_t len);
void talk_expect(struct talk *t, size_t n); /* the next n bytes are no lines: on_bytes in pieces */
void talk_go_on(struct talk *t);            /* after on_line said false */
void talk_secure(struct talk *t);           /* STARTTLS was agreed on; then on_open or on_end */
/* What was said last goes out, and the other end hangs up; a second is given for both. */
void talk_leave(struct talk *t);

const char *talk_where(const struct talk *t);     /* "mail.example.org:587" */
bool talk_secured(const struct talk *t);          /* TLS stands */
struct x509_st *talk_certificate(struct talk *t); /* the caller frees it (X509_free); may be NULL */
/* How the certificate was judged, X509_V_OK or what libssl calls it; with `verify` or `judge`. */
long talk_verdict(struct talk *t);
