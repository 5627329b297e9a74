/* The files of [alert] dir. What no single row can check stands in NEEDS[]: which keys a format
 * wants, and which ones it has no use for, so that a forgotten one is told and not guessed. */
#include "hamon/web/alert_target.h"

#include "hamon/web/alert_template.h"
#include "lib/secret.h"
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define AT(field) offsetof(struct alert_keys, field)
#define SUFFIX    ".conf"

enum { FILE_CAP = 64 * 1024, PATH_SIZE = 4096, SCRUB_MIN = 6 };

const char *const ALERT_FORMAT_NAMES[ALERT_FORMAT_COUNT_ + 1] = {
        [ALERT_JSON] = "json",         [ALERT_NTFY] = "ntfy",
        [ALERT_SLACK] = "slack",       [ALERT_MATTERMOST] = "mattermost",
        [ALERT_TELEGRAM] = "telegram", [ALERT_UPTIME_KUMA] = "uptime_kuma",
        [ALERT_EMAIL] = "email",
};

static const char *const SCOPES[] = { [SCOPE_CLUSTER] = "cluster", [SCOPE_NODE] = "node", NULL };

#define TEXT(key_, field_, secret_, max_, help_)                                             \
        {                                                                                    \
                .section = "target", .key = (key_), .type = OPT_STRING, .secret = (secret_), \
                .offset = AT(field_), .max = (max_), .def = "", .help = (help_)              \
        }

static const struct option ROWS[] = {
        { .section = "target",
          .key = "format",
          .type = OPT_CHOICE,
          .offset = AT(format),
          .choices = ALERT_FORMAT_NAMES,
          .def = "json",
          .help = "What is at the other end." },
        TEXT("url", url, true, 1000,
             "Where messages are sent: http(s); email: smtp(s)://host:port. telegram: "
             "https://api.telegram.org if empty."),
        TEXT("token", token, true, 500,
             "ntfy, json: sent as bearer token; telegram: the bot's; email: password of user."),
        TEXT("secret", secret, true, 500,
             "json: key of the HMAC in X-Hamon-Signature. Empty: not signed."),
        TEXT("chat", chat, false, 64, "telegram: the chat's id or @channel."),
        { .section = "target",
          .key = "level",
          .type = OPT_CHOICE,
          .offset = AT(level),
          .choices = LOG_LEVELS,
          .def = "info",
          .help = "Messages of a lower level are not sent there." },
        { .section = "target",
          .key = "recovered",
          .type = OPT_BOOL,
          .offset = AT(recovered),
          .def = "on",
          .help = "If the end of what was told is told too." },
        { .section = "target",
          .key = "template",
          .type = OPT_PATH,
          .offset = AT(template_file),
          .max = 1000,
          .def = "",
          .help = "json: a file that is the body, with {{title}} and the like in it." },
        { .section = "target",
          .key = "ca_file",
          .type = OPT_PATH,
          .offset = AT(ca_file),
          .max = 1000,
          .def = "",
          .help = "Whom https trusts. Empty: the system's list." },
        { .section = "target",
          .key = "timeout",
          .type = OPT_DURATION,
          .offset = AT(timeout),
          .min = 100,
          .max = 120000,
          .def = "15s",
          .help = "Longest time for one try." },
        { .section = "target",
          .key = "interval",
          .type = OPT_DURATION,
          .offset = AT(interval),
          .min = 100,
          .max = 3600000,
          .def = "60s",
          .help = "uptime_kuma: how often the sign of life is sent." },
        { .section = "target",
          .key = "scope",
          .type = OPT_CHOICE,
          .offset = AT(scope),
          .choices = SCOPES,
          .def = "cluster",
          .help = "uptime_kuma: whose life: the cluster's (the master sends it) or this node's." },
        TEXT("from", from, false, 254, "email: the sender's address."),
        { .section = "target",
          .key = "to",
          .type = OPT_LIST,
          .offset = AT(to),
          .max = 2000,
          .def = "",
          .help = "email: the recipients' addresses." },
        TEXT("user", user, false, 254, "email: login name; empty: no login."),
        { .section = "target",
          .key = "starttls",
          .type = OPT_BOOL,
          .offset = AT(starttls),
          .def = "on",
          .help = "email by smtp://: off for a server that has none; then without a login." },
};

