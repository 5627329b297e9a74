/* Loading of site.h, in an order in which a mistake in a file is told with its place. */
#include "signup/site.h"

#include "lib/secret.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { BUCKETS = 32768, SPENT_MAX = 200000, DRAWN_AT_ONCE = 4 };

static const char *const TEMPLATES[T_COUNT] = {
        [T_FORM] = "form.html",
        [T_SUCCESS] = "success.html",
        [T_PENDING] = "pending.html",
        [T_MESSAGE] = "message.html",
};

static const char *asset_path(void *arg, const char *name)
{
        const struct asset *a = assets_by_name(arg, name);

        return a ? a->path : NULL;
}

static int load_templates(struct site *s, const char *dir, struct buf *errors)
{
        struct template_source source = {
                .dir = dir, .locales = &s->locales, .asset = asset_path, .arg = &s->assets
        };
        int result = 0;

        for (size_t i = 0; i < T_COUNT; i++) {
                int r = template_load(&source, TEMPLATES[i], &s->templates[i], errors);
                result = r < 0 ? r : result;
        }
        return result;
}

static int load_files(struct site *s, struct buf *errors)
{
        const struct config *c = s->config;
        char dir[4096], path[4096];

        snprintf(path, sizeof path, "%s/locales", c->signup.data_dir);
        int r = locales_load(path, c->signup.language, &s->locales, errors);
        snprintf(dir, sizeof dir, "%s/templates/signup", c->signup.data_dir);
        snprintf(path, sizeof path, "%.*s/static", (int)sizeof path - 16, dir);
        if (r == 0)
                r = assets_load(path, c->signup.base_path, &s->assets, errors);
        if (r == 0)
                r = load_templates(s, dir, errors);
        snprintf(path, sizeof path, "%.*s/reserved.txt", (int)sizeof path - 16, dir);
        if (r == 0)
                r = reserved_load(*c->policy.reserved_file ? c->policy.reserved_file : path,
                                  &s->reserved, errors);
        return r;
}

static int load_secrets(struct site *s, struct buf *errors)
{
        CLEANUP(buf_done) struct buf why = BUF(2048);

        int r = keys_load(s->config->gate.secret_file, &s->keys, &why);
        if (r < 0) {
                buf_addf(errors, "%s\n", buf_str(&why));
                return r;
        }
        return mailcow_new(s->config, &s->mailcow, errors);
}

int site_database(const struct config *c, struct db **ret, struct buf *error)
{
        CLEANUP(secret_wipe) char *password = NULL;

        int r = secret_read(c->store.password_file, &password, error);
        if (r < 0)
                return r;
        const struct db_config config = { .socket = c->store.socket,
                                          .host = c->store.host,
                                          .port = (unsigned)c->store.port,
                                          .user = c->store.user,
                                          .password = password,
                                          .database = c->store.database };
        r = db_new(&config, ret);
        if (r < 0)
                buf_adds(error, "[store] does not name a database");
        return r;
}

/* A database that is away now is no reason not to start: the gates stay shut until it is back. */
static int set_store(struct site *s, struct buf *errors)
{
        CLEANUP(buf_done) struct buf why = BUF(2048);

        if (s->config->store.kind == STORE_MEMORY)
                return spent_memory_new(SPENT_MAX, &s->spent);
        int r = site_database(s->config, &s->db, &why);
        if (r < 0) {
                buf_addf(errors, "%s\n", buf_str(&why));
                return r;
        }
        s->invites = (struct invites){ s->db, s->keys };
        return spent_galera_new(s->db, &s->spent);
}

static int set_gate(struct site *s, struct buf *errors)
{
        const struct config *c = s->config;

        int r = set_store(s, errors);
        if (r < 0)
                return r;
        s->gate = (struct gate){
                .keys = s->keys,
                .spent = s->spent,
                .invites = s->db ? &s->invites : NULL,
                .bind = c->signup.base_path,
                .min_age = (c->gate.min_age + 999) / 1000,
                .ttl = c->gate.ttl / 1000,
        };
        for (size_t i = 0; i < c->gate.kinds.n; i++) {
                int kind = gate_kind_parse(c->gate.kinds.v[i]);
                if (kind >= 0)
                        s->gate.kinds |= 1u << kind;
        }
        if (c->signup.mode == MODE_INVITE)
                s->gate.kinds = 1u << GATE_INVITE;
        return 0;
}

static int set_limits(struct site *s)
{
        const struct config *c = s->config;
        const char *const rates[] = {
                [LIMIT_PAGES] = c->limit.pages,         [LIMIT_ATTEMPTS] = c->limit.attempts,
                [LIMIT_ADDRESS] = c->limit.per_address, [LIMIT_NETWORK] = c->limit.per_network,
                [LIMIT_DOMAIN] = c->limit.per_domain,   [LIMIT_GLOBAL] = c->limit.global,
        };

        for (size_t i = 0; i < ARRAY_SIZE(rates); i++)
                if (rate_parse(rates[i], &s->rates[i]) < 0)
                        return -EINVAL;
        return limit_new(BUCKETS, &s->limit);
}

/* The host in mailcow.url, unless there is a better one for mail programs. */
static void set_host(struct site *s)
{
        const char *url = s->config->mailcow.url, *host = strstr(url, "//");

        if (*s->config->mailcow.hostname) {
                str_copy(s->host, sizeof s->host, s->config->mailcow.hostname);
                return;
        }
        host = host ? host + 2 : url;
        snprintf(s->host, sizeof s->host, "%.*s", (int)strcspn(host, ":/"), host);
}

int site_load(const struct config *c, struct site *s, struct buf *errors)
{
        *s = (struct site){ .config = c, .forms = TIDE };
        sem_init(&s->drawing, 0, DRAWN_AT_ONCE);
        set_host(s);
        int r = load_files(s, errors);
        if (r == 0)
                r = load_secrets(s, errors);
        if (r == 0)
                r = set_gate(s, errors);
        if (r == 0)
                r = set_limits(s);
        if (r < 0)
                site_done(s);
        return r;
}

void site_done(struct site *s)
{
        for (size_t i = 0; i < T_COUNT; i++)
                template_free(s->templates[i]);
        locales_free(&s->locales);
        assets_free(&s->assets);
        reserved_free(s->reserved);
        mailcow_free(s->mailcow);
        limit_free(s->limit);
        spent_free(s->spent);
        db_free(s->db);
        keys_freep(&s->keys);
        sem_destroy(&s->drawing);
        *s = (struct site){ .config = NULL };
}
