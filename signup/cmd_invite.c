/* signup invite: codes for those who may sign up. A code is printed once, when it is made. */
#include "signup/commands.h"
#include "signup/config.h"
#include "signup/site.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#define WANTS \
        "new [--uses N] [--expires 7d|12h] [--domain DOMAIN] [--note TEXT], list, or revoke ID"

enum { DAY = 86400, EXPIRES_MAX = 3650 };

static int failed(const char *what, int r)
{
        fprintf(stderr, "signup invite: %s\n", what);
        return r == -ENOENT || r == -EINVAL ? EX_DATAERR : EX_UNAVAILABLE;
}

static int database(int r)
{
        if (r == -EHOSTUNREACH || r == -EBUSY)
                return failed("the database does not answer", r);
        return failed(r == -ENOENT ? "the database has no tables of the portal yet: "
                                     "start it once, as a user who may create them"
                                   : "the database refuses",
                      -EIO);
}

/* ---- list ---- */

static void date(char *dst, size_t size, int64_t when)
{
        time_t t = when;
        struct tm tm;

        if (when == 0 || !gmtime_r(&t, &tm) || strftime(dst, size, "%Y-%m-%d %H:%M", &tm) == 0)
                str_copy(dst, size, "never");
}

static void print(void *arg, const struct invite *v)
{
        char until[32];

        (void)arg;
        date(until, sizeof until, v->expires);
        printf("%-9s %5u %7u %5u  %-17s %-8s %-24s %s\n", v->id, v->uses, v->pending, v->completed,
               until, v->revoked ? "revoked" : "", *v->domain ? v->domain : "any", v->note);
}

static int run_list(const struct invites *i, const struct cli *c, const struct config *config)
{
        (void)config;
        if (c->argc != 1)
                return usage_error("invite", "wants", WANTS);
        printf("%-9s %5s %7s %5s  %-17s %-8s %-24s %s\n", "id", "uses", "pending", "done",
               "expires (UTC)", "", "domain", "note");
        int r = invite_list(i, print, NULL);
        return r < 0 ? database(r) : EX_OK;
}

static int run_revoke(const struct invites *i, const struct cli *c, const struct config *config)
{
        (void)config;
        if (c->argc != 2 || strlen(c->argv[1]) != INVITE_ID - 1)
                return usage_error("invite", "revoke wants",
                                   "an ID of eight digits, as list shows");
        int r = invite_revoke(i, c->argv[1]);
        if (r == -ENOENT)
                return failed("no invite has this id", r);
        return r < 0 ? database(r) : EX_OK;
}

/* ---- new ---- */

/* "7d", or what parse_duration() understands. */
static int parse_expires(const char *s, int64_t now, int64_t *ret)
{
        char days[8];
        size_t len = strlen(s);
        uint64_t n = 0;
        msec_t ms = 0;

        if (len > 1 && len < sizeof days && s[len - 1] == 'd') {
                str_copy(days, len, s);
                int r = parse_uint(days, 1, EXPIRES_MAX, &n);
                if (r == 0)
                        *ret = now + (int64_t)n * DAY;
                return r;
        }
        int r = parse_duration(s, &ms);
        if (r < 0 || ms < 1000)
                return r < 0 ? r : -ERANGE;
        *ret = now + ms / 1000;
        return 0;
}

static bool set_option(struct invite *v, const char *name, const char *value, int64_t now,
                       const struct config *config)
{
        uint64_t uses = 0;

        if (str_eq(name, "--uses")) {
                int r = parse_uint(value, 1, INVITE_USES, &uses);
                v->uses = (unsigned)uses;
                return r == 0;
        }
        if (str_eq(name, "--expires"))
                return parse_expires(value, now, &v->expires) == 0;
        if (str_eq(name, "--domain"))
                return str_copy(v->domain, sizeof v->domain, value) &&
                       (config->signup.domains.n == 0 ||
                        strlist_has(&config->signup.domains, value));
        return str_eq(name, "--note") && str_copy(v->note, sizeof v->note, value) &&
               value[strcspn(value, "\r\n\t\033")] == '\0';
}

static int run_new(const struct invites *i, const struct cli *c, const struct config *config)
{
        int64_t now = time(NULL);
        struct invite v = { .uses = 1, .expires = now + (int64_t)7 * DAY };
        char code[INVITE_CODE];

        for (int a = 1; a < c->argc; a += 2)
                if (a + 1 >= c->argc || !set_option(&v, c->argv[a], c->argv[a + 1], now, config))
                        return usage_error("invite", "not understood", c->argv[a]);
        int r = invite_add(i, &v, now, code);
        if (r < 0)
                return database(r);
        printf("%s\n", code);
        fprintf(stderr, "id %s; the link: https://<this host>%s/invite/%s\n", v.id,
                config->signup.base_path, code);
        return EX_OK;
}

/* ---- the verb ---- */

static const struct {
        const char *name;
        int (*run)(const struct invites *i, const struct cli *c, const struct config *config);
} VERBS[] = { { "new", run_new }, { "list", run_list }, { "revoke", run_revoke } };

static int with_store(const struct cli *c, const struct config *config, size_t verb)
{
        CLEANUP(buf_done) struct buf why = BUF(2048);
        struct keys *keys = NULL;
        struct db *db = NULL;
        int code = EX_CONFIG;

        if (config->store.kind != STORE_GALERA)
                return failed("invites need [store] kind = galera", -EINVAL);
        int r = keys_load(config->gate.secret_file, &keys, &why);
        if (r == 0)
                r = site_database(config, &db, &why);
        if (r == 0)
                code = VERBS[verb].run(&(struct invites){ db, keys }, c, config);
        else
                fprintf(stderr, "signup invite: %s\n", buf_str(&why));
        db_free(db);
        keys_free(keys);
        return code;
}

int cmd_invite(const struct cli *c)
{
        CLEANUP(config_free) struct config config = { .signup = { .listen = NULL } };
        size_t verb = 0;

        while (verb < ARRAY_SIZE(VERBS) && (c->argc == 0 || !str_eq(c->argv[0], VERBS[verb].name)))
                verb++;
        if (verb == ARRAY_SIZE(VERBS))
                return usage_error("invite", "wants", WANTS);
        int code = load_config(c, &config);
        return code == EX_OK ? with_store(c, &config, verb) : code;
}