const struct conf_spec ALERT_TARGET_SPEC = { .options = ROWS,
                                             .n_options = ARRAY_SIZE(ROWS),
                                             .env_prefix = "HAMON_ALERT" };

/* ---- what a format wants ---- */

enum { URL = 1, TOKEN = 2, SECRET = 4, CHAT = 8, TEMPLATE = 16, FROM = 32, USER = 64, TO = 128 };

static const struct needs {
        unsigned wants, takes; /* takes: besides */
} NEEDS[ALERT_FORMAT_COUNT_] = {
        [ALERT_JSON] = { URL, TOKEN | SECRET | TEMPLATE },
        [ALERT_NTFY] = { URL, TOKEN },
        [ALERT_SLACK] = { URL, 0 },
        [ALERT_MATTERMOST] = { URL, 0 },
        [ALERT_TELEGRAM] = { TOKEN | CHAT, URL },
        [ALERT_UPTIME_KUMA] = { URL, 0 },
        [ALERT_EMAIL] = { URL | FROM | TO, USER | TOKEN },
};

static const struct {
        unsigned bit;
        const char *name;
        size_t offset;
} KEYS[] = {
        { URL, "url", AT(url) },
        { TOKEN, "token", AT(token) },
        { SECRET, "secret", AT(secret) },
        { CHAT, "chat", AT(chat) },
        { TEMPLATE, "template", AT(template_file) },
        { FROM, "from", AT(from) },
        { USER, "user", AT(user) },
};

static const char *value_of(const struct alert_keys *k, size_t offset)
{
        char *const *value = (char *const *)((const void *)((const char *)k + offset));

        return *value ? *value : "";
}

static unsigned given(const struct alert_keys *k)
{
        unsigned bits = k->to.n > 0 ? TO : 0;

        for (size_t i = 0; i < ARRAY_SIZE(KEYS); i++)
                if (*value_of(k, KEYS[i].offset))
                        bits |= KEYS[i].bit;
        return bits;
}

static int check_needs(const char *file, const struct alert_keys *k, struct buf *errors)
{
        const struct needs *n = &NEEDS[k->format];
        unsigned have = given(k), missing = n->wants & ~have;
        unsigned useless = have & ~(n->wants | n->takes);

        for (size_t i = 0; i <= ARRAY_SIZE(KEYS); i++) {
                unsigned bit = i < ARRAY_SIZE(KEYS) ? KEYS[i].bit : TO;
                const char *name = i < ARRAY_SIZE(KEYS) ? KEYS[i].name : "to";
                if (missing & bit)
                        buf_addf(errors, "%s: [target] %s is missing: format %s wants it\n", file,
                                 name, ALERT_FORMAT_NAMES[k->format]);
                if (useless & bit)
                        buf_addf(errors, "%s: [target] %s: format %s has no use for it\n", file,
                                 name, ALERT_FORMAT_NAMES[k->format]);
        }
        return missing || useless ? -EINVAL : 0;
}

static bool begins(const char *s, const char *with)
{
        return strncmp(s, with, strlen(with)) == 0;
}

bool alert_target_mail(const char *url, bool *ret_tls, char *host, size_t size, unsigned *ret_port)
{
        bool tls = begins(url, "smtps://");
        const char *rest = strstr(url, "://");
        uint64_t port = tls ? 465 : 587;

        if (!rest || (!tls && !begins(url, "smtp://")))
                return false;
        rest += 3;
        const char *end = *rest == '[' ? strchr(rest, ']') : rest + strcspn(rest, ":");
        if (!end)
                return false;
        size_t len = *rest == '[' ? (size_t)(end - ++rest) : (size_t)(end - rest);
        end += *end == ']';
        if (len == 0 || len >= size || strcspn(rest, "/@?#") < len || (*end && *end != ':') ||
            (*end && parse_uint(end + 1, 1, 65535, &port) < 0))
                return false;
        memcpy(host, rest, len);
        host[len] = '\0';
        *ret_tls = tls;
        *ret_port = (unsigned)port;
        return true;
}

