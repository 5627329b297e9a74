/* POST /: what was typed becomes a mailbox. The order matters: what costs nothing comes first, the
 * ticket is used up only when the form is right, and whether an address is free is said only to who
 * has passed a gate. */
#include "signup/pages.h"

#include "signup/note.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
        PWNED_PAUSE_MS = 30000,
        PWNED_CAP = 512 * 1024,
        MARKER = 48,
        MARKER_HEX = 32,
        LOOKS = 5, /* for what a first click, a moment ago, may be making */
        LOOK_PAUSE_MS = 250,
        SECOND_MS = 20000, /* so long it waits for the first one, in this process */
};

struct submit {
        struct visit *v;
        struct form form;
        struct strlist domains;
        struct account account;
        struct problem problems[FIELD_COUNT];
        char marker[KEYS_MAX][MARKER]; /* by each of our keys, the newest first */
        char *marker_v[KEYS_MAX];
        struct strlist markers;
        struct ticket passed;        /* after a gate */
        char invited[INVITE_DOMAIN]; /* for which domain */
        char again[TICKET_TEXT];     /* lets the next try of this visitor through */
        bool has_again, suspicious;
        unsigned taken; /* buckets that were taken from: bits 1u << enum limit_kind */
};

static const char *get(const struct submit *s, const char *name)
{
        const char *v = form_get(&s->form, name);

        return v ? v : "";
}

/* ---- the form once more ---- */

static int again(struct submit *s, int status, const char *alert, const char *gate_problem,
                 const char *ticket, bool passed)
{
        const struct form_state state = {
                .typed = &s->form,
                .problems = s->problems,
                .alert = alert ? visit_text(s->v, alert, NULL) : NULL,
                .gate_problem = gate_problem,
                .ticket = ticket,
                .passed = passed,
                .status = status,
        };

        return form_show(s->v, &state);
}

/* What an invite was for has happened, or will not. */
static void settle(const struct submit *s, bool used)
{
        int r = gate_settle(&s->v->site->gate, &s->passed, used);

        if (r < 0)
                note(LOG_WARN, "invite_unsettled", LI("used", used), LS("reason", strerror(-r)));
}

/* After a gate was passed: the next try need not pass one. */
static int again_passed(struct submit *s, int status, const char *alert)
{
        s->has_again = gate_pass(&s->v->site->gate, &s->passed, s->v->req->wall, s->again) == 0;
        if (!s->has_again)
                settle(s, false);
        return again(s, status, alert, NULL, s->has_again ? s->again : NULL, s->has_again);
}

static int wrong(struct submit *s, enum field field, const char *text)
{
        s->problems[field] = (struct problem){ .text = text };
        return again_passed(s, 422, NULL);
}

/* ---- is it our form? ---- */

/* Debian's nginx passes the host on without its port; then the port is not compared. */
static bool same_host(const char *origin, const char *host)
{
        const char *p = strstr(origin, "://"), *colon = strrchr(host, ':');
        bool port = colon && !strchr(colon, ']');

        if (!p || !*host)
                return false;
        p += 3;
        size_t len = strlen(p);
        const char *own = strrchr(p, ':');
        if (!port && own && !strchr(own, ']'))
                len = (size_t)(own - p);
        return len == strlen(host) && strncasecmp(p, host, len) == 0;
}

static bool origin_ok(const struct visit *v)
{
        const struct request *r = v->req;
        const struct strlist *allowed = &v->site->config->signup.origins;

        if (*r->fetch_site && !str_eq(r->fetch_site, "same-origin"))
                return false;
        if (!*r->origin)
                return true; /* an old browser: the token decides */
        return allowed->n > 0 ? strlist_has(allowed, r->origin) : same_host(r->origin, r->host);
}

static bool is_form(const char *type)
{
        static const char FORM[] = "application/x-www-form-urlencoded";
        size_t len = strcspn(type, "; ");

        return len == sizeof FORM - 1 && strncasecmp(type, FORM, len) == 0;
}

