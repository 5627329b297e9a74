/* The plumbing of mailcow.h: one GET, one POST, and the two answers that are kept. */
#include "signup/mailcow_impl.h"

#include "lib/secret.h"
#include "signup/note.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { ANSWER_CAP = 8 * 1024 * 1024, KEY_MAX = 200, RETRY_MS = 2000 };

const char *const MC_ENDS[MC_END_COUNT] = {
        [MC_CREATED] = "created",   [MC_TAKEN] = "taken",         [MC_FULL] = "full",
        [MC_PASSWORD] = "password", [MC_NO_DOMAIN] = "no_domain", [MC_REFUSED] = "refused",
        [MC_DOWN] = "down",         [MC_UNSURE] = "unsure",
};

/* Mailcow strips other characters from a key before it looks it up: such a key never fits. */
static bool key_shape(const char *key)
{
        for (const char *p = key; *p; p++)
                if (!isalnum((unsigned char)*p) && *p != '-')
                        return false;
        return strlen(key) <= KEY_MAX;
}

static int read_key(struct mailcow *m, struct buf *errors)
{
        CLEANUP(secret_wipe) char *key = NULL;
        CLEANUP(buf_done) struct buf why = BUF(1024);
        const char *path = m->config->mailcow.api_key_file;

        int r = secret_read(path, &key, &why);
        if (r < 0) {
                buf_addf(errors, "%s\n", buf_str(&why));
                return r;
        }
        if (!key || !key_shape(key)) {
                buf_addf(errors, "%s: is no key of Mailcow's API (letters, digits and -)\n", path);
                return -EINVAL;
        }
        return asprintf(&m->key_header, "X-API-Key: %s", key) < 0 ? -ENOMEM : 0;
}

int mailcow_new(const struct config *c, struct mailcow **ret, struct buf *errors)
{
        struct mailcow *m = calloc(1, sizeof *m);

        if (!m)
                return -ENOMEM;
        m->config = c;
        for (size_t i = 0; i < MC_LOCKS; i++)
                pthread_mutex_init(&m->domain[i], NULL);
        pthread_mutex_init(&m->cache, NULL);
        int r = read_key(m, errors);
        if (r < 0)
                mailcow_free(m);
        else
                *ret = m;
        return r;
}

void mailcow_free(struct mailcow *m)
{
        if (!m)
                return;
        secret_wipe(&m->key_header);
        free(m->domains);
        for (size_t i = 0; i < MC_LOCKS; i++)
                pthread_mutex_destroy(&m->domain[i]);
        pthread_mutex_destroy(&m->cache);
        free(m);
}

/* ---- requests ---- */

static int url_of(const struct mailcow *m, const char *path, struct buf *out)
{
        const char *url = m->config->mailcow.url;
        size_t len = strlen(url);

        while (len > 0 && url[len - 1] == '/')
                len--;
        buf_add(out, url, len);
        return buf_addf(out, "/api/v1/%s", path);
}

static void ask(struct mailcow *m, struct caller *c, const char *path, const char *body,
                struct caller_answer *ret)
{
        CLEANUP(buf_done) struct buf url = BUF(2048);
        const char *const headers[] = { m->key_header, "Content-Type: application/json",
                                        "Accept: application/json", NULL };
        struct http_request r = {
                .method = body ? "POST" : "GET",
                .headers = headers,
                .body = body,
                .ca_file = m->config->mailcow.ca_file,
                .max_body = ANSWER_CAP,
                .connect_timeout = MIN(m->config->mailcow.timeout, (msec_t)3000),
                .timeout = m->config->mailcow.timeout,
                .once = body != NULL,
        };

        url_of(m, path, &url);
        r.url = buf_str(&url);
        caller_do(c, &r, ret);
}

int mc_get(struct mailcow *m, struct caller *c, const char *path, struct buf *out)
{
        struct caller_answer a;
        int r = 0;

        ask(m, c, path, NULL, &a);
        if (a.error < 0 || a.status != 200 || a.body.len == 0) {
                note(a.status == 401 || a.status == 403 ? LOG_ERROR : LOG_WARN, "mailcow_get",
                     LS("path", path), LI("status", a.status),
                     LS("msg", a.error < 0 ? a.why : buf_str(&a.body)));
                r = -EAGAIN;
        } else if (buf_add(out, a.body.data, a.body.len) < 0) {
                r = -EAGAIN;
        }
        buf_done(&a.body);
        return r;
}

/* Nothing was sent if there was no connection. */
static bool reached(int error)
{
        return error != -ECONNREFUSED && error != -EHOSTUNREACH && error != -ENETUNREACH &&
               error != -ENOENT;
}

void mc_post(struct mailcow *m, struct caller *c, const char *path, cJSON *body, const char *want,
             struct mc_reply *ret)
{
        struct caller_answer a;
        char *text = body ? cJSON_PrintUnformatted(body) : NULL;

