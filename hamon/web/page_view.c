/* The snapshot, read defensively: nodes, functions, and what is worth a look. */
#include "hamon/web/page_view.h"

#include "hamon/core/reason.h"
#include <stdarg.h>
#include <string.h>

const struct page_level_row LEVELS[LEVEL_COUNT_] = {
        [LEVEL_UNKNOWN] = { "unknown", "not known", "i-unknown" },
        [LEVEL_GOOD] = { "good", "good", "i-good" },
        [LEVEL_WARN] = { "warn", "look at it", "i-warn" },
        [LEVEL_MOVING] = { "moving", "moving", "i-moving" },
        [LEVEL_BAD] = { "bad", "bad", "i-bad" },
};

/* ---- JSON ---- */

const cJSON *page_get(const cJSON *o, const char *key)
{
        return cJSON_GetObjectItemCaseSensitive(o, key);
}

const char *page_text(const cJSON *o, const char *key)
{
        const cJSON *v = page_get(o, key);

        return cJSON_IsString(v) ? v->valuestring : "";
}

msec_t page_number(const cJSON *o, const char *key, msec_t none)
{
        const cJSON *v = page_get(o, key);

        return cJSON_IsNumber(v) && v->valuedouble > -9e15 && v->valuedouble < 9e15
                       ? (msec_t)v->valuedouble
                       : none;
}

bool page_true(const cJSON *o, const char *key)
{
        return cJSON_IsTrue(page_get(o, key));
}

/* ---- words ---- */

enum page_level page_level_of(const char *verdict)
{
        static const struct {
                const char *verdict;
                enum page_level level;
        } ROWS[] = {
                { "up", LEVEL_GOOD },  { "suspect", LEVEL_WARN }, { "down", LEVEL_BAD },
                { "fit", LEVEL_GOOD }, { "unfit", LEVEL_BAD },
        };

        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++)
                if (strcmp(ROWS[i].verdict, verdict) == 0)
                        return ROWS[i].level;
        return LEVEL_UNKNOWN;
}

const char *page_sentence(const char *reason)
{
        for (unsigned i = 0; i < REASON_COUNT_; i++)
                if (strcmp(REASONS[i].name, reason) == 0)
                        return REASONS[i].sentence;
        return reason;
}

char *page_span(msec_t ms, char *dst, size_t size)
{
        static const struct {
                msec_t unit, below;
                const char *name;
        } STEPS[] = { { 1000, 120000, "s" },
                      { 60000, 7200000, "min" },
                      { 3600000, 172800000, "h" },
                      { 86400000, INT64_MAX, "days" } };
        size_t i = 0;

        ms = MAX(0, ms);
        if (ms < 1000) {
                snprintf(dst, size, "%lld ms", (long long)ms);
        } else if (ms < 10000) {
                snprintf(dst, size, "%lld.%lld s", (long long)(ms / 1000),
                         (long long)(ms % 1000 / 100));
        } else {
                while (ms >= STEPS[i].below)
                        i++;
                snprintf(dst, size, "%lld %s", (long long)(ms / STEPS[i].unit), STEPS[i].name);
        }
        return dst;
}

void page_note(struct page_view *v, enum page_level level, const char *fmt, ...)
{
        va_list ap;

        if (v->n_notes == PAGE_NOTES)
                return;
        struct page_note *n = &v->notes[v->n_notes++];
        n->level = level;
        va_start(ap, fmt);
        vsnprintf(n->text, sizeof n->text, fmt, ap);
        va_end(ap);
}

/* ---- nodes ---- */

/* What its own words make of it, whoever leads. */
static enum page_level node_level(const struct page_node *n)
{
        static const struct {
                const char *state;
                enum page_level level;
        } ROWS[] = {
                { "claiming", LEVEL_MOVING }, { "promoting", LEVEL_MOVING },
                { "demoting", LEVEL_MOVING }, { "fencing", LEVEL_MOVING },
                { "halted", LEVEL_WARN },     { "maintenance", LEVEL_WARN },
                { "init", LEVEL_UNKNOWN },
        };

