/* What all pages have in common (visit.h): language, cookies, anti-forgery token, rendering. */
#include "signup/visit.h"

#include "signup/note.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

enum { TOKEN_BYTES = (VISIT_TOKEN - 1) / 2 };

#define COOKIE_BROWSER  "__Host-signup"
#define COOKIE_LANGUAGE "__Host-signup-lang"

static int token_by(const struct visit *v, size_t key, char ret[VISIT_TOKEN])
{
        unsigned char mac[KEY_MAC];
        const struct key_field field = { v->browser, strlen(v->browser) };

        int r = keys_mac(v->site->keys, key, KEY_CSRF, &field, 1, mac);
        if (r == 0)
                hex_text(mac, TOKEN_BYTES, ret);
        return r;
}

bool visit_csrf_ok(const struct visit *v, const char *token)
{
        char want[VISIT_TOKEN];
        bool ok = false;

        if (!token || v->browser_new || strlen(token) != VISIT_TOKEN - 1)
                return false;
        for (size_t i = 0; i < keys_count(v->site->keys); i++)
                if (token_by(v, i, want) == 0)
                        ok = keys_equal(want, token, sizeof want) || ok;
        return ok;
}

static int init_browser(struct visit *v)
{
        unsigned char random[TOKEN_BYTES];

        if (cookie_get(v->req->cookie, COOKIE_BROWSER, v->browser, sizeof v->browser) &&
            strlen(v->browser) == VISIT_TOKEN - 1 &&
            strspn(v->browser, "0123456789abcdef") == VISIT_TOKEN - 1)
                return token_by(v, 0, v->csrf);
        if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
                return -EIO;
        hex_text(random, sizeof random, v->browser);
        v->browser_new = true;
        return token_by(v, 0, v->csrf);
}

static void init_language(struct visit *v)
{
        CLEANUP(form_done) struct form query = { .n = 0 };
        const struct locales *l = &v->site->locales;
        char cookie[8];
        const char *wish = NULL;

        if (form_parse(v->req->query, strlen(v->req->query), &query) == 0)
                wish = form_get(&query, "lang");
        bool kept = cookie_get(v->req->cookie, COOKIE_LANGUAGE, cookie, sizeof cookie);
        v->locale = locales_pick(l, wish, kept ? cookie : NULL, v->req->accept_language);
        if (!wish || v->locale != locales_find(l, wish, strlen(wish)))
                return;
        char value[160];
        snprintf(value, sizeof value,
                 COOKIE_LANGUAGE "=%s; Path=/; Max-Age=31536000; Secure; HttpOnly; SameSite=Lax",
                 v->locale->code);
        reply_header(v->reply, "Set-Cookie", value);
}

static void fill_languages(struct visit *v)
{
        const struct locales *l = &v->site->locales;
        size_t n = MIN(l->n, (size_t)LANGUAGES_MAX);

        for (size_t i = 0; i < n; i++) {
                snprintf(v->urls[i], sizeof v->urls[i], "?lang=%s", l->v[i].code);
                v->languages[i] = (struct row){
                        .value = l->v[i].lang,
                        .label = locale_text(&l->v[i], "_name"),
                        .url = v->urls[i],
                        .on = &l->v[i] == v->locale ? "on" : "",
                };
        }
        v->view.lists[L_LANGUAGES] = (struct rows){ v->languages, n };
}

static void fill_view(struct visit *v)
{
        const struct config *c = v->site->config;
        const struct {
                enum value key;
                const char *value;
        } VALUES_[] = {
                { V_LANG, v->locale->lang },
                { V_DIR, locale_text(v->locale, "_dir") },
                { V_LANGUAGE, locale_text(v->locale, "_name") },
                { V_BASE, c->signup.base_path },
                { V_TITLE, c->signup.title },
                { V_LOGO, c->signup.logo },
                { V_STYLESHEET, c->signup.stylesheet },
                { V_CONTACT, c->signup.contact },
                { V_LOGIN_URL, c->signup.login_url },
                { V_WEBMAIL_URL, c->signup.webmail_url },
                { V_TERMS_URL, c->signup.terms_url },
                { V_PRIVACY_URL, c->signup.privacy_url },
                { V_HOST, v->site->host },
                { V_CSRF, v->csrf },
        };

        v->view.locale = v->locale;
        for (size_t i = 0; i < ARRAY_SIZE(VALUES_); i++)
                v->view.v[VALUES_[i].key] = VALUES_[i].value;
        fill_languages(v);
}

