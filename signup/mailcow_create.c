/* Creating a mailbox so that it is there once, whole, or not at all (mailcow.h). */
#include "signup/mailcow_impl.h"

#include "signup/note.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* With the default timeout a request is over within the 60 s that nginx waits. */
enum { TRIES = 3, LOCK_TIMEOUTS = 3, LOCK_MS = 10000, AGAIN_MS = 15000 };

/* What a reason of Mailcow's means for the visitor. */
static const struct reason {
        const char *key;
        enum mc_end end;
        enum log_level level;
} REASONS[] = {
        { "object_exists", MC_TAKEN, LOG_INFO },
        { "is_alias", MC_TAKEN, LOG_INFO },
        { "is_alias_or_mailbox", MC_TAKEN, LOG_INFO },
        { "is_spam_alias", MC_TAKEN, LOG_INFO },
        { "mailbox_invalid", MC_TAKEN, LOG_WARN },
        { "password_complexity", MC_PASSWORD, LOG_INFO },
        { "max_mailbox_exceeded", MC_FULL, LOG_ERROR },
        { "mailbox_quota_left_exceeded", MC_FULL, LOG_ERROR },
        { "mailbox_quota_exceeded", MC_FULL, LOG_ERROR },
        { "access_denied", MC_NO_DOMAIN, LOG_ERROR },
        { "domain_not_found", MC_NO_DOMAIN, LOG_ERROR },
};

struct job {
        struct job *next; /* in m->jobs */
        struct mailcow *m;
        struct caller *c;
        const struct account *a;
        const struct strlist *markers;
        msec_t last_try; /* no other one is begun after that */
        bool pending;
        bool made;   /* by this call: Mailcow has said so */
        bool active; /* what the mailbox is */
};

/* ---- one at a time per domain ---- */

static pthread_mutex_t *lock_of(struct mailcow *m, const char *domain)
{
        uint64_t h = 0xcbf29ce484222325ULL;

        for (const unsigned char *p = (const unsigned char *)domain; *p; p++)
                h = (h ^ *p) * 0x100000001b3ULL;
        return &m->domain[(h ^ (h >> 32)) % MC_LOCKS];
}

static bool take_lock(struct mailcow *m, const char *domain)
{
        struct timespec end;
        msec_t wait = MIN(m->config->mailcow.timeout * LOCK_TIMEOUTS, (msec_t)LOCK_MS);

        clock_gettime(CLOCK_MONOTONIC, &end);
        end.tv_sec += (time_t)(wait / 1000) + 1;
        if (pthread_mutex_clocklock(lock_of(m, domain), CLOCK_MONOTONIC, &end) == 0)
                return true;
        note(LOG_WARN, "domain_busy", LS("domain", domain), LI("ms", wait));
        return false;
}

static void give_lock(struct mailcow *m, const char *domain)
{
        pthread_mutex_unlock(lock_of(m, domain));
}

/* ---- what is sent ---- */

static bool add_list(cJSON *root, const char *name, const struct strlist *list, const char *more)
{
        cJSON *array = cJSON_CreateStringArray((const char *const *)list->v, (int)list->n);

        return cJSON_AddItemToObjectCS(root, name, array) &&
               (!more || cJSON_AddItemToArray(array, cJSON_CreateString(more)));
}

static bool add_limit(cJSON *root, const char *rate)
{
        char value[16];
        size_t digits = strcspn(rate, "/");

        if (!*rate)
                return true;
        snprintf(value, sizeof value, "%.*s", (int)MIN(digits, sizeof value - 1), rate);
        return cJSON_AddStringToObject(root, "rl_value", value) &&
               cJSON_AddStringToObject(root, "rl_frame", rate + digits + 1);
}

/* All of it explicit: what is left out gets Mailcow's template, a quota left out is unlimited. */
static bool fill(cJSON *root, const struct job *j)
{
        const struct config *c = j->m->config;
        char quota[24];

        snprintf(quota, sizeof quota, "%llu", (unsigned long long)c->mailbox.quota_mib);
        const struct {
                const char *key, *value;
        } TEXTS[] = {
                { "local_part", j->a->local_part },
                { "domain", j->a->domain },
                { "name", j->a->name },
                { "authsource", "mailcow" },
                { "quota", quota },
                { "password", j->a->password },
                { "password2", j->a->password },
                { "active", j->pending ? "0" : "1" },
                { "force_pw_update", c->mailbox.force_pw_update ? "1" : "0" },
                { "tls_enforce_in", "0" },
                { "tls_enforce_out", "0" },
                { "attribute_hash", j->markers->v[0] },
        };
        for (size_t i = 0; i < ARRAY_SIZE(TEXTS); i++)
                if (!cJSON_AddStringToObject(root, TEXTS[i].key, TEXTS[i].value))
                        return false;
        return add_list(root, "tags", &c->mailbox.tags,
                        j->pending ? c->mailbox.pending_tag : NULL) &&
               (c->mailbox.acl.n == 0 || add_list(root, "acl", &c->mailbox.acl, NULL)) &&
               add_limit(root, c->mailbox.rate_limit);
}

