/* Loading signup.conf: the rows of config_options.c, then what no single row can check. A mistake
 * names a key by its place in struct config; its row, and with it the line, are found by that. */
#include "signup/config.h"

#include "signup/gate/gate.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct check {
        const struct config *c;
        const char *file;
        const struct conf_source *sources;
        struct buf *errors;
        unsigned mistakes;
};

static size_t row_of(const struct check *k, const void *value)
{
        return conf_row_at(&CONFIG_SPEC, (size_t)((const char *)value - (const char *)k->c));
}

static PRINTF(3, 4) void mistake(struct check *k, const void *value, const char *fmt, ...)
{
        size_t row = row_of(k, value);
        const struct option *o = &CONFIG_SPEC.options[row];
        va_list ap;

        conf_where(&CONFIG_SPEC, row, k->sources[row], k->file, NULL, k->errors);
        buf_addf(k->errors, ": [%s] %s ", o->section, o->key);
        va_start(ap, fmt);
        buf_vaddf(k->errors, fmt, ap);
        va_end(ap);
        buf_adds(k->errors, "\n");
        k->mistakes++;
}

/* ---- shapes of words ---- */

int rate_parse(const char *text, struct rate *ret)
{
        char count[24];
        struct rate r = { .count = 0 };
        const char *slash = strchr(text, '/');

        if (str_eq(text, "off")) {
                *ret = r;
                return 0;
        }
        if (!slash || (size_t)(slash - text) >= sizeof count)
                return -EINVAL;
        memcpy(count, text, (size_t)(slash - text));
        count[slash - text] = '\0';
        if (parse_uint(count, 1, 1000000, &r.count) < 0 || parse_duration(slash + 1, &r.period) < 0)
                return -EINVAL;
        if (r.period < 1000)
                return -EINVAL;
        *ret = r;
        return 0;
}

static bool numeric_address(const char *s)
{
        unsigned char address[sizeof(struct in6_addr)];

        return inet_pton(AF_INET, s, address) == 1 || inet_pton(AF_INET6, s, address) == 1;
}

static int tcp_parse(const char *text, struct listen *l)
{
        const char *colon = strrchr(text, ':');
        uint64_t port;

        if (!colon || parse_uint(colon + 1, 1, 65535, &port) < 0)
                return -EINVAL;
        size_t len = (size_t)(colon - text);
        if (len > 2 && text[0] == '[' && text[len - 1] == ']') {
                text++;
                len -= 2;
        }
        if (len >= sizeof l->address)
                return -EINVAL;
        memcpy(l->address, text, len);
        l->address[len] = '\0';
        l->port = (unsigned)port;
        l->kind = LISTEN_TCP;
        return numeric_address(l->address) ? 0 : -EINVAL;
}

int listen_parse(const char *text, struct listen *ret)
{
        struct listen l = { .kind = LISTEN_INHERITED };
        int r = 0;

        if (text[0] == '/') {
                l.kind = LISTEN_UNIX;
                r = str_copy(l.address, sizeof l.address, text) ? 0 : -EINVAL;
        } else if (!str_eq(text, "inherited")) {
                r = tcp_parse(text, &l);
        }
        if (r == 0)
                *ret = l;
        return r;
}

static bool is_network(const char *s)
{
        char address[64];
        uint64_t prefix;

        if (!str_copy(address, sizeof address, s))
                return false;
        char *slash = strchr(address, '/');
        if (!slash)
                return numeric_address(s);
        *slash = '\0';
        return numeric_address(address) &&
               parse_uint(slash + 1, 0, strchr(address, ':') ? 128 : 32, &prefix) == 0;
}

static bool is_url(const char *s)
{
        return strncmp(s, "https://", 8) == 0 || strncmp(s, "http://", 7) == 0;
}

/* A link that cannot run a script or leave the page's own scheme. */
static bool is_link(const char *s)
{
        return !*s || strncmp(s, "https://", 8) == 0 || (s[0] == '/' && s[1] != '/');
}

