/* One smtp dialog over one talk. */
#include "lib/mail.h"

#include <errno.h>
#include <openssl/x509.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct mail {
        struct loop *loop;
        struct talk *talk;
        struct smtp smtp;
        struct smtp_message message;
        char *helo, *user, *password, *from, *data;
        char *to[SMTP_RECIPIENTS_MAX + 1];
        mail_fn fn;
        void *arg;
        msec_t began, took;
        int error;
        bool connected, over;
        X509 *certificate;
        long verdict;
        char why[512];
};

void mail_cancel(struct mail *m)
{
        if (!m)
                return;
        talk_free(m->talk);
        X509_free(m->certificate);
        if (m->password)
                explicit_bzero(m->password, strlen(m->password));
        free(m->helo);
        free(m->user);
        free(m->password);
        free(m->from);
        free(m->data);
        for (size_t i = 0; m->to[i]; i++)
                free(m->to[i]);
        free(m);
}

/* A password may have been in it. */
static void wipe(struct buf *b)
{
        if (b->data)
                explicit_bzero(b->data, b->size);
        buf_done(b);
}

static void PRINTF(3, 4) settle(struct mail *m, int error, const char *fmt, ...)
{
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(m->why, sizeof m->why, fmt, ap);
        va_end(ap);
        m->over = true;
        m->error = error;
        m->took = loop_now(m->loop) - m->began;
}

/* ---- the talk ---- */

static void on_open(void *arg)
{
        struct mail *m = arg;
        CLEANUP(wipe) struct buf say = BUF(1024);

        m->connected = true;
        if (talk_secured(m->talk)) {
                m->certificate = talk_certificate(m->talk);
                m->verdict = talk_verdict(m->talk);
        }
        if (m->smtp.step != SMTP_STARTTLS)
                return; /* the server speaks first */
        smtp_secured(&m->smtp, &say);
        talk_say(m->talk, say.data, say.len);
}

static bool on_line(void *arg, const char *line, size_t len)
{
        struct mail *m = arg;
        CLEANUP(wipe) struct buf say = BUF(2 * MAIL_SIZE_MAX + 4096);
        CLEANUP(buf_done) struct buf why = BUF(1024);
        int error = 0;
        (void)len;

        enum smtp_next next = smtp_line(&m->smtp, line, &say, &why, &error);
        if (next == SMTP_FAILED)
                settle(m, error, "%s: %s", talk_where(m->talk), buf_str(&why));
        else if (next == SMTP_DONE && m->smtp.refused > 0)
                settle(m, 0, "%s has taken it, but not for all: %s", talk_where(m->talk),
                       m->smtp.first);
        else if (next == SMTP_DONE)
                settle(m, 0, "%s has taken it", talk_where(m->talk));
        talk_say(m->talk, say.data, say.len);
        if (next == SMTP_SECURE)
                talk_secure(m->talk);
        else if (next != SMTP_MORE)
                talk_leave(m->talk);
        return next == SMTP_MORE;
}

static void on_end(void *arg, int error, enum talk_stage stage, const char *why)
{
        struct mail *m = arg;

        if (!m->over && stage == TALK_OPEN && error == -ETIMEDOUT)
                settle(m, error, "%s: no %s in time", talk_where(m->talk),
                       smtp_awaits(m->smtp.step));
        else if (!m->over && stage == TALK_OPEN && error == -ECONNRESET)
                settle(m, error, "%s hung up before its %s", talk_where(m->talk),
                       smtp_awaits(m->smtp.step));
        else if (!m->over)
                settle(m, error, "%s", why);
        const struct mail_result r = {
                .error = m->error,
                .code = m->smtp.code,
                .refused = m->smtp.refused,
                .connected = m->connected,
                .step = m->smtp.step,
                .message = m->why,
                .took = m->took,
                .certificate = m->certificate,
                .verdict = m->verdict,
        };
        m->fn(m->arg, &r);
        mail_cancel(m);
}

/* ---- the outside ---- */

static char *copy(const char *s)
{
        return s && *s ? strdup(s) : NULL;
}

/* The lines of a message that are no mail (a lone CR) were mended by smtp_wire. */
static int copy_message(struct mail *m, const struct smtp_message *from)
{
        m->from = strdup(from->from);
        m->data = strdup(from->data);
        for (size_t i = 0; i < SMTP_RECIPIENTS_MAX && from->to[i]; i++) {
                m->to[i] = strdup(from->to[i]);
                if (!m->to[i])
                        return -ENOMEM;
        }
        m->message = (struct smtp_message){ .from = m->from,
                                            .to = (const char *const *)m->to,
                                            .data = m->data };
        return m->from && m->data ? 0 : -ENOMEM;
}

static int set_up(struct mail *m, const struct mail_server *s, const struct smtp_message *message)
{
        char name[256] = "localhost";

        if (gethostname(name, sizeof name - 1) < 0 || !*name)
                str_copy(name, sizeof name, "localhost");
        m->helo = s->helo && *s->helo ? strdup(s->helo) : strdup(name);
        m->user = copy(s->user);
        m->password = s->password ? strdup(s->password) : strdup("");
        if (!m->helo || !m->password || (s->user && *s->user && !m->user))
                return -ENOMEM;
        m->smtp = (struct smtp){ .helo = m->helo,
                                 .starttls = s->tls == TALK_STARTTLS,
                                 .secured = s->tls == TALK_TLS,
                                 .user = m->user,
                                 .password = m->password };
        int r = message ? copy_message(m, message) : 0;
        if (message)
                m->smtp.message = &m->message;
        return r;
}

static int dial(struct mail *m, const struct mail_server *s, struct buf *why)
{
        const struct talk_config c = {
                .host = s->host,
                .address = s->address,
                .port = s->port,
                .tls = s->tls,
                .verify = s->verify,
                .judge = s->judge,
                .ca_file = s->ca_file,
                .timeout = s->timeout,
                .arg = m,
                .on_open = on_open,
                .on_line = on_line,
                .on_end = on_end,
        };
        int r = talk_new(m->loop, &c, &m->talk);

        if (r == -ENOENT)
                buf_addf(why, "%s: no certificates can be read from it", s->ca_file);
        else if (r == -EINVAL)
                buf_addf(why, "\"%s\", port %u is no server", s->host, s->port);
        else if (r < 0)
                buf_adds(why, strerror(-r));
        return r;
}

int mail_send(struct loop *l, const struct mail_server *s, const struct smtp_message *message,
              mail_fn fn, void *arg, struct buf *why, struct mail **ret)
{
        CLEANUP(buf_done) struct buf unused = BUF(1024);
        struct mail *m;

        why = why ? why : &unused;
        if (message && strlen(message->data) > MAIL_SIZE_MAX) {
                buf_addf(why, "a message of %zu bytes; at most %d are possible",
                         strlen(message->data), MAIL_SIZE_MAX);
                return -EFBIG;
        }
        m = calloc(1, sizeof *m);
        if (!m)
                return -ENOMEM;
        m->loop = l;
        m->fn = fn;
        m->arg = arg;
        m->began = loop_now(l);
        int r = set_up(m, s, message);
        if (r == 0) /* before the copy is cut to SMTP_RECIPIENTS_MAX it was counted */
                r = smtp_check(&(struct smtp){ .helo = m->helo,
                                               .user = m->user,
                                               .password = m->password,
                                               .message = message },
                               s->tls != TALK_PLAIN, why);
        if (r == 0)
                r = dial(m, s, why);
        if (r < 0) {
                mail_cancel(m);
                return r;
        }
        *ret = m;
        return 0;
}
