/* How the hetzner provider talks: one request, what its answer means, and when to try again. */
#include "hamon/provider/hetzner_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

/* A change that comes late could hit another master. Core takes for granted that it arrives within
 * 1.5 s after the renewal it was based on (ha_config.in_flight), or never: that renewal is younger
 * than 0.4 s when the request begins (step_may), then come CONNECT and ARRIVE. */
enum { ACTIONS_MAX = 3, RATE_PAUSE = 1000, CONNECT_MS = 500, ARRIVE_MS = 500 };

enum how {
        NEVER, /* somebody must change something first */
        SOON,  /* a matter of moments: somebody else's action is under way */
        SLOW,  /* the other side is unwell: each pause longer than the last */
        RATE,  /* too many requests: when its headers say so */
};

/* Error codes of the API, of requests and of actions. What stands in none of the rows is NEVER for
 * a request; an action is tried again a few times. */
static const struct code {
        const char *code;
        enum how how;
        int error;
        const char *text;
} CODES[] = {
        { "locked", SOON, -EAGAIN, "another action is under way on it" },
        { "conflict", SOON, -EAGAIN, "it was changed at the same time" },
        { "volume_already_attached", SOON, -EAGAIN, "the API says it is attached already" },
        { "server_already_attached", SOON, -EAGAIN, "the API says it is attached already" },
        { "floating_ip_assigned", SOON, -EAGAIN, "it must be unassigned first" },
        { "rate_limit_exceeded", RATE, -EAGAIN, "too many requests for this project" },
        { "timeout", SLOW, -EAGAIN, "the API timed out" },
        { "bad_gateway", SLOW, -EAGAIN, "the API is unwell" },
        { "server_error", SLOW, -EAGAIN, "the API is unwell" },
        { "service_error", SLOW, -EAGAIN, "the API is unwell" },
        { "unavailable", SLOW, -EAGAIN, "the API is unwell" },
        { "maintenance", SLOW, -EAGAIN, "the API is in maintenance" },
        { "resource_unavailable", SLOW, -EAGAIN, "it is not available now" },
        { "not_found", NEVER, -ENOENT, "there is none in the project of this token" },
        { "unauthorized", NEVER, -EACCES, "the API does not know this token" },
        { "token_readonly", NEVER, -EACCES, "this token may only read; make one that may write" },
        { "forbidden", NEVER, -EACCES, "this token may not do that" },
        { "protected", NEVER, -EACCES, "it is protected against that" },
        { "resource_locked", NEVER, -EACCES, "Hetzner has locked it; ask their support" },
        { "user_action_required", NEVER, -EIO,
          "Hetzner wants the server powered off and on again by its owner" },
        { "limit_exceeded_error", NEVER, -EIO, "the server has too many volumes" },
        { "resource_limit_exceeded", NEVER, -EIO, "a limit of the project is reached" },
        { "no_space_left_in_location", NEVER, -EIO, "its location is full" },
};

/* A number in 0..n-1; only to keep several nodes from asking in step. */
static msec_t jitter(struct hetzner *h, msec_t n)
{
        h->jitter = h->jitter * 1103515245U + 12345U;
        return n > 0 ? (msec_t)(h->jitter >> 16) % n : 0;
}

/* The headers say when the quota is whole again, which may be long after the first request would be
 * allowed (it refills every second): beyond our deadline it is no use to wait that long. */
static msec_t rate_pause(struct provider_call *c)
{
        int64_t date = c->date ? c->date : (int64_t)time(NULL);
        msec_t left = c->started + c->allowed - loop_now(c->h->loop), wait = 0;

        if (c->reset > date)
                wait = (c->reset - date) * 1000;
        if (c->retry_after > 0)
                wait = c->retry_after * 1000;
        if (wait <= 0 || wait >= left)
                wait = c->h->retry * (RATE_PAUSE / 250) * MIN((msec_t)c->tries, 4);
        return wait;
}

static msec_t pause_of(struct provider_call *c, enum how how)
{
        msec_t base = c->h->retry;

        if (how == RATE)
                return rate_pause(c) + jitter(c->h, base);
        if (how == SLOW)
                base *= INT64_C(2) << MIN(c->tries - 1, 4U);
        else
                base *= MIN(1 + c->tries / 4, 4U);
        return base + jitter(c->h, base);
}

static void retry(struct provider_call *c, enum how how)
{
        c->tries++;
        hetzner_later(c, pause_of(c, how), *c->action ? hetzner_poll : hetzner_look);
}

void hetzner_again(struct provider_call *c)
{
        retry(c, SOON);
}