static void add(const struct job *j, struct mc_reply *ret)
{
        cJSON *root = cJSON_CreateObject();

        if (!root || !fill(root, j)) {
                cJSON_Delete(root);
                root = NULL;
        }
        mc_post(j->m, j->c, "add/mailbox", root, "mailbox_added", ret);
}

/* ---- what became of it ---- */

static void tell(const struct job *j, enum log_level level, const char *event,
                 const struct mc_reply *r)
{
        const char *why = r->error < 0 ? r->why : r->action.key;

        note(level, event, LS("address", j->a->address), LI("status", r->status),
             LS("reason", *why ? why : "empty_body"));
}

static enum mc_end judge(const struct job *j, const struct mc_reply *r)
{
        for (size_t i = 0; i < ARRAY_SIZE(REASONS); i++)
                if (str_eq(REASONS[i].key, r->action.key)) {
                        tell(j, REASONS[i].level, "mailbox_refused", r);
                        return REASONS[i].end;
                }
        tell(j, LOG_ERROR, "mailbox_refused", r);
        return MC_REFUSED;
}

static bool ours(const struct job *j, const struct mc_mailbox *b)
{
        return b->exists && *b->marker && strlist_has(j->markers, b->marker);
}

static bool take_away(const struct job *j)
{
        struct mc_reply r;
        const char *address = j->a->address;

        mc_post(j->m, j->c, "delete/mailbox", cJSON_CreateStringArray(&address, 1),
                "mailbox_removed", &r);
        bool gone = r.error == 0 && r.action.shape == MC_DONE;
        tell(j, gone ? LOG_WARN : LOG_ERROR, gone ? "mailbox_half_removed" : "mailbox_half_left",
             &r);
        return gone;
}

/* Whole beyond doubt: Mailcow writes the rate limit last, we the recovery address after its answer,
 * and somebody has used it, approved it or switched it off since. */
static bool whole(const struct job *j, const struct mc_mailbox *b)
{
        return b->used || b->recovery || b->active == j->pending ||
               (b->limited && *j->m->config->mailbox.rate_limit);
}

enum state {
        STATE_UNKNOWN, /* Mailcow does not say, or what is left of it stays */
        STATE_NONE,
        STATE_REMOVED, /* it was a half one of ours */
        STATE_OURS,
        STATE_OTHERS,
};

/* What is there now. An unused mailbox of ours may lack its alias or its rights, which cannot be
 * seen: unless it is whole beyond doubt it is taken away. One of an earlier request, which may have
 * told its owner "ready", only where a missing rate limit proves that it is a half one: mail may be
 * on its way to it. */
static int settle(struct job *j, bool earlier, enum state *ret)
{
        bool provable = *j->m->config->mailbox.rate_limit != '\0';

        struct mc_mailbox b;

        *ret = STATE_UNKNOWN;
        int r = mc_look(j->m, j->c, j->a->address, &b);
        if (r < 0)
                return r;
        j->active = b.active;
        if (!b.exists)
                *ret = STATE_NONE;
        else if (!ours(j, &b))
                *ret = STATE_OTHERS;
        else if (whole(j, &b) || (earlier && !provable))
                *ret = STATE_OURS;
        else if (take_away(j))
                *ret = STATE_REMOVED;
        return 0;
}

/* Surely nothing was done: not sent, or refused before. A 5xx is no such word: PHP may have failed,
 * or nginx have lost patience, in the middle. */
static bool nothing_done(const struct mc_reply *r)
{
        return !r->sent || (r->error == 0 && r->status < 500 &&
                            (r->status >= 400 || r->action.shape == MC_ERROR));
}