        if (!n->heard)
                return LEVEL_UNKNOWN;
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++)
                if (strcmp(ROWS[i].state, n->state) == 0 && strcmp(n->verdict, "unfit") != 0)
                        return ROWS[i].level;
        enum page_level level = page_level_of(n->verdict);
        return level == LEVEL_GOOD && strcmp(n->reason, "ok") != 0 ? LEVEL_WARN : level;
}

static void take_node(struct page_view *v, const cJSON *o)
{
        struct page_node *n = &v->nodes[v->n_nodes++];

        *n = (struct page_node){
                .name = page_text(o, "name"),
                .address = page_text(o, "address"),
                .role = page_text(o, "role"),
                .state = page_text(o, "state"),
                .verdict = page_text(o, "verdict"),
                .reason = page_text(o, "reason"),
                .age = page_number(o, "age_ms", -1),
                .self = page_true(o, "self"),
                .holder = page_true(o, "holder"),
                .candidate = page_true(o, "candidate"),
                .mounted = page_true(o, "mounted"),
                .late = page_true(page_get(o, "sync"), "late"),
                .sync = page_text(page_get(o, "sync"), "message"),
        };
        /* the daemon forgets what a node said too long ago, by its own measure */
        n->heard = n->age >= 0 && strcmp(n->reason, "stale") != 0;
        n->level = node_level(n);
        if (n->self)
                v->self = n;
        if (n->holder)
                v->holder = n;
}

/* A node that is of no cluster is shown like one of a cluster of one. */
static void take_lonely(struct page_view *v)
{
        const cJSON *s = v->snap->status;
        struct page_node *n = &v->nodes[0];

        v->n_nodes = 1;
        *n = (struct page_node){
                .name = page_text(s, "node"),
                .address = "",
                .role = page_text(s, "role"),
                .state = "",
                .verdict = page_text(s, "verdict"),
                .reason = page_text(s, "reason"),
                .age = page_number(s, "age_ms", -1),
                .self = true,
                .heard = true,
        };
        n->level = node_level(n);
        v->self = n;
}

static bool says_it_leads(const struct page_node *n)
{
        return n->heard && (strcmp(n->state, "master") == 0 || strcmp(n->state, "promoting") == 0 ||
                            strcmp(n->state, "demoting") == 0);
}

/* The row may be old, where the database cannot be read: who says itself that it leads, now, goes
 * before one that is named there and says nothing of the kind. */
static const struct page_node *find_leader(const struct page_view *v)
{
        if (v->holder && says_it_leads(v->holder))
                return v->holder;
        for (size_t i = 0; i < v->n_nodes; i++)
                if (says_it_leads(&v->nodes[i]))
                        return &v->nodes[i];
        return v->holder;
}

void page_view_nodes(struct page_view *v)
{
        const cJSON *s = v->snap->status, *o;

        v->known = cJSON_IsObject(s);
        if (!v->known)
                return;
        v->old = v->time.now - v->snap->at > v->time.stale;
        v->cluster = cJSON_IsArray(page_get(s, "nodes"));
        v->lease_known = page_true(page_get(s, "lease"), "known") || v->holder;
        if (!v->cluster)
                take_lonely(v);
        cJSON_ArrayForEach(o, page_get(s, "nodes")) if (v->n_nodes < PAGE_NODES) take_node(v, o);

        v->leader = v->cluster ? find_leader(v) : NULL;
        if (!v->cluster && strcmp(v->nodes[0].role, "master") == 0)
                v->leader = &v->nodes[0];
        v->serves_here = v->leader && v->leader->self &&
                         (!v->cluster || strcmp(v->leader->state, "master") == 0);
}

/* ---- functions ---- */

