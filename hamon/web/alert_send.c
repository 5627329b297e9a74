/* What HTTP says becomes an outcome (alert_judge); an error of the network is always "later". A
 * request goes over a fresh connection: libcurl would send it twice when a kept one breaks. */
#include "hamon/web/alert_send.h"

#include "lib/mail.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum { CONNECT_MS = 10000, ANSWER_MAX = 16 * 1024, RETRY_MAX = 3600 };

struct alert_sending {
        const struct alert_target *target;
        alert_sent_fn fn;
        void *arg;
        struct http_call *call;
        struct mail *mail;
        msec_t retry_after;
};

static int64_t wall_ms(void)
{
        struct timespec ts;

        clock_gettime(CLOCK_REALTIME, &ts);
        return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void over(struct alert_sending *s, struct alert_outcome *o)
{
        alert_sent_fn fn = s->fn;
        void *arg = s->arg;

        alert_target_scrub(s->target, o->error);
        free(s);
        fn(arg, o);
}

/* ---- HTTP ---- */

/* Seconds; the form with a date is not worth a parser. */
static void on_header(void *arg, const char *line, size_t len)
{
        static const char NAME[] = "Retry-After:";
        struct alert_sending *s = arg;
        char value[16];
        uint64_t seconds;

        if (len < sizeof NAME || strncasecmp(line, NAME, sizeof NAME - 1) != 0)
                return;
        line += sizeof NAME - 1;
        len -= sizeof NAME - 1;
        for (; len > 0 && *line == ' '; line++)
                len--;
        if (len >= sizeof value)
                return;
        memcpy(value, line, len);
        value[len] = '\0';
        if (parse_uint(value, 0, RETRY_MAX, &seconds) == 0)
                s->retry_after = (msec_t)seconds * 1000;
}

static void on_done(void *arg, const struct http_result *r)
{
        struct alert_sending *s = arg;
        struct alert_outcome o = { .end = ALERT_LATER };

        s->call = NULL;
        if (r->error < 0)
                alert_copy(o.error, sizeof o.error, r->message);
        else
                alert_judge(s->target,
                            &(struct alert_answer){ .status = r->status,
                                                    .body = r->body,
                                                    .retry_after = s->retry_after },
                            &o);
        over(s, &o);
}

static int start_http(struct alert_sending *s, struct http *http, const struct alert_request *q)
{
        const char *headers[ALERT_HEADERS + 1] = { NULL };

        for (size_t i = 0; i < q->n_headers; i++)
                headers[i] = buf_str(&q->header[i]);
        const struct http_request r = {
                .method = q->method,
                .url = buf_str(&q->url),
                .ca_file = s->target->k.ca_file,
                .headers = headers,
                .body = strcmp(q->method, "POST") == 0 ? buf_str(&q->body) : NULL,
                .max_body = ANSWER_MAX,
                .connect_timeout = MIN((msec_t)CONNECT_MS, s->target->k.timeout),
                .timeout = s->target->k.timeout,
                .once = true,
                .arrive = s->target->k.timeout,
                .arg = s,
                .on_header = on_header,
                .on_done = on_done,
        };
        return http_start(http, &r, &s->call);
}

/* ---- mail ---- */

static void on_mailed(void *arg, const struct mail_result *r)
{
        struct alert_sending *s = arg;
        struct alert_outcome o = { .end = ALERT_SENT };

        s->mail = NULL;
        if (r->error < 0) {
                o.end = r->error == -EPERM && r->step == SMTP_MESSAGE ? ALERT_REFUSED : ALERT_LATER;
                alert_copy(o.error, sizeof o.error, r->message);
        }
        over(s, &o);
}

static int start_mail(struct alert_sending *s, struct loop *l, const struct alert_request *q)
{
        const struct alert_keys *k = &s->target->k;
        const char **to = calloc(k->to.n + 1, sizeof *to);
        char host[256] = "";
        unsigned port = 0;
        bool tls = false;

        if (!to)
                return -ENOMEM;
        for (size_t i = 0; i < k->to.n; i++)
                to[i] = k->to.v[i];
        alert_target_mail(buf_str(&q->url), &tls, host, sizeof host, &port);
        const struct mail_server server = { .host = host,
                                            .port = port,
                                            .tls = tls           ? TALK_TLS
                                                   : k->starttls ? TALK_STARTTLS
                                                                 : TALK_PLAIN,
                                            .verify = true,
                                            .ca_file = k->ca_file,
                                            .user = k->user,
                                            .password = k->token,
                                            .timeout = k->timeout };
        const struct smtp_message m = { .from = k->from, .to = to, .data = buf_str(&q->body) };
        int r = mail_send(l, &server, &m, on_mailed, s, NULL, &s->mail);
        free(to);
        return r;
}

/* ---- */

static int start(struct loop *l, struct http *http, const struct alert_target *t,
                 struct alert_request *q, alert_sent_fn fn, void *arg, struct alert_sending **ret)
{
        struct alert_sending *s = calloc(1, sizeof *s);
        int r = s ? 0 : -ENOMEM;

        if (s) {
                *s = (struct alert_sending){ .target = t, .fn = fn, .arg = arg };
                r = t->k.format == ALERT_EMAIL ? start_mail(s, l, q) : start_http(s, http, q);
        }
        alert_request_done(q);
        if (r < 0) {
                free(s);
                return r;
        }
        *ret = s;
        return 0;
}

int alert_send(struct loop *l, struct http *http, const struct alert_target *t,
               const struct alert_message *m, alert_sent_fn fn, void *arg,
               struct alert_sending **ret)
{
        struct alert_request q;
        int r = alert_build(t, m, wall_ms(), &q);

        return r < 0 ? r : start(l, http, t, &q, fn, arg, ret);
}

int alert_send_beat(struct loop *l, struct http *http, const struct alert_target *t, bool up,
                    const char *text, msec_t ping, alert_sent_fn fn, void *arg,
                    struct alert_sending **ret)
{
        struct alert_request q;
        int r = alert_build_beat(t, up, text, ping, &q);

        if (r < 0) {
                alert_request_done(&q);
                return r;
        }
        return start(l, http, t, &q, fn, arg, ret);
}

void alert_send_cancel(struct alert_sending *s)
{
        if (!s)
                return;
        http_cancel(s->call);
        mail_cancel(s->mail);
        free(s);
}