static void refused(const struct submit *s, const char *why)
{
        char from[NETADDR_TEXT];

        note(LOG_INFO, "form_refused", LS("reason", why), LS("from", visit_from(s->v, from)));
}

/* 1: go on; 0: the reply is filled; <0: an error. */
static int read_form(struct submit *s)
{
        struct visit *v = s->v;
        msec_t wait = 0;

        if (!visit_limit(v, LIMIT_ATTEMPTS, &wait)) {
                refused(s, "attempts");
                return visit_wait(v, wait);
        }
        if (v->req->too_long)
                return visit_say(v, 413, "error_heading", "err_request", true);
        if (!is_form(v->req->content_type) || !v->req->body)
                return visit_say(v, 415, "error_heading", "err_request", true);
        if (!origin_ok(v)) {
                refused(s, "origin");
                return visit_say(v, 403, "error_heading", "err_origin", true);
        }
        int r = form_parse(v->req->body, v->req->body_len, &s->form);
        if (r == -ENOMEM)
                return r;
        if (r < 0) {
                refused(s, "malformed");
                return visit_say(v, 400, "error_heading", "err_request", true);
        }
        return 1;
}

/* ---- the gate ---- */

static const struct {
        const char *text; /* for the visitor; NULL = passed */
        int status;
        bool keep; /* the same ticket may be sent again */
} GATE_TEXTS[GATE_END_COUNT_] = {
        [GATE_PASSED] = { NULL, 200, false },
        [GATE_UNKNOWN] = { "err_gate_choose", 422, true },
        [GATE_MALFORMED] = { "err_gate_expired", 422, false },
        [GATE_FORGED] = { "err_gate_expired", 422, false },
        [GATE_FOREIGN] = { "err_gate_expired", 422, false },
        [GATE_EARLY] = { "err_gate_early", 422, true },
        [GATE_EXPIRED] = { "err_gate_expired", 422, false },
        [GATE_SPENT] = { "err_gate_expired", 422, false },
        [GATE_WRONG] = { "err_gate_wrong", 422, false },
        [GATE_DOWN] = { "err_gate_down", 503, false },
};

static const char *response_of(const struct submit *s, int kind)
{
        return get(s, kind == GATE_POW ? "pow" : kind == GATE_INVITE ? "invite" : "captcha");
}

/* A gate that was not even tried uses up nothing. */
static bool tried(const struct submit *s, int kind)
{
        return kind == GATE_PASS || (kind >= 0 && *response_of(s, kind));
}

static int kind_of(const struct submit *s)
{
        const char *name = get(s, "gate");

        return str_eq(name, "pass") ? GATE_PASS : gate_kind_parse(name);
}

static int success(struct submit *s, bool active)
{
        struct visit *v = s->v;
        char dav[640];

        snprintf(dav, sizeof dav, "https://%s/SOGo/dav/%s", v->site->host, s->account.address);
        v->view.v[V_ADDRESS] = s->account.address;
        v->view.v[V_DAV_URL] = dav;
        return active ? visit_show(v, T_SUCCESS, 200, "success_heading")
                      : visit_show(v, T_PENDING, 200, "pending_heading");
}

/* Some threads must be left for the pages, however long Mailcow takes: at most three quarters are
 * in it, and at most a fifth wait for another one's end. */
static bool enter(atomic_uint *count, uint64_t most)
{
        if (atomic_fetch_add(count, 1) < MAX(most, (uint64_t)1))
                return true;
        atomic_fetch_sub(count, 1);
        return false;
}

static void leave(atomic_uint *count)
{
        atomic_fetch_sub(count, 1);
}

static bool enter_mailcow(struct site *s)
{
        return enter(&s->busy, s->config->signup.threads * 3 / 4);
}

static enum mc_owner look(struct submit *s, bool *ret_active)
{
        struct site *site = s->v->site;

        if (!enter_mailcow(site))
                return MC_UNKNOWN;
        enum mc_owner owner =
                mailcow_owner(site->mailcow, s->v->caller, &s->account, &s->markers, ret_active);
        leave(&site->busy);
        return owner;
}