static const struct {
        const char *name, *what;
        const char *checks[6]; /* by the name of hamon's check, what matters most first */
} FUNCTIONS[PAGE_FUNCTIONS] = {
        { "Receiving",
          "mail from other servers (SMTP)",
          { "smtp", "postfix-mailcow", "rspamd", "rspamd-mailcow", "redis" } },
        { "Sending",
          "mail of our own people (submission)",
          { "submission", "smtps", "postfix-mailcow", "rspamd" } },
        { "Reading",
          "mailboxes (IMAP, POP3)",
          { "imap", "imaps", "pop3", "pop3s", "dovecot-mailcow" } },
        { "Webmail",
          "and the admin's pages (HTTPS)",
          { "https", "nginx-mailcow", "php-fpm-mailcow", "sogo-mailcow" } },
        { "Storage", "the shared volume", { "volume" } },
        { "Database", "Galera", { "galera", "mysql-mailcow" } },
};

static const cJSON *find_check(const struct page_view *v, const char *name)
{
        const cJSON *o;

        cJSON_ArrayForEach(o, page_get(v->snap->status, "checks")) if (strcmp(page_text(o, "name"),
                                                                              name) == 0) return o;
        return NULL;
}

/* What a check makes of a function: what may fail without mail failing leaves it working in part.
 */
static void judge_check(struct page_function *f, const cJSON *check, const char *name)
{
        static const char *const WORDS[LEVEL_COUNT_] = { [LEVEL_UNKNOWN] = "not known",
                                                         [LEVEL_GOOD] = "works",
                                                         [LEVEL_WARN] = "in doubt",
                                                         [LEVEL_BAD] = "does not work" };
        enum page_level level = page_level_of(page_text(check, "verdict"));
        bool part = level == LEVEL_BAD && !page_true(check, "required");

        if (part)
                level = LEVEL_WARN;
        if (f->word && (level == LEVEL_GOOD || (f->level != LEVEL_GOOD && level <= f->level)))
                return;
        f->level = level;
        f->word = part ? "in part" : WORDS[level];
        snprintf(f->text, sizeof f->text, "%s: %s", name, page_text(check, "message"));
}

/* The worst of its checks; of equals the first. None of them is there: it is not shown. */
static void take_function(struct page_view *v, size_t row)
{
        struct page_function *f = &v->functions[v->n_functions];

        *f = (struct page_function){ .name = FUNCTIONS[row].name, .what = FUNCTIONS[row].what };
        for (size_t i = 0; i < ARRAY_SIZE(FUNCTIONS[row].checks) && FUNCTIONS[row].checks[i]; i++) {
                const cJSON *o = find_check(v, FUNCTIONS[row].checks[i]);
                if (o)
                        judge_check(f, o, FUNCTIONS[row].checks[i]);
        }
        if (f->word)
                v->n_functions++;
}

bool page_is_told(const struct page_view *v, const char *check)
{
        for (size_t i = 0; i < v->n_functions; i++) {
                if (v->functions[i].level == LEVEL_GOOD)
                        continue;
                for (size_t row = 0; row < PAGE_FUNCTIONS; row++) {
                        if (strcmp(FUNCTIONS[row].name, v->functions[i].name) != 0)
                                continue;
                        for (size_t k = 0; k < ARRAY_SIZE(FUNCTIONS[row].checks); k++)
                                if (str_eq(FUNCTIONS[row].checks[k], check))
                                        return true;
                }
        }
        return false;
}

void page_view_functions(struct page_view *v)
{
        if (!v->serves_here)
                return;
        for (size_t i = 0; i < PAGE_FUNCTIONS; i++)
                take_function(v, i);
}

/* ---- all of it ---- */

void page_view(const struct snap *s, const struct page_time *t, struct page_view *ret)
{
        *ret = (struct page_view){ .snap = s, .time = *t };
        page_view_nodes(ret);
        page_view_functions(ret);
        page_view_notes(ret);
        page_view_judge(ret);
}