/* After one add: true = once more; else *ret_end is the end. */
static bool after(struct job *j, const struct mc_reply *r, bool first, enum mc_end *ret_end)
{
        bool answer = r->error == 0 && r->status < 500;
        bool exists =
                answer && r->action.shape == MC_DANGER && str_eq(r->action.key, "object_exists");
        enum state state;

        *ret_end = MC_UNSURE;
        if (nothing_done(r)) {
                tell(j, r->status == 401 || r->status == 403 ? LOG_ERROR : LOG_WARN, "mailcow_down",
                     r);
                if (first) /* else an earlier try may yet have come through */
                        *ret_end = MC_DOWN;
                return false;
        }
        if (answer && r->action.shape == MC_DANGER && !exists) {
                *ret_end = judge(j, r);
                return false;
        }
        if (!exists)
                tell(j, LOG_WARN, "mailbox_unsure", r);
        bool blind = settle(j, exists && first, &state) < 0;
        if (state == STATE_OURS)
                *ret_end = MC_CREATED;
        else if (state == STATE_OTHERS || (blind && exists && first))
                *ret_end = exists ? judge(j, r) : MC_TAKEN; /* somebody else was faster */
        else if (state == STATE_NONE && r->status >= 500 && first)
                *ret_end = MC_DOWN;
        return state == STATE_REMOVED || (state == STATE_NONE && r->status < 500);
}

static enum mc_end create(struct job *j)
{
        enum mc_end end = MC_UNSURE;
        bool more = true;

        for (int i = 0; i < TRIES && more && (i == 0 || clock_ms() < j->last_try); i++) {
                struct mc_reply r;
                add(j, &r);
                if (r.error == 0 && r.status < 500 && r.action.shape == MC_DONE) {
                        j->made = true;
                        j->active = !j->pending;
                        return MC_CREATED;
                }
                more = after(j, &r, i == 0, &end);
        }
        if (end == MC_UNSURE)
                note(LOG_ERROR, "mailbox_unknown", LS("address", j->a->address),
                     LS("msg", "look at it in Mailcow; it may be there in part"));
        return end;
}

/* The other address: only editing knows that field. Without it the mailbox is still good. Never in
 * a mailbox that was there before: its owner has one, and whoever sits at the same browser now must
 * not be able to name another. */
static void set_recovery(const struct job *j)
{
        struct mc_reply r;

        if (!*j->a->recovery)
                return;
        mc_post(j->m, j->c, "edit/mailbox",
                mc_edit(j->a->address, "pw_recovery_email", j->a->recovery), "mailbox_modified",
                &r);
        if (r.error < 0 || r.action.shape != MC_DONE)
                tell(j, LOG_WARN, "recovery_not_set", &r);
}

static void enlist(struct job *j)
{
        pthread_mutex_lock(&j->m->cache);
        j->next = j->m->jobs;
        j->m->jobs = j;
        pthread_mutex_unlock(&j->m->cache);
}

static void strike(struct job *j)
{
        pthread_mutex_lock(&j->m->cache);
        struct job **at = &j->m->jobs;
        while (*at != j)
                at = &(*at)->next;
        *at = j->next;
        pthread_mutex_unlock(&j->m->cache);
}

enum mc_end mailcow_create(struct mailcow *m, struct caller *c, const struct account *a,
                           const struct strlist *markers, bool pending, bool *ret_active)
{
        struct job j = { .m = m,
                         .c = c,
                         .a = a,
                         .markers = markers,
                         .pending = pending,
                         .last_try = clock_ms() + AGAIN_MS };
        enum mc_end end = MC_DOWN;

        enlist(&j);
        if (take_lock(m, a->domain)) {
                end = create(&j);
                if (j.made)
                        set_recovery(&j);
                give_lock(m, a->domain);
        }
        strike(&j);
        if (end == MC_CREATED)
                *ret_active = j.active;
        return end;
}

bool mailcow_is_making(struct mailcow *m, const struct strlist *markers)
{
        bool yes = false;

        pthread_mutex_lock(&m->cache);
        for (const struct job *i = m->jobs; i && !yes; i = i->next)
                yes = strlist_has(markers, i->markers->v[0]);
        pthread_mutex_unlock(&m->cache);
        return yes;
}

enum mc_owner mailcow_owner(struct mailcow *m, struct caller *c, const struct account *a,
                            const struct strlist *markers, bool *ret_active)
{
        struct job j = { .m = m, .c = c, .a = a, .markers = markers };
        struct mc_mailbox b;

        if (mc_look(m, c, a->address, &b) < 0)
                return MC_UNKNOWN;
        if (!b.exists)
                return MC_NOBODY;
        if (!ours(&j, &b))
                return MC_OTHERS;
        *ret_active = b.active;
        return MC_OURS;
}
