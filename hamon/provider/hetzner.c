/* The life of the hetzner provider and of its calls: begun, timed, ended once. What a call does in
 * between is in hetzner_ops.c, how it talks in hetzner_http.c. */
#include "hamon/provider/hetzner_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define METADATA "http://169.254.169.254/hetzner/v1/metadata/instance-id"
#define BEARER   "Authorization: Bearer "

static void call_free(struct provider_call *c)
{
        http_cancel(take_ptr(c->http));
        timer_done(&c->deadline);
        timer_done(&c->timer);
        buf_done(&c->body);
        free(c);
}

static void call_end(struct provider_call *c)
{
        TAILQ_REMOVE(&c->h->calls, c, link);
        call_free(c);
}

void hetzner_reason(struct provider_call *c, int error, const char *fmt, ...)
{
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(c->reason, sizeof c->reason, fmt, ap);
        va_end(ap);
        c->error = error;
}

void hetzner_finish(struct provider_call *c, enum provider_result result, int error)
{
        void (*done)(void *arg, const struct provider_outcome *o) = c->done;
        char text[sizeof c->what + sizeof c->reason + 4];
        struct provider_seen seen = c->seen;
        void *arg = c->arg;

        if (*c->reason)
                snprintf(text, sizeof text, "%s: %s", c->what, c->reason);
        else
                str_copy(text, sizeof text, c->what);
        struct provider_outcome o = {
                .result = result, .error = error, .text = text, .seen = &seen
        };
        call_end(c);
        if (done)
                done(arg, &o);
}

void hetzner_fail(struct provider_call *c)
{
        hetzner_finish(c, PROVIDER_FAILED, c->error);
}

void hetzner_later(struct provider_call *c, msec_t ms, void (*next)(struct provider_call *c))
{
        c->next = next;
        timer_set(&c->timer, ms);
}

static void on_timer(void *arg)
{
        struct provider_call *c = arg;

        c->next(c);
}

static void on_deadline(void *arg)
{
        struct provider_call *c = arg;
        char reason[sizeof c->reason], allowed[32];

        str_copy(reason, sizeof reason, *c->reason ? c->reason : "no answer");
        reason[sizeof reason - 64] = '\0';
        format_duration(c->allowed, allowed, sizeof allowed);
        hetzner_reason(c, -ETIMEDOUT, "not within %s: %s", allowed, reason);
        hetzner_finish(c, PROVIDER_TEMPORARY, -ETIMEDOUT);
}

/* As host names are: it goes into a URL. */
static bool is_name(const char *s)
{
        size_t len = strlen(s);

        return len > 0 && len < 254 &&
               strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") ==
                       len;
}

static bool is_label(const char *s)
{
        return s && strlen(s) < 64 && (!*s || is_name(s));
}

static bool acceptable(const struct hetzner_op *op, const struct provider_request *r)
{
        const char *server = r->server ? r->server : "";

        if (r->deadline <= 0 || (op->thing != HETZNER_SERVER && !hetzner_json_is_id(r->id)))
                return false;
        if (op->method && strcmp(op->method, "PUT") == 0 && !is_label(r->label))
                return false;
        if (op->wants_server || (*server && op->thing != HETZNER_SERVER))
                return hetzner_json_is_id(server);
        return !*server || is_name(server);
}

static void name_it(struct provider_call *c)
{
        static const char *const THINGS[] = { [HETZNER_VOLUME] = "volume",
                                              [HETZNER_IP] = "floating IP",
                                              [HETZNER_SERVER] = "server" };
        const char *name = c->op->thing == HETZNER_SERVER ? c->server : c->id;

        snprintf(c->subject, sizeof c->subject, "%s %s", THINGS[c->op->thing],
                 *name ? name : "we run on");
        if (c->op->wants_server && c->op->thing != HETZNER_SERVER)
                snprintf(c->what, sizeof c->what, "%s %s to server %s", c->op->what, name,
                         c->server);
        else
                snprintf(c->what, sizeof c->what, "%s %s", c->op->what, *name ? name : "(own)");
}