        cJSON_Delete(body);
        *ret = (struct mc_reply){ .error = -ENOMEM };
        if (!text)
                return;
        ask(m, c, path, text, &a);
        secret_wipe(&text);
        ret->error = a.error;
        ret->status = a.status;
        ret->sent = a.sent && (a.error == 0 || reached(a.error));
        str_copy(ret->why, sizeof ret->why, a.why);
        if (a.error == 0)
                mc_parse_action(buf_str(&a.body), a.body.len, want, &ret->action);
        buf_done(&a.body);
}

int mc_look(struct mailcow *m, struct caller *c, const char *address, struct mc_mailbox *ret)
{
        CLEANUP(buf_done) struct buf body = BUF(ANSWER_CAP);
        CLEANUP(buf_done) struct buf path = BUF(2048);

        buf_adds(&path, "get/mailbox/");
        buf_add_percent(&path, address);
        int r = mc_get(m, c, buf_str(&path), &body);
        return r < 0 ? r : mc_parse_mailbox(buf_str(&body), body.len, ret);
}

cJSON *mc_edit(const char *address, const char *key, const char *value)
{
        cJSON *root = cJSON_CreateObject();
        cJSON *attr = cJSON_AddObjectToObject(root, "attr");

        if (attr && cJSON_AddStringToObject(attr, key, value) &&
            cJSON_AddItemToObjectCS(root, "items", cJSON_CreateStringArray(&address, 1)))
                return root;
        cJSON_Delete(root);
        return NULL;
}

/* ---- kept answers ---- */

static bool due(const struct mailcow *m, struct mc_cached *c, msec_t now)
{
        msec_t keep = c->known ? m->config->mailcow.cache : 0;

        if (c->asking)
                return false;
        if (c->at != 0 && now - c->at < MAX(keep, (msec_t)RETRY_MS))
                return false;
        c->asking = true;
        c->at = MAX(now,
                    (msec_t)1); /* also after a failure: not every visitor waits for a dead one */
        return true;
}

bool mailcow_policy(struct mailcow *m, struct caller *c, msec_t now, struct password_policy *ret)
{
        CLEANUP(buf_done) struct buf body = BUF(ANSWER_CAP);
        struct password_policy fresh;

        pthread_mutex_lock(&m->cache);
        bool ask_now = due(m, &m->policy_at, now);
        pthread_mutex_unlock(&m->cache);

        bool got = ask_now && mc_get(m, c, "get/passwordpolicy", &body) == 0 &&
                   mc_parse_policy(buf_str(&body), body.len, &fresh) == 0;
        pthread_mutex_lock(&m->cache);
        m->policy_at.asking = m->policy_at.asking && !ask_now;
        if (got) {
                m->policy = fresh;
                m->policy_at.known = true;
        }
        bool known = m->policy_at.known;
        if (known)
                *ret = m->policy;
        pthread_mutex_unlock(&m->cache);
        return known;
}

/* A copy of the words in `text`, as one block. */
static int words(const char *text, struct strlist *ret)
{
        size_t n = 0, size = strlen(text) + 1;

        for (const char *p = text; *p; p++)
                n += *p == '\n';
        char **v = malloc(n * sizeof *v + size);
        if (!v)
                return -ENOMEM;
        char *copy = (char *)(v + n);
        memcpy(copy, text, size);
        for (size_t i = 0; i < n; i++) {
                v[i] = copy;
                copy += strcspn(copy, "\n");
                *copy++ = '\0';
        }
        *ret = (struct strlist){ v, n };
        return 0;
}

static int configured(const struct strlist *domains, struct strlist *ret)
{
        CLEANUP(buf_done) struct buf text = BUF(64 * 1024);

        for (size_t i = 0; i < domains->n; i++)
                buf_addf(&text, "%s\n", domains->v[i]);
        return text.error < 0 ? text.error : words(buf_str(&text), ret);
}

static bool fetch_domains(struct mailcow *m, struct caller *c, struct buf *out)
{
        CLEANUP(buf_done) struct buf body = BUF(ANSWER_CAP);
        CLEANUP(buf_done) struct buf path = BUF(2048);
        const char *tag = m->config->signup.domain_tag;

        buf_adds(&path, "get/domain/all?tags=");
        buf_add_percent(&path, tag);
        return mc_get(m, c, buf_str(&path), &body) == 0 &&
               mc_parse_domains(buf_str(&body), body.len, tag, out) == 0;
}

int mailcow_domains(struct mailcow *m, struct caller *c, msec_t now, struct strlist *ret)
{
        CLEANUP(buf_done) struct buf fresh = BUF(64 * 1024);

        if (m->config->signup.domains.n > 0)
                return configured(&m->config->signup.domains, ret);
        pthread_mutex_lock(&m->cache);
        bool ask_now = due(m, &m->domains_at, now);
        pthread_mutex_unlock(&m->cache);

        char *text = ask_now && fetch_domains(m, c, &fresh) ? strdup(buf_str(&fresh)) : NULL;
        pthread_mutex_lock(&m->cache);
        m->domains_at.asking = m->domains_at.asking && !ask_now;
        if (text) {
                free(m->domains);
                m->domains = text;
                m->domains_at.known = true;
        }
        int r = m->domains ? words(m->domains, ret) : -EAGAIN;
        pthread_mutex_unlock(&m->cache);
        return r;
}