/* The second click, a reload, another node after a fail-over: if this browser has made that mailbox
 * it is told so once more. The first click may still be on its way to Mailcow: by this process,
 * then there is nothing to look at before it is done, or by another one. */
static int second_try(struct submit *s)
{
        struct visit *v = s->v;
        struct site *site = v->site;
        msec_t end = v->req->now + SECOND_MS;
        bool active = false, may_wait = enter(&site->second, site->config->signup.threads / 5);
        enum mc_owner owner = MC_UNKNOWN;

        for (int looks = 0; looks < LOOKS && owner != MC_OURS && owner != MC_OTHERS;) {
                if (looks > 0)
                        poll(NULL, 0, LOOK_PAUSE_MS);
                while (may_wait && mailcow_is_making(site->mailcow, &s->markers) &&
                       clock_ms() < end)
                        poll(NULL, 0, LOOK_PAUSE_MS);
                owner = look(s, &active);
                looks = may_wait ? looks + 1 : LOOKS;
        }
        if (may_wait)
                leave(&site->second);
        return owner == MC_OURS ? success(s, active)
                                : again(s, 422, NULL, "err_gate_expired", NULL, false);
}

static int through_gate(struct submit *s)
{
        struct visit *v = s->v;
        int kind = kind_of(s);
        const struct gate_try t = { .kind = (enum gate_kind)kind,
                                    .ticket = get(s, "ticket"),
                                    .response = response_of(s, kind) };
        char from[NETADDR_TEXT];

        if (!tried(s, kind))
                return again(s, 422, NULL, "err_gate_choose", t.ticket, false);
        enum gate_end end = gate_try(&v->site->gate, &t, v->req->wall, &s->passed);
        note(LOG_INFO, "gate", LS("kind", GATE_KINDS[kind]), LS("result", GATE_ENDS[end]),
             LS("from", visit_from(v, from)));
        if (end == GATE_PASSED)
                return 1;
        if (end == GATE_SPENT)
                return second_try(s);
        bool code = kind == GATE_INVITE && end == GATE_WRONG;
        return again(s, GATE_TEXTS[end].status, NULL, code ? "err_invite" : GATE_TEXTS[end].text,
                     GATE_TEXTS[end].keep ? t.ticket : NULL,
                     GATE_TEXTS[end].keep && kind == GATE_PASS);
}

/* An invite may be for one domain. */
static int check_invite(struct submit *s)
{
        gate_invite_domain(&s->passed, s->invited);
        if (!*s->invited || strcasecmp(s->invited, s->account.domain) == 0)
                return 1;
        s->problems[FIELD_DOMAIN] =
                (struct problem){ .text = "err_invite_domain", .domain = s->invited };
        return again_passed(s, 422, NULL);
}

/* ---- how many there may be ---- */

/* Which bucket of that kind is meant, as bytes. */
struct bucket {
        struct netaddr from;
        const void *key;
        size_t len;
};

static void find_bucket(const struct submit *s, enum limit_kind kind, struct bucket *ret)
{
        const char *domain = kind == LIMIT_DOMAIN ? s->account.domain : "";

        ret->key = domain;
        ret->len = strlen(domain);
        if (kind != LIMIT_ADDRESS && kind != LIMIT_NETWORK)
                return;
        ret->from = visit_bucket(s->v, kind);
        ret->key = ret->from.b;
        ret->len = sizeof ret->from.b;
}

static bool take(struct submit *s, enum limit_kind kind, msec_t *ret_wait)
{
        struct site *site = s->v->site;
        struct bucket b;

        find_bucket(s, kind, &b);
        if (!limit_take(site->limit, kind, b.key, b.len, &site->rates[kind], s->v->req->now,
                        ret_wait))
                return false;
        s->taken |= 1u << kind;
        return true;
}

static void give_back(struct submit *s)
{
        struct site *site = s->v->site;
        struct bucket b;

        for (enum limit_kind kind = LIMIT_ADDRESS; kind <= LIMIT_GLOBAL; kind++)
                if (s->taken & 1u << kind) {
                        find_bucket(s, kind, &b);
                        limit_give(site->limit, kind, b.key, b.len, &site->rates[kind]);
                }
        s->taken = 0;
}

