/* Everything here is read off the daemon's own words; only the lease is held against the clock once
 * more, because it may have run out since. */
#include "hamon/web/health.h"

#include "hamon/core/reason.h"
#include "lib/buf.h"
#include "lib/json.h"
#include <string.h>

/* What people ask about, and by which checks it is judged. */
static const struct part {
        const char *name;
        const char *checks;   /* words: of the checks that this node has, all must be good */
        bool master;          /* only on the master is there something to be judged */
        bool optional_counts; /* a check that mail does not need counts too */
} HEALTH_PARTS[] = {
        { "smtp", "smtp submission smtps postfix-mailcow", true, false },
        { "imap", "imap imaps dovecot-mailcow", true, false },
        { "database", "galera mysql-mailcow", false, false },
        { "webmail", "https nginx-mailcow php-fpm-mailcow sogo-mailcow", true, true },
        { "volume", "volume", true, true },
        { "galera", "galera", false, true },
};

static bool say(const struct view *v, cJSON *into, bool ok, const char *reason, const char *message)
{
        const cJSON *s = v->snap->status;

        cJSON_AddBoolToObject(into, "ok", ok);
        cJSON_AddStringToObject(into, "reason", reason);
        cJSON_AddStringToObject(into, "message", message);
        cJSON_AddStringToObject(into, "node", json_text(s, "node"));
        cJSON_AddStringToObject(into, "role", json_text(s, "role"));
        return ok;
}

static bool silent(const struct view *v, cJSON *into)
{
        if (!view_silent(v))
                return false;
        say(v, into, false, "hamon_silent",
            view_age(v) < 0 ? "hamon has not answered yet" : "hamon does not answer any more");
        return true;
}

static bool is(const struct view *v, const char *path, const char *word)
{
        return strcmp(json_text(v->snap->status, path), word) == 0;
}

static bool fit(const struct view *v)
{
        return is(v, "verdict", "fit");
}

bool health_node(const struct view *v, cJSON *into)
{
        const cJSON *s = v->snap->status;

        return !silent(v, into) &&
               say(v, into, fit(v), json_text(s, "reason"), json_text(s, "message"));
}

/* In a cluster the lease decides, and it must be valid at this moment, not only when we asked. */
static bool leads(const struct view *v)
{
        const cJSON *s = v->snap->status;

        if (!json_at(s, "lease"))
                return is(v, "role", "master");
        return is(v, "state", "master") &&
               json_number(s, "lease.valid_ms", 0) > (double)view_age(v);
}

bool health_master(const struct view *v, cJSON *into)
{
        if (silent(v, into))
                return false;
        if (leads(v))
                return say(v, into, true, "ok", "this node leads");
        const char *state = json_text(v->snap->status, "state");
        if (strcmp(state, "master") == 0)
                return say(v, into, false, "lease_expired", "the lease of this node has run out");
        return say(v, into, false, *state ? state : json_text(v->snap->status, "role"),
                   "this node does not lead");
}

bool health_standby(const struct view *v, cJSON *into)
{
        const cJSON *s = v->snap->status;
        const char *state = json_text(s, "state");

        if (silent(v, into))
                return false;
        if (!is(v, "role", "standby") || (*state && strcmp(state, "standby") != 0))
                return say(v, into, false, *state ? state : "master", "this node is no standby");
        return say(v, into, fit(v), json_text(s, "reason"), json_text(s, "message"));
}

static bool candidate(const struct view *v)
{
        const cJSON *n;

        cJSON_ArrayForEach(
                n, json_at(v->snap->status,
                           "nodes")) if (json_true(n, "self")) return json_true(n, "candidate");
        return fit(v); /* of no cluster */
}

bool health_ready(const struct view *v, cJSON *into)
{
        const cJSON *s = v->snap->status;
        const char *why = json_text(s, "why");

        if (silent(v, into))
                return false;
        if (!fit(v))
                return say(v, into, false, json_text(s, "reason"), json_text(s, "message"));
        if (leads(v))
                return say(v, into, true, "ok", "this node leads");
        if (candidate(v))
                return say(v, into, true, "ok", "this node could take over");
        return say(v, into, false, "not_ready", *why ? why : "this node could not take over now");
}

/* ---- parts ---- */

static bool has_word(const char *words, const char *word)
{
        size_t len = strlen(word);

        for (const char *p = words; *p; p += strcspn(p, " "), p += *p == ' ')
                if (strncmp(p, word, len) == 0 && (p[len] == ' ' || p[len] == '\0'))
                        return true;
        return false;
}

static bool good(const cJSON *check)
{
        const char *verdict = json_text(check, "verdict");

        return strcmp(verdict, "up") == 0 || strcmp(verdict, "suspect") == 0;
}

static bool judge(const struct view *v, const struct part *p, cJSON *into)
{
        const cJSON *check;
        char message[512];
        size_t n = 0;

        cJSON_ArrayForEach(check, json_at(v->snap->status, "checks"))
        {
                if (!has_word(p->checks, json_text(check, "name")))
                        continue;
                n++;
                if (good(check) || (!p->optional_counts && !json_true(check, "required")))
                        continue;
                snprintf(message, sizeof message, "%s: %s", json_text(check, "name"),
                         json_text(check, "message"));
                return say(v, into, false, json_text(check, "reason"), message);
        }
        if (n == 0)
                return say(v, into, false, "not_checked", "nothing here is asked about it");
        return say(v, into, true, "ok", "it works");
}

bool health_part(const struct view *v, const char *part, cJSON *into)
{
        const struct part *p = HEALTH_PARTS;

        if (silent(v, into))
                return false;
        while (strcmp(p->name, part) != 0)
                p++;
        if (p->master && !is(v, "role", "master"))
                return say(v, into, false, "standby", "this node does not lead: ask the master");
        if (strcmp(part, "volume") == 0 && json_at(v->snap->status, "volume") &&
            !json_true(v->snap->status, "volume.mounted"))
                return say(v, into, false, reason_name(REASON_VOLUME_NOT_MOUNTED),
                           reason_sentence(REASON_VOLUME_NOT_MOUNTED));
        return judge(v, p, into);
}
