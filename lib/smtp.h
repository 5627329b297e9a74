/* The client's half of SMTP, line by line and pure: no socket, no clock. RFC 5321, STARTTLS (3207),
 * AUTH PLAIN and LOGIN (4954), 8BITMIME (6152). Who talks is lib/mail.c. */
#pragma once

#include "buf.h"

enum { SMTP_RECIPIENTS_MAX = 50 };

enum smtp_step {
        SMTP_GREETING,
        SMTP_HELLO,
        SMTP_STARTTLS,
        SMTP_LOGIN,
        SMTP_LOGIN_USER, /* AUTH LOGIN asks twice */
        SMTP_LOGIN_PASSWORD,
        SMTP_SENDER,
        SMTP_RECIPIENT,
        SMTP_DATA,
        SMTP_MESSAGE, /* the answer to its end: the server has it, or not */
        SMTP_QUIT,
        SMTP_STEP_COUNT_
};

struct smtp_message { /* borrowed */
        const char *from;
        const char *const *to; /* NULL-terminated */
        const char *data;      /* header and body; lines may end with LF or CRLF */
};

struct smtp { /* zeroed but for what the caller sets */
        const char *helo;
        bool starttls;                      /* wanted */
        const char *user, *password;        /* NULL = no login */
        const struct smtp_message *message; /* NULL = hello, TLS, and away */

        enum smtp_step step;
        bool secured;
        unsigned lines, next, accepted, refused; /* recipients */
        int code;                                /* of the last answer */
        struct {
                bool starttls, plain, login, eightbit;
        } offers;
        char first[256]; /* first refusal of a recipient */
        int first_error;
};

enum smtp_next {
        SMTP_MORE,   /* wait for the next line, having said what `say` holds */
        SMTP_SECURE, /* begin TLS, then smtp_secured() */
        SMTP_DONE,   /* all is well; say `say` and leave */
        SMTP_FAILED, /* `error` and `why` have it; say `say` and leave */
};

/* -EINVAL and a sentence: an address with what does not belong into one, none, too many; a password
 * without TLS. */
int smtp_check(const struct smtp *s, bool tls, struct buf *why);

/* One line of the server's. SMTP_FAILED: *ret_error is -EAGAIN (4xx: try later), -EPERM (5xx),
 * -EACCES (the login was refused), -ENOTSUP (STARTTLS or a login is not offered), -EPROTO. */
enum smtp_next smtp_line(struct smtp *s, const char *line, struct buf *say, struct buf *why,
                         int *ret_error);
void smtp_secured(struct smtp *s, struct buf *say);
const char *smtp_awaits(enum smtp_step step); /* "greeting", "answer to MAIL FROM" */

/* The message as it goes over the wire: CRLF, dots doubled, the end. */
int smtp_wire(const char *data, struct buf *out);