static int within_limits(struct submit *s)
{
        msec_t wait = 0;

        for (enum limit_kind kind = LIMIT_ADDRESS; kind <= LIMIT_GLOBAL; kind++)
                if (!take(s, kind, &wait)) {
                        give_back(s);
                        settle(s, false);
                        note(LOG_WARN, "limit_reached", LI("kind", (int)kind),
                             LS("domain", s->account.domain));
                        return visit_wait(s->v, wait);
                }
        return 1;
}

/* ---- breached passwords ---- */

/* 1: known to attackers; 0: not; -EAGAIN: that service did not answer. */
static int ask_pwned(struct submit *s, const char *sha1)
{
        static const char *const HEADERS[] = { "Add-Padding: true", NULL };
        const struct config *c = s->v->site->config;
        char url[400];
        struct caller_answer a;
        int r = -EAGAIN;

        snprintf(url, sizeof url, "%s%s%.5s", c->policy.pwned_url,
                 c->policy.pwned_url[strlen(c->policy.pwned_url) - 1] == '/' ? "" : "/", sha1);
        const struct http_request request = { .url = url,
                                              .headers = HEADERS,
                                              .max_body = PWNED_CAP,
                                              .connect_timeout = c->policy.pwned_timeout,
                                              .timeout = c->policy.pwned_timeout };
        caller_do(s->v->caller, &request, &a);
        if (a.error == 0 && a.status == 200)
                r = password_in_range(buf_str(&a.body), sha1) ? 1 : 0;
        else
                note(LOG_WARN, "pwned_down", LI("status", a.status), LS("msg", a.why));
        buf_done(&a.body);
        return r;
}

static int check_pwned(struct submit *s)
{
        struct site *site = s->v->site;
        const struct config *c = site->config;
        char sha1[PASSWORD_SHA1];
        int r = -EAGAIN;

        if (!*c->policy.pwned_url)
                return 1;
        if (password_sha1(s->account.password, sha1) == 0 &&
            s->v->req->now >= atomic_load(&site->pwned_down_until)) {
                r = ask_pwned(s, sha1);
                if (r < 0)
                        atomic_store(&site->pwned_down_until, s->v->req->now + PWNED_PAUSE_MS);
        }
        explicit_bzero(sha1, sizeof sha1);
        if (r == 1)
                return wrong(s, FIELD_PASSWORD, "err_password_pwned");
        if (r < 0 && c->policy.pwned_on_error == ON_ERROR_REFUSE)
                return wrong(s, FIELD_PASSWORD, "err_password_unchecked");
        return 1;
}

/* ---- the mailbox ---- */

static const struct {
        const char *text;
        enum field field; /* FIELD_COUNT: an alert above the form */
        int status;
} ENDS[MC_END_COUNT] = {
        [MC_TAKEN] = { "err_taken", FIELD_LOCAL_PART, 422 },
        [MC_FULL] = { "err_full", FIELD_DOMAIN, 422 },
        [MC_PASSWORD] = { "err_password_policy", FIELD_PASSWORD, 422 },
        [MC_NO_DOMAIN] = { "err_full", FIELD_DOMAIN, 422 },
        [MC_REFUSED] = { "err_api", FIELD_COUNT, 503 },
        [MC_DOWN] = { "err_api", FIELD_COUNT, 503 },
};

/* By which a mailbox is known to be this visitor's: browser, address and password. The password,
 * because success says that it holds; another one at the same browser is another person's form. */
static int make_marker(struct submit *s, size_t key)
{
        unsigned char mac[KEY_MAC];
        const struct key_field fields[] = {
                { s->v->browser, strlen(s->v->browser) },
                { s->account.address, strlen(s->account.address) },
                { s->account.password, strlen(s->account.password) },
        };

        int r = keys_mac(s->v->site->keys, key, KEY_MARKER, fields, ARRAY_SIZE(fields), mac);
        if (r < 0)
                return r;
        char hex[MARKER_HEX + 1];
        hex_text(mac, MARKER_HEX / 2, hex);
        snprintf(s->marker[key], MARKER, "signup-%s", hex);
        s->marker_v[key] = s->marker[key];
        return 0;
}