/* The URL itself is a secret: it is not shown. */
static int check_url(const char *file, const struct alert_keys *k, struct buf *errors)
{
        bool mail = k->format == ALERT_EMAIL;
        const char *rest = strstr(k->url, "://");
        char host[256];
        bool tls;
        unsigned port;
        bool ok = mail ? alert_target_mail(k->url, &tls, host, sizeof host, &port)
                       : begins(k->url, "http://") || begins(k->url, "https://");

        if (!*k->url)
                return 0;
        if (!ok || !rest || !rest[3] || strpbrk(k->url, " \"<>\\^`{|}")) {
                buf_addf(errors, "%s: [target] url must be %s\n", file,
                         mail ? "smtp://host:port or smtps://host:port"
                              : "http:// or https:// and no blanks");
                return -EINVAL;
        }
        const char *slash = strrchr(rest + 3, '/');
        if (k->format == ALERT_NTFY && (!slash || !slash[1])) {
                buf_addf(errors, "%s: [target] url must end with the topic: https://host/topic\n",
                         file);
                return -EINVAL;
        }
        return 0;
}

static int check_login(const char *file, const struct alert_keys *k, struct buf *errors)
{
        const char *wants = NULL;

        if (k->format == ALERT_EMAIL && !*k->user != !*k->token)
                wants = "user and token want each other: a name and its password";
        else if (k->format == ALERT_EMAIL && *k->user && !k->starttls && begins(k->url, "smtp:"))
                wants = "user wants starttls = on: a password never goes in the clear";
        if (wants)
                buf_addf(errors, "%s: [target] %s\n", file, wants);
        return wants ? -EINVAL : 0;
}

static int check_addresses(const char *file, const struct alert_keys *k, struct buf *errors)
{
        int r = 0;

        for (size_t i = 0; i <= k->to.n; i++) {
                const char *a = i < k->to.n ? k->to.v[i] : k->from;
                if (k->format != ALERT_EMAIL || !*a)
                        continue;
                const char *at = strchr(a, '@');
                if (!at || at == a || !at[1] || strpbrk(a, " <>\"\\,;()[]:")) {
                        buf_addf(errors, "%s: [target] %s: \"%s\" is no mail address\n", file,
                                 i < k->to.n ? "to" : "from", a);
                        r = -EINVAL;
                }
        }
        return r;
}

/* ---- one file ---- */

static int read_template(const char *file, struct alert_target *t, struct buf *errors)
{
        const char *path = t->k.template_file;

        if (!*path)
                return 0;
        int r = read_file(path, ALERT_TEMPLATE_MAX, &t->template, NULL);
        if (r < 0) {
                buf_addf(errors, "%s: [target] template: %s: %s\n", file, path, strerror(-r));
                return -EINVAL;
        }
        return alert_template_check(path, t->template, errors);
}

static int load_one(const char *file, struct alert_target *t, struct buf *errors)
{
        const struct conf_input in = { .file = file };
        CLEANUP(secret_wipe) char *text = NULL;

        if (secret_read_all(file, FILE_CAP, &text, errors) < 0) {
                buf_adds(errors, "\n");
                return -EINVAL;
        }
        int r = conf_load(&ALERT_TARGET_SPEC, &in, &t->k, errors, NULL);
        if (r < 0)
                return r;
        int needs = check_needs(file, &t->k, errors);
        int url = check_url(file, &t->k, errors);
        int addresses = check_addresses(file, &t->k, errors);
        int login = check_login(file, &t->k, errors);
        if (needs < 0 || url < 0 || addresses < 0 || login < 0)
                return -EINVAL;
        return read_template(file, t, errors);
}