int visit_init(struct visit *v, struct site *s, struct caller *c, const struct request *req,
               struct reply *reply)
{
        memset(v, 0, sizeof *v);
        v->site = s;
        v->caller = c;
        v->req = req;
        v->reply = reply;
        for (size_t i = 0; i < ARRAY_SIZE(v->texts); i++)
                buf_init(&v->texts[i], 4096);
        int r = init_browser(v);
        init_language(v);
        fill_view(v);
        return r;
}

void visit_done(struct visit *v)
{
        for (size_t i = 0; i < ARRAY_SIZE(v->texts); i++)
                buf_done(&v->texts[i]);
}

/* ---- texts ---- */

struct text_arg {
        const struct text_values *values;
        char number[24];
};

static const char *text_value(void *arg, const char *name)
{
        struct text_arg *a = arg;
        const struct {
                const char *name;
                uint64_t value;
        } NUMBERS[] = { { "min", a->values->min },
                        { "max", a->values->max },
                        { "minutes", a->values->minutes } };

        if (str_eq(name, "domain"))
                return a->values->domain;
        for (size_t i = 0; i < ARRAY_SIZE(NUMBERS); i++)
                if (str_eq(name, NUMBERS[i].name)) {
                        snprintf(a->number, sizeof a->number, "%llu",
                                 (unsigned long long)NUMBERS[i].value);
                        return a->number;
                }
        return NULL;
}

const char *visit_text(struct visit *v, const char *key, const struct text_values *values)
{
        const char *text = locale_text(v->locale, key);

        if (!text)
                return key;
        if (!values || !strchr(text, '{') || v->n_texts >= ARRAY_SIZE(v->texts))
                return text;
        struct buf *out = &v->texts[v->n_texts++];
        locale_format(out, text, text_value, &(struct text_arg){ .values = values });
        return buf_str(out);
}

/* ---- answers ---- */

int visit_show(struct visit *v, enum template_id t, int status, const char *heading)
{
        char cookie[160];

        if (v->browser_new) {
                snprintf(cookie, sizeof cookie,
                         COOKIE_BROWSER "=%s; Path=/; Secure; HttpOnly; SameSite=Lax", v->browser);
                reply_header(v->reply, "Set-Cookie", cookie);
        }
        v->view.v[V_HEADING] = visit_text(v, heading, NULL);
        v->reply->status = status;
        v->reply->type = "text/html; charset=utf-8";
        buf_reset(&v->reply->body);
        return template_render(v->site->templates[t], &v->view, &v->reply->body);
}

int visit_say(struct visit *v, int status, const char *heading, const char *text, bool again)
{
        char url[80];

        if (!v->view.v[V_TEXT])
                v->view.v[V_TEXT] = visit_text(v, text, NULL);
        snprintf(url, sizeof url, "%s/", v->site->config->signup.base_path);
        v->view.v[V_RETRY] = again ? url : "";
        return visit_show(v, T_MESSAGE, status, heading);
}

int visit_wait(struct visit *v, msec_t wait)
{
        char seconds[24];

        snprintf(seconds, sizeof seconds, "%lld", (long long)wait / 1000 + 1);
        reply_header(v->reply, "Retry-After", seconds);
        v->view.v[V_TEXT] =
                visit_text(v, "err_limit",
                           &(struct text_values){ .minutes = (uint64_t)(wait + 59999) / 60000 });
        return visit_say(v, 429, "error_heading", "err_limit", true);
}

struct netaddr visit_bucket(const struct visit *v, enum limit_kind kind)
{
        bool network = kind == LIMIT_NETWORK;

        return netaddr_cut(&v->req->client, network ? 24 : 32, network ? 48 : 64);
}

bool visit_limit(struct visit *v, enum limit_kind kind, msec_t *ret_wait)
{
        struct netaddr key = visit_bucket(v, kind);

        return limit_take(v->site->limit, kind, key.b, sizeof key.b, &v->site->rates[kind],
                          v->req->now, ret_wait);
}

const char *visit_from(const struct visit *v, char dst[NETADDR_TEXT])
{
        return netaddr_short(&v->req->client, dst);
}
