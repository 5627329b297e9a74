/* Send a mail, on our loop: SMTP, with STARTTLS or TLS, with a login or without. One deadline, caps
 * on all that comes back, no queue: whoever sends keeps the message until on_done says 0. */
#pragma once

#include "smtp.h"
#include "talk.h"

enum { MAIL_SIZE_MAX = 1024 * 1024 };

struct mail_server {         /* all copied */
        const char *host;    /* a name or a numeric address; the certificate is for it */
        const char *address; /* numeric: ask this one, do not look the name up; NULL or "" = no */
        unsigned port;
        enum talk_tls tls;
        bool verify;                 /* the certificate must be good */
        bool judge;                  /* it need not, but `verdict` is asked for */
        const char *ca_file;         /* NULL or "" = the system's list */
        const char *user, *password; /* NULL or "" = no login; never without TLS */
        const char *helo;            /* our name; NULL or "" = this host's */
        msec_t timeout;              /* all of it; 0 = 30 s */
};

struct mail_result {
        /* 0: the server has taken it, for one recipient at least. What smtp_line() and talk_config
         * name. -EAGAIN, -ETIMEDOUT, -ECONNREFUSED, -ECONNRESET, -EHOSTUNREACH: later it may work.
         */
        int error;
        int code;            /* SMTP's last answer; 0 = none */
        unsigned refused;    /* recipients it was not taken for, though for others */
        bool connected;      /* somebody answered there */
        enum smtp_step step; /* how far it came */
        const char *message; /* a sentence with the server's name, and no secret; never NULL */
        msec_t took;         /* until it was taken */
        struct x509_st *certificate; /* the server's, if TLS stood; borrowed; or NULL */
        long verdict;                /* of it: talk_verdict() */
};

typedef void (*mail_fn)(void *arg, const struct mail_result *r);
struct mail;

/* fn is called once, from the loop, unless it is cancelled before; everything is copied. `m` NULL:
 * only hello and TLS. On failure no callback, and `why` (may be NULL) tells: -EINVAL, -ENOENT (a CA
 * file that cannot be read), -EFBIG, -ENOMEM. */
int mail_send(struct loop *l, const struct mail_server *s, const struct smtp_message *m, mail_fn fn,
              void *arg, struct buf *why, struct mail **ret);
void mail_cancel(struct mail *m); /* NULL is fine; in its callback it is gone already */