static void target_free(struct alert_target *t)
{
        static const size_t SECRETS[] = { AT(url), AT(token), AT(secret) };

        for (size_t i = 0; i < ARRAY_SIZE(SECRETS); i++) {
                const char *s = value_of(&t->k, SECRETS[i]);
                if (*s)
                        explicit_bzero((void *)(uintptr_t)s, strlen(s));
        }
        conf_free(&ALERT_TARGET_SPEC, &t->k);
        free(t->template);
        *t = (struct alert_target){ .template = NULL };
}

/* ---- the directory ---- */

static int is_target(const struct dirent *e)
{
        size_t len = strlen(e->d_name), end = strlen(SUFFIX);

        return len > end && e->d_name[0] != '.' && strcmp(e->d_name + len - end, SUFFIX) == 0;
}

static bool name_of(const char *file, char *dst, size_t size)
{
        size_t len = strlen(file) - strlen(SUFFIX);

        str_copy(dst, size, file);
        if (len >= size)
                return false;
        dst[len] = '\0';
        return dst[strspn(dst,
                          "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")] ==
               '\0';
}

static int add_file(const char *dir, const char *entry, struct alert_targets *ts,
                    struct buf *errors)
{
        struct alert_target t = { .template = NULL };
        char path[PATH_SIZE];

        snprintf(path, sizeof path, "%s/%s", dir, entry);
        if (!name_of(entry, t.name, sizeof t.name)) {
                buf_addf(errors,
                         "%s: a target's name has letters, digits, _ and - only, at most %d\n",
                         path, ALERT_NAME - 1);
                return -EINVAL;
        }
        if (ts->n == ALERT_TARGETS) {
                buf_addf(errors, "%s: more than %d targets\n", path, ALERT_TARGETS);
                return -EINVAL;
        }
        int r = load_one(path, &t, errors);
        if (r < 0)
                target_free(&t);
        else
                ts->v[ts->n++] = t;
        return r;
}

int alert_targets_load(const char *dir, struct alert_targets *ret, struct buf *errors)
{
        struct dirent **list = NULL;
        int worst = 0;

        *ret = (struct alert_targets){ .n = 0 };
        int n = scandir(dir, &list, is_target, alphasort);
        if (n < 0 && errno == ENOENT)
                return 0;
        if (n < 0) {
                int r = -errno;
                buf_addf(errors, "%s: %s\n", dir, strerror(-r));
                return r;
        }
        for (int i = 0; i < n; i++) {
                int r = add_file(dir, list[i]->d_name, ret, errors);
                worst = r < 0 ? r : worst;
                free(list[i]);
        }
        free(list);
        return worst;
}

void alert_targets_free(struct alert_targets *t)
{
        for (size_t i = 0; i < t->n; i++)
                target_free(&t->v[i]);
        t->n = 0;
}

/* ---- what it wants ---- */

bool alert_target_beats(const struct alert_target *t)
{
        return t->k.format == ALERT_UPTIME_KUMA;
}

bool alert_target_wants(const struct alert_target *t, const struct alert_message *m)
{
        if (alert_target_beats(t))
                return false;
        if (m->phase == PHASE_TEST)
                return true;
        return (int)m->level >= t->k.level && (m->phase != PHASE_OVER || t->k.recovered);
}

static void scrub(char *text, const char *secret)
{
        size_t len = strlen(secret);

        if (len < SCRUB_MIN) /* no secret worth the name, and every second word would be one */
                return;
        for (char *p = strstr(text, secret); p; p = strstr(p, secret))
                memset(p, '*', len);
}

void alert_target_scrub(const struct alert_target *t, char *text)
{
        const char *path = strstr(t->k.url, "://");

        scrub(text, t->k.url);
        scrub(text, t->k.token);
        scrub(text, t->k.secret);
        if (path && (path = strchr(path + 3, '/')) != NULL) /* the host alone is no secret */
                scrub(text, path);
        if (path && (path = strrchr(path, '/')) != NULL)
                scrub(text, path + 1);
}