int hetzner_begin(struct provider *p, const struct hetzner_op *op, const struct provider_request *r,
                  struct provider_call **ret)
{
        struct hetzner *h = (struct hetzner *)(void *)p;
        const char *server = r->server ? r->server : "";

        if (!acceptable(op, r))
                return -EINVAL;
        if (op->thing == HETZNER_SERVER && !*server)
                server = h->server;

        struct provider_call *c = calloc(1, sizeof *c);
        if (!c)
                return -ENOMEM;
        c->h = h;
        c->op = op;
        str_copy(c->id, sizeof c->id, r->id ? r->id : "");
        str_copy(c->server, sizeof c->server, server);
        str_copy(c->label, sizeof c->label, r->label ? r->label : "");
        c->arg = r->arg;
        c->may = r->may;
        c->done = r->done;
        c->allowed = r->deadline;
        c->started = loop_now(h->loop);
        buf_init(&c->body, 64L * 1024);
        TAILQ_INSERT_TAIL(&h->calls, c, link);
        name_it(c);

        int e = timer_init(&c->deadline, h->loop, on_deadline, c);
        if (e == 0)
                e = timer_init(&c->timer, h->loop, on_timer, c);
        if (e < 0) {
                call_end(c);
                return e;
        }
        timer_set(&c->deadline, r->deadline);
        hetzner_later(c, 0, hetzner_look);
        if (ret)
                *ret = c;
        return 0;
}

void hetzner_cancel(struct provider_call *c)
{
        if (c)
                call_end(c);
}

void hetzner_free(struct provider *p)
{
        struct hetzner *h = (struct hetzner *)(void *)p;
        struct provider_call *c;

        if (!h)
                return;
        while ((c = TAILQ_FIRST(&h->calls))) {
                TAILQ_REMOVE(&h->calls, c, link);
                call_free(c);
        }
        http_free(h->http);
        if (h->auth)
                explicit_bzero(h->auth, strlen(h->auth));
        free(h->auth);
        free(h->api_url);
        free(h->metadata_url);
        free(h->server);
        free(h);
}

/* Visible ASCII in one piece: it becomes a header. */
static bool is_token(const char *s)
{
        size_t n = 0;

        for (; s && s[n]; n++)
                if (s[n] <= ' ' || s[n] > '~')
                        return false;
        return n > 0 && n < 1024;
}

static int fill(struct hetzner *h, const struct hetzner_config *c)
{
        size_t size = sizeof BEARER + strlen(c->token);

        h->api_url = strdup(c->api_url);
        h->metadata_url = strdup(c->metadata_url ? c->metadata_url : METADATA);
        h->server = strdup(c->server ? c->server : "");
        h->auth = malloc(size);
        if (!h->api_url || !h->metadata_url || !h->server || !h->auth)
                return -ENOMEM;
        snprintf(h->auth, size, BEARER "%s", c->token);
        h->poll = c->poll > 0 ? c->poll : 250;
        h->retry = c->retry > 0 ? c->retry : 250;
        h->request_timeout = c->request_timeout > 0 ? c->request_timeout : 10000;
        h->jitter = (unsigned)loop_now(h->loop) | 1;
        return http_new(h->loop, &h->http);
}

int hetzner_new(struct loop *l, const struct hetzner_config *c, struct provider **ret)
{
        if (!is_token(c->token) || !c->api_url || (c->server && *c->server && !is_name(c->server)))
                return -EINVAL;

        struct hetzner *h = calloc(1, sizeof *h);
        if (!h)
                return -ENOMEM;
        h->base.ops = &HETZNER_OPS;
        h->loop = l;
        TAILQ_INIT(&h->calls);
        int r = fill(h, c);
        if (r < 0) {
                hetzner_free(&h->base);
                return r;
        }
        *ret = &h->base;
        return 0;
}
