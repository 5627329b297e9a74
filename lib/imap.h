/* An IMAP session on our loop: a login, then one command at a time, each with its answer (RFC 9051;
 * STARTTLS; AUTHENTICATE PLAIN). What a command says is the caller's matter. */
#pragma once

#include "mail.h"

enum { IMAP_ANSWER_MAX = 256 * 1024 };

struct imap_answer {
        int error; /* 0: OK. NO: -EACCES (a login), -ENOSPC (OVERQUOTA and its kin), -EAGAIN (for
                      now), -EPERM (all else). -EPROTO: BAD or no IMAP; -EFBIG; talk_config's */
        bool connected;
        const char *message; /* a sentence with the server's name; never NULL */
        const char *data;    /* the untagged lines, LF behind each, literals as they came */
        size_t len;
};

typedef void (*imap_fn)(void *arg, const struct imap_answer *a);
struct imap;

/* Connects and logs in; then fn, once. -EINVAL with a sentence in `why`: without a user, a password
 * and TLS there is none. The timeout is for the whole session. */
int imap_open(struct loop *l, const struct mail_server *s, imap_fn fn, void *arg, struct buf *why,
              struct imap **ret);

struct imap_command {
        const char *text;    /* "SELECT INBOX"; nothing that breaks the line */
        const char *awaits;  /* "answer to SELECT"; borrowed, static */
        const char *literal; /* sent when the server asks for it; NULL = none. `text` ends with its
                                length: "APPEND INBOX {310}" */
};
/* fn, once. -EBUSY: one is under way. -ENOTCONN: the session has ended. -EINVAL. */
int imap_do(struct imap *i, const struct imap_command *c, imap_fn fn, void *arg);
const char *imap_awaits(const struct imap *i); /* what is being waited for; "" = nothing */

/* A polite word, and the other end hangs up; a second is given for both. True: fn comes then, and
 * the session is only to be freed. False: there is nobody to be polite to. */
bool imap_leave(struct imap *i, imap_fn fn, void *arg);
void imap_free(struct imap *i); /* at once, no callback any more; NULL is fine */

/* Numbers of "* SEARCH 1 2 3"; at most `max` are kept. */
size_t imap_search(const char *data, uint32_t *all, size_t max);