static int make_markers(struct submit *s)
{
        size_t n = keys_count(s->v->site->keys);

        for (size_t i = 0; i < n; i++) {
                int r = make_marker(s, i);
                if (r < 0)
                        return r;
        }
        s->markers = (struct strlist){ s->marker_v, n };
        return 1;
}

static void tell(const struct submit *s, enum mc_end end, bool pending)
{
        char from[NETADDR_TEXT];

        note(LOG_INFO, "signup", LS("result", MC_ENDS[end]), LS("address", s->account.address),
             LS("gate", get(s, "gate")), LS("mode", pending ? "pending" : "active"),
             LS("consent", consent_needed(s->v->site->config)
                                   ? s->v->site->config->signup.terms_version
                                   : "none"),
             LS("from", visit_from(s->v, from)));
}

static enum mc_end make(struct submit *s, bool pending, bool *ret_active)
{
        struct site *site = s->v->site;

        if (reserved_has(site->reserved, s->account.local_part))
                return MC_TAKEN;
        if (!enter_mailcow(site))
                return MC_DOWN;
        enum mc_end end = mailcow_create(site->mailcow, s->v->caller, &s->account, &s->markers,
                                         pending, ret_active);
        leave(&site->busy);
        return end;
}

static int create(struct submit *s)
{
        bool pending = s->v->site->config->signup.mode == MODE_APPROVAL || s->suspicious;
        bool active = false;
        enum mc_end end = make(s, pending, &active);

        tell(s, end, pending);
        if (end == MC_CREATED || end == MC_UNSURE)
                settle(s, true);
        if (end == MC_CREATED)
                return success(s, active);
        if (end == MC_UNSURE)
                return visit_say(s->v, 503, "error_heading", "err_unsure", false);
        give_back(s);
        if (ENDS[end].field < FIELD_COUNT)
                return wrong(s, ENDS[end].field, ENDS[end].text);
        reply_header(s->v->reply, "Retry-After", "10");
        return again_passed(s, ENDS[end].status, ENDS[end].text);
}

/* ---- all of it ---- */

static int check_fields(struct submit *s)
{
        struct visit *v = s->v;
        struct field_rules rules = { .config = v->site->config, .domains = &s->domains };
        bool passed = str_eq(get(s, "gate"), "pass");

        mailcow_policy(v->site->mailcow, v->caller, v->req->now, &rules.policy);
        unsigned n = fields_check(&rules, &s->form, &s->account, s->problems);
        if (form_get(&s->form, "refresh")) {
                memset(s->problems, 0, sizeof s->problems);
                return again(s, 200, NULL, NULL, NULL, false);
        }
        return n > 0 ? again(s, 422, NULL, NULL, get(s, "ticket"), passed) : 1;
}

static int run(struct submit *s)
{
        int r = read_form(s);
        if (r != 1)
                return r;
        if (page_closed(s->v, &s->domains))
                return 0;
        if (!visit_csrf_ok(s->v, get(s, "csrf"))) {
                refused(s, "csrf");
                return again(s, 403, "err_cookies", NULL, get(s, "ticket"),
                             str_eq(get(s, "gate"), "pass"));
        }
        static int (*const STEPS[])(struct submit *
                                    s) = { check_fields, make_markers,  through_gate, check_invite,
                                           check_pwned,  within_limits, create };
        s->suspicious = *get(s, "website") != '\0';
        for (size_t i = 0; i < ARRAY_SIZE(STEPS); i++) {
                r = STEPS[i](s);
                if (r != 1)
                        break;
        }
        return r;
}

int page_submit(struct visit *v)
{
        struct submit *s = calloc(1, sizeof *s);

        if (!s)
                return -ENOMEM;
        s->v = v;
        int r = run(s);
        form_done(&s->form);
        free(s->domains.v);
        explicit_bzero(&s->account, sizeof s->account);
        free(s);
        return r;
}