void hetzner_judge(struct provider_call *c, const struct hetzner_error *e, bool of_action)
{
        static const struct code OTHER = { "", NEVER, -EIO, "the API refused" };
        static const struct code BAD_ACTION = { "", SLOW, -EIO, "the action failed" };
        const struct code *row = of_action ? &BAD_ACTION : &OTHER;
        const char *colon = *e->message ? ": " : "";

        for (size_t i = 0; i < ARRAY_SIZE(CODES); i++)
                if (strcmp(CODES[i].code, e->code) == 0)
                        row = &CODES[i];
        hetzner_reason(c, row->error, "%s: %s (%s%s%s)", c->subject, row->text, e->code, colon,
                       e->message);
        if (strcmp(e->code, "floating_ip_assigned") == 0)
                c->unassign_first = true;
        if (of_action)
                c->bad_actions++;
        if (row->how == NEVER || c->bad_actions >= ACTIONS_MAX)
                hetzner_fail(c);
        else
                retry(c, row->how);
}

static void refused(struct provider_call *c, const struct http_result *r)
{
        struct hetzner_error e;
        const char *token = strrchr(c->h->auth, ' ') + 1;

        hetzner_json_error(r->status, r->body, r->len, &e);
        if (strstr(e.message, token) || strstr(e.code, token))
                e = (struct hetzner_error){ .code = "unexpected" }; /* it repeats our token */
        if (c->sending && r->status < 500)
                c->acting = false; /* surely not done */
        if (*c->action && !c->sending && strcmp(e.code, "not_found") == 0) {
                hetzner_reason(c, -EAGAIN, "the API has forgotten action %s", c->action);
                *c->action = '\0';
                hetzner_again(c);
                return;
        }
        hetzner_judge(c, &e, false);
}

static void on_done(void *arg, const struct http_result *r)
{
        struct provider_call *c = arg;

        c->http = NULL;
        if (c->sending && (r->error || r->status >= 500))
                c->acted = true; /* perhaps: if it is as wanted at the next look, it was us */
        if (r->error) {
                hetzner_reason(c, -EAGAIN, "the API does not answer: %s", r->message);
                retry(c, SLOW);
                return;
        }
        if (r->status < 200 || r->status >= 300) {
                refused(c, r);
                return;
        }
        c->answered(c, r);
}

static void on_header(void *arg, const char *line, size_t len)
{
        struct provider_call *c = arg;
        char text[128];

        if (len >= sizeof text)
                return;
        memcpy(text, line, len);
        text[len] = '\0';
        char *value = strchr(text, ':');
        if (!value)
                return;
        *value++ = '\0';
        value += strspn(value, " \t");

        uint64_t n;
        struct tm tm = { .tm_isdst = 0 };
        bool number = parse_uint(value, 0, INT64_C(1) << 40, &n) == 0;
        if (strcasecmp(text, "RateLimit-Reset") == 0 && number)
                c->reset = (int64_t)n;
        else if (strcasecmp(text, "Retry-After") == 0 && number)
                c->retry_after = (int64_t)n;
        else if (strcasecmp(text, "Date") == 0 && strptime(value, "%a, %d %b %Y %H:%M:%S GMT", &tm))
                c->date = (int64_t)timegm(&tm);
}

void hetzner_send(struct provider_call *c, const char *method, const char *url, const char *body,
                  void (*answered)(struct provider_call *c, const struct http_result *r))
{
        bool api = strncmp(url, c->h->api_url, strlen(c->h->api_url)) == 0;
        const char *headers[] = { api ? c->h->auth : "Accept: text/plain",
                                  body ? "Content-Type: application/json" : NULL, NULL };
        c->sending = strcmp(method, "GET") != 0;
        msec_t connect = c->h->request_timeout / 3;
        const struct http_request r = { .method = method,
                                        .url = url,
                                        .headers = headers,
                                        .body = body,
                                        .connect_timeout =
                                                c->sending ? MIN(connect, CONNECT_MS) : connect,
                                        .timeout = c->h->request_timeout,
                                        .once = c->sending,
                                        .arrive = c->sending ? ARRIVE_MS : 0,
                                        .arg = c,
                                        .on_header = on_header,
                                        .on_done = on_done };

        c->date = c->reset = c->retry_after = 0;
        c->answered = answered;
        int e = http_start(c->h->http, &r, &c->http);
        if (e < 0) {
                hetzner_reason(c, e, "%s: cannot ask: %s", c->subject, strerror(-e));
                hetzner_fail(c);
        }
}