static bool is_domain(const char *s)
{
        return *s && s[0] != '.' && strchr(s, '.') &&
               s[strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789.-")] == '\0';
}

/* ---- the checks ---- */

static void check_places(struct check *k)
{
        const struct config *c = k->c;
        struct listen l;
        const char *base = c->signup.base_path;
        size_t len = strlen(base);

        if (listen_parse(c->signup.listen, &l) < 0)
                mistake(k, &c->signup.listen,
                        "is no place to listen: /path, 127.0.0.1:9000, [::1]:9000 or inherited");
        if (len < 2 || base[0] != '/' || base[len - 1] == '/' || strstr(base, "//") ||
            base[strspn(base, "abcdefghijklmnopqrstuvwxyz0123456789/_-")])
                mistake(k, &c->signup.base_path,
                        "must be like /signup: small letters, digits, - and _, no / at its end");
        if (!is_url(c->mailcow.url))
                mistake(k, &c->mailcow.url, "must be set: https://mail.example.org");
        if (*c->policy.pwned_url && !is_url(c->policy.pwned_url))
                mistake(k, &c->policy.pwned_url,
                        "must begin with https:// (or http://) or be empty");
}

static void check_links(struct check *k)
{
        const struct config *c = k->c;
        char *const *const links[] = { &c->signup.terms_url, &c->signup.privacy_url,
                                       &c->signup.webmail_url, &c->signup.login_url };
        char *const *const own[] = { &c->signup.logo, &c->signup.stylesheet };

        for (size_t i = 0; i < ARRAY_SIZE(links); i++)
                if (!is_link(*links[i]))
                        mistake(k, links[i], "must begin with https://, http:// or /, or be empty");
        for (size_t i = 0; i < ARRAY_SIZE(own); i++)
                if (**own[i] && (!is_link(*own[i]) || **own[i] != '/'))
                        mistake(k, own[i], "must be a path on the same server (/img/logo.svg)");
        if (*c->signup.contact && !strchr(c->signup.contact, '@'))
                mistake(k, &c->signup.contact, "must be a mail address");
}

static void check_domains(struct check *k)
{
        const struct config *c = k->c;

        for (size_t i = 0; i < c->signup.domains.n; i++)
                if (!is_domain(c->signup.domains.v[i]))
                        mistake(k, &c->signup.domains,
                                "\"%s\" is no domain (small letters, IDN as xn--)",
                                c->signup.domains.v[i]);
        for (size_t i = 0; i < c->signup.origins.n; i++)
                if (!is_url(c->signup.origins.v[i]) ||
                    strchr(strstr(c->signup.origins.v[i], "//") + 2, '/'))
                        mistake(k, &c->signup.origins,
                                "\"%s\" is no origin (https://mail.example.org)",
                                c->signup.origins.v[i]);
        if (c->signup.domains.n == 0 && !*c->signup.domain_tag && c->signup.mode != MODE_CLOSED)
                mistake(k, &c->signup.domains, "must be set, or domain_tag, unless mode is closed");
}

static void check_gate(struct check *k)
{
        const struct config *c = k->c;

        for (size_t i = 0; i < c->gate.kinds.n; i++)
                if (gate_kind_parse(c->gate.kinds.v[i]) < 0)
                        mistake(k, &c->gate.kinds, "\"%s\" is none of image, audio, pow, invite",
                                c->gate.kinds.v[i]);
        if (c->gate.kinds.n == 0)
                mistake(k, &c->gate.kinds, "must name at least one of image, audio, pow, invite");
        if (c->signup.mode == MODE_INVITE && !strlist_has(&c->gate.kinds, "invite"))
                mistake(k, &c->gate.kinds, "must contain invite when mode is invite");
        if (c->store.kind != STORE_GALERA && strlist_has(&c->gate.kinds, "invite"))
                mistake(k, &c->gate.kinds, "invite needs [store] kind = galera");
        if (c->gate.min_age >= c->gate.ttl)
                mistake(k, &c->gate.min_age, "must be shorter than ttl");
}

static void check_limits(struct check *k)
{
        const struct config *c = k->c;
        char *const *const rates[] = { &c->limit.per_address, &c->limit.per_network,
                                       &c->limit.per_domain,  &c->limit.global,
                                       &c->limit.attempts,    &c->limit.pages };
        const char *send = c->mailbox.rate_limit;
        struct rate r;

        for (size_t i = 0; i < ARRAY_SIZE(rates); i++)
                if (rate_parse(*rates[i], &r) < 0)
                        mistake(k, rates[i], "must be count/duration (5/1h, at least 1s) or off");
        for (size_t i = 0; i < c->limit.trusted_proxies.n; i++)
                if (!is_network(c->limit.trusted_proxies.v[i]))
                        mistake(k, &c->limit.trusted_proxies, "\"%s\" is no address or network",
                                c->limit.trusted_proxies.v[i]);
        size_t digits = strspn(send, "0123456789");
        if (*send && (digits == 0 || digits > 9 || *send == '0' || send[digits] != '/' ||
                      !send[digits + 1] || !strchr("smhd", send[digits + 1]) || send[digits + 2]))
                mistake(k, &c->mailbox.rate_limit, "must be like 20/h (s, m, h, d) or empty");
}

static void check_ranges(struct check *k)
{
        const struct config *c = k->c;

        if (c->policy.name_min > c->policy.name_max)
                mistake(k, &c->policy.name_min, "is above name_max");
        if (c->policy.local_min > c->policy.local_max)
                mistake(k, &c->policy.local_min, "is above local_max");
        if (c->policy.password_min > c->policy.password_max)
                mistake(k, &c->policy.password_min, "is above password_max");
        if (c->mailbox.tags.n > 20)
                mistake(k, &c->mailbox.tags, "has more than 20 tags; Mailcow keeps 25 in all");
        if (c->signup.mode != MODE_CLOSED &&
            !*c->mailbox.pending_tag) /* or who fell for the trap */
                mistake(k, &c->mailbox.pending_tag, "must be set unless mode is closed");
        if (c->signup.language[strspn(c->signup.language, "abcdefghijklmnopqrstuvwxyz-")] ||
            strlen(c->signup.language) != 5)
                mistake(k, &c->signup.language, "must be like en-gb");
}

static int check_all(const struct config *c, const char *file, const struct conf_source *sources,
                     struct buf *errors)
{
        struct check k = { .c = c, .file = file, .sources = sources, .errors = errors };

        check_places(&k);
        check_links(&k);
        check_domains(&k);
        check_gate(&k);
        check_limits(&k);
        check_ranges(&k);
        return k.mistakes ? -EINVAL : 0;
}

void config_free(struct config *c)
{
        conf_free(&CONFIG_SPEC, c);
}

int config_load(const char *file, struct config *c, struct buf *errors)
{
        struct conf_source *sources = calloc(CONFIG_SPEC.n_options, sizeof *sources);
        struct conf_input in = { .file = file, .env = environ };

        *c = (struct config){ .signup = { .listen = NULL } };
        if (!sources)
                return -ENOMEM;
        int r = conf_load(&CONFIG_SPEC, &in, c, errors, sources);
        if (r == 0) {
                r = check_all(c, file, sources, errors);
                if (r < 0)
                        config_free(c);
        }
        free(sources);
        return r;
}
