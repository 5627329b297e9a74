/* One function per format. Whatever is JSON is printed by cJSON, which escapes strings; what a
 * string means to the other end beyond that (Slack, Mattermost) is escaped before. */
#include "hamon/web/alert_format.h"

#include "hamon/web/alert_template.h"
#include "lib/json.h"
#include <errno.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LINES_MAX = 4096, LINE_MAX_ = 900, MAC = 32, HEADER_MAX = 1024, RETRY_MAX = 3600 };

/* ---- helpers ---- */

static PRINTF(2, 3) void add_header(struct alert_request *q, const char *fmt, ...)
{
        va_list ap;

        if (q->n_headers == ALERT_HEADERS)
                return;
        struct buf *b = &q->header[q->n_headers++];
        va_start(ap, fmt);
        buf_vaddf(b, fmt, ap);
        va_end(ap);
}

static int put_json(struct alert_request *q, cJSON *root)
{
        char *text = cJSON_PrintUnformatted(root);
        int r = text ? buf_adds(&q->body, text) : -ENOMEM;

        free(text);
        cJSON_Delete(root);
        add_header(q, "Content-Type: application/json");
        return r;
}

/* Headline and body as one text, each escaped by `escape` (NULL = not). */
static void put_text(const struct alert_message *m, void (*escape)(const char *, struct buf *),
                     struct buf *out)
{
        CLEANUP(buf_done) struct buf all = BUF(LINES_MAX);

        alert_headline(m, &all);
        buf_adds(&all, "\n");
        alert_body(m, &all);
        if (escape)
                escape(buf_str(&all), out);
        else
                buf_adds(out, buf_str(&all));
}

static int post(struct alert_request *q, const char *url)
{
        q->method = "POST";
        return buf_adds(&q->url, url);
}

/* ---- json ---- */

int alert_sign(const char *secret, const char *time, const char *body, char *ret)
{
        CLEANUP(buf_done) struct buf b = BUF(ALERT_BODY_MAX + 64);
        unsigned char mac[MAC];
        unsigned n = 0;

        if (buf_addf(&b, "%s.", time) < 0 || buf_adds(&b, body) < 0)
                return b.error;
        if (!HMAC(EVP_sha256(), secret, (int)strlen(secret), (const unsigned char *)b.data, b.len,
                  mac, &n) ||
            n != MAC)
                return -EIO;
        str_copy(ret, 8, "sha256=");
        hex_text(mac, MAC, ret + 7);
        return 0;
}

static void plain_json(const struct alert_message *m, struct alert_request *q)
{
        CLEANUP(buf_done) struct buf text = BUF(LINES_MAX);
        char when[32];
        cJSON *o = cJSON_CreateObject();

        put_text(m, NULL, &text);
        json_add_int(o, "version", 1);
        cJSON_AddStringToObject(o, "id", m->id);
        cJSON_AddStringToObject(o, "key", m->key);
        cJSON_AddStringToObject(o, "phase", ALERT_PHASES[m->phase]);
        cJSON_AddStringToObject(o, "level", LOG_LEVELS[m->level]);
        cJSON_AddStringToObject(o, "cluster", m->cluster);
        cJSON_AddStringToObject(o, "node", m->node);
        cJSON_AddStringToObject(o, "title", m->title);
        cJSON_AddStringToObject(o, "detail", m->text);
        cJSON_AddStringToObject(o, "text", buf_str(&text));
        cJSON_AddStringToObject(o, "at", alert_time(m->at_ms, when, sizeof when));
        json_add_int(o, "epoch", (int64_t)m->epoch);
        json_add_int(o, "more", (int64_t)m->more);
        put_json(q, o);
}

static int build_json(const struct alert_target *t, const struct alert_message *m, int64_t unix_ms,
                      struct alert_request *q)
{
        char time[32], signature[72];
        int r = post(q, t->k.url);

        if (t->template) {
                r = alert_template_fill(t->template, m, &q->body);
                add_header(q, "Content-Type: application/json");
        } else {
                plain_json(m, q);
        }
        if (*t->k.token)
                add_header(q, "Authorization: Bearer %s", t->k.token);
        if (r == 0 && *t->k.secret) {
                snprintf(time, sizeof time, "%" PRId64, unix_ms / 1000);
                r = alert_sign(t->k.secret, time, buf_str(&q->body), signature);
                add_header(q, "X-Hamon-Timestamp: %s", time);
                add_header(q, "X-Hamon-Signature: %s", r == 0 ? signature : "");
        }
        return r;
}

/* ---- ntfy ---- */

static int build_ntfy(const struct alert_target *t, const struct alert_message *m, int64_t unix_ms,
                      struct alert_request *q)
{
        static const struct {
                int priority;
                const char *tag;
        } LOOKS[] = { [LOG_DEBUG] = { 2, "information_source" },
                      [LOG_INFO] = { 3, "information_source" },
                      [LOG_WARN] = { 4, "warning" },
                      [LOG_ERROR] = { 5, "rotating_light" } };
        CLEANUP(buf_done) struct buf title = BUF(LINES_MAX);
        CLEANUP(buf_done) struct buf body = BUF(LINES_MAX);
        bool over = m->phase == PHASE_OVER;
        const char *topic = strrchr(t->k.url, '/');
        cJSON *o = cJSON_CreateObject(), *tags;

        (void)unix_ms;
        q->method = "POST";
        buf_add(&q->url, t->k.url, (size_t)(topic - t->k.url) + 1); /* as JSON to the root */
        alert_headline(m, &title);
        alert_body(m, &body);
        cJSON_AddStringToObject(o, "topic", topic + 1);
        cJSON_AddStringToObject(o, "title", buf_str(&title));
        cJSON_AddStringToObject(o, "message", buf_str(&body));
        json_add_int(o, "priority", over ? 3 : LOOKS[m->level].priority);
        tags = cJSON_AddArrayToObject(o, "tags");
        cJSON_AddItemToArray(tags,
                             cJSON_CreateString(over ? "white_check_mark" : LOOKS[m->level].tag));
        if (*t->k.token)
                add_header(q, "Authorization: Bearer %s", t->k.token);
        return put_json(q, o);
}

/* ---- Slack, Mattermost ---- */

void alert_escape_slack(const char *s, struct buf *out)
{
        for (; *s; s++) {
                if (*s == '&')
                        buf_adds(out, "&amp;");
                else if (*s == '<')
                        buf_adds(out, "&lt;");
                else if (*s == '>')
                        buf_adds(out, "&gt;");
                else
                        buf_add(out, s, 1);
        }
}

void alert_escape_markdown(const char *s, struct buf *out)
{
        for (; *s; s++) {
                if (strchr("\\`*_{}[]()#+-.!|~<>&:", *s))
                        buf_add(out, "\\", 1);
                buf_add(out, s, 1);
                if (*s == '@')
                        buf_adds(out, "\xe2\x80\x8b"); /* ZERO WIDTH SPACE */
        }
}

static int build_slack(const struct alert_target *t, const struct alert_message *m, int64_t unix_ms,
                       struct alert_request *q)
{
        CLEANUP(buf_done) struct buf text = BUF(2 * LINES_MAX);
        cJSON *o = cJSON_CreateObject();

        (void)unix_ms;
        post(q, t->k.url);
        put_text(m, alert_escape_slack, &text);
        cJSON_AddStringToObject(o, "text", buf_str(&text));
        cJSON_AddBoolToObject(o, "mrkdwn", false);
        return put_json(q, o);
}

static int build_mattermost(const struct alert_target *t, const struct alert_message *m,
                            int64_t unix_ms, struct alert_request *q)
{
        CLEANUP(buf_done) struct buf text = BUF(4 * LINES_MAX);
        cJSON *o = cJSON_CreateObject();

        (void)unix_ms;
        post(q, t->k.url);
        put_text(m, alert_escape_markdown, &text);
        cJSON_AddStringToObject(o, "text", buf_str(&text));
        return put_json(q, o);
}

/* ---- Telegram ---- */

/* Without parse_mode a text is plain: nothing in it means anything. */
static int build_telegram(const struct alert_target *t, const struct alert_message *m,
                          int64_t unix_ms, struct alert_request *q)
{
        CLEANUP(buf_done) struct buf text = BUF(LINES_MAX);
        cJSON *o = cJSON_CreateObject();

        (void)unix_ms;
        q->method = "POST";
        buf_addf(&q->url, "%s/bot%s/sendMessage", *t->k.url ? t->k.url : "https://api.telegram.org",
                 t->k.token);
        put_text(m, NULL, &text);
        cJSON_AddStringToObject(o, "chat_id", t->k.chat);
        cJSON_AddStringToObject(o, "text", buf_str(&text));
        cJSON_AddBoolToObject(o, "disable_web_page_preview", true);
        cJSON_AddBoolToObject(o, "disable_notification",
                              m->level <= LOG_INFO || m->phase == PHASE_OVER);
        return put_json(q, o);
}

/* Takes o. */
static bool says_ok(cJSON *o, const char *sentence, char *error, size_t size)
{
        bool ok = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(o, "ok"));
        const cJSON *s = cJSON_GetObjectItemCaseSensitive(o, sentence);

        if (!ok)
                alert_copy(error, size, cJSON_IsString(s) ? s->valuestring : "it did not say ok");
        cJSON_Delete(o);
        return ok;
}

static bool telegram_accepted(const char *body, char *error, size_t size)
{
        return says_ok(cJSON_Parse(body), "description", error, size);
}

/* ---- Uptime Kuma ---- */

static bool kuma_accepted(const char *body, char *error, size_t size)
{
        return says_ok(cJSON_Parse(body), "msg", error, size);
}

/* The URL is copied from Kuma's page, which has a query of its own. */
int alert_build_beat(const struct alert_target *t, bool up, const char *text, msec_t ping,
                     struct alert_request *ret)
{
        *ret = (struct alert_request){ .method = "GET",
                                       .url = BUF(ALERT_URL_MAX),
                                       .body = BUF(ALERT_BODY_MAX) };
        buf_add(&ret->url, t->k.url, strcspn(t->k.url, "?#"));
        buf_addf(&ret->url, "?status=%s&msg=", up ? "up" : "down");
        buf_add_percent(&ret->url, text);
        buf_adds(&ret->url, "&ping=");
        if (ping >= 0)
                buf_addf(&ret->url, "%" PRId64, ping);
        return ret->url.error;
}

static int build_kuma(const struct alert_target *t, const struct alert_message *m, int64_t unix_ms,
                      struct alert_request *q)
{
        (void)unix_ms;
        return alert_build_beat(
                t, m->phase == PHASE_TEST || m->phase == PHASE_OVER || m->level < LOG_ERROR,
                m->title, -1, q);
}

/* ---- e-mail ---- */

/* Lines end with CR LF, and none is longer than SMTP allows (998); all of it is ASCII. */
static void put_lines(const char *s, struct buf *out)
{
        for (size_t column = 0; *s; s++) {
                bool end = *s == '\n';
                if (!end && column == LINE_MAX_)
                        buf_adds(out, "\r\n");
                column = end || column == LINE_MAX_ ? 0 : column;
                column += !end;
                buf_add(out, end ? "\r\n" : s, end ? 2 : 1);
        }
        buf_adds(out, "\r\n");
}

/* Names of days and months are English whatever the locale, for nobody calls setlocale(). */
static int build_email(const struct alert_target *t, const struct alert_message *m, int64_t unix_ms,
                       struct alert_request *q)
{
        CLEANUP(buf_done) struct buf body = BUF(LINES_MAX);
        CLEANUP(buf_done) struct buf subject = BUF(LINES_MAX);
        time_t seconds = (time_t)(unix_ms / 1000);
        const char *host = strchr(t->k.from, '@');
        struct tm tm = { .tm_year = 0 };
        char date[48] = "";

        gmtime_r(&seconds, &tm);
        if (strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S +0000", &tm) == 0)
                return -EINVAL;
        buf_adds(&q->url, t->k.url);
        alert_headline(m, &subject);
        alert_body(m, &body);
        buf_addf(&q->body, "Date: %s\r\nFrom: %s\r\n", date, t->k.from);
        for (size_t i = 0; i < t->k.to.n; i++)
                buf_addf(&q->body, "%s%s%s", i == 0 ? "To: " : " ", t->k.to.v[i],
                         i + 1 < t->k.to.n ? ",\r\n" : "\r\n");
        buf_addf(&q->body, "Subject: [%s] %s\r\n", LOG_LEVELS[m->level], buf_str(&subject));
        buf_addf(&q->body, "Message-ID: <hamon.%s%s>\r\n", m->id, host ? host : "@localhost");
        buf_addf(&q->body, "X-Hamon-Key: %s\r\nX-Hamon-Phase: %s\r\n", m->key,
                 ALERT_PHASES[m->phase]);
        buf_adds(&q->body, "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
                           "Content-Type: text/plain; charset=us-ascii\r\n\r\n");
        put_lines(buf_str(&body), &q->body);
        return q->body.error;
}

/* ---- the table ---- */

const struct alert_format ALERT_FORMATS[ALERT_FORMAT_COUNT_] = {
        [ALERT_JSON] = { build_json, NULL },
        [ALERT_NTFY] = { build_ntfy, NULL },
        [ALERT_SLACK] = { build_slack, NULL },
        [ALERT_MATTERMOST] = { build_mattermost, NULL },
        [ALERT_TELEGRAM] = { build_telegram, telegram_accepted },
        [ALERT_UPTIME_KUMA] = { build_kuma, kuma_accepted },
        [ALERT_EMAIL] = { build_email, NULL },
};

int alert_build(const struct alert_target *t, const struct alert_message *m, int64_t unix_ms,
                struct alert_request *ret)
{
        *ret = (struct alert_request){ .method = "POST",
                                       .url = BUF(ALERT_URL_MAX),
                                       .body = BUF(ALERT_BODY_MAX) };
        for (size_t i = 0; i < ALERT_HEADERS; i++)
                buf_init(&ret->header[i], HEADER_MAX);
        int r = ALERT_FORMATS[t->k.format].build(t, m, unix_ms, ret);
        for (size_t i = 0; i < ret->n_headers && r == 0; i++)
                r = ret->header[i].error;
        if (r == 0)
                r = ret->url.error ? ret->url.error : ret->body.error;
        if (r < 0)
                alert_request_done(ret);
        return r;
}

void alert_request_done(struct alert_request *q)
{
        buf_done(&q->url);
        buf_done(&q->body);
        for (size_t i = 0; i < ALERT_HEADERS; i++)
                buf_done(&q->header[i]);
}

/* ---- answers ---- */

/* Telegram says in its body how long it does not want to hear of us. */
static msec_t wait_of(const struct alert_answer *a)
{
        cJSON *o = cJSON_Parse(a->body);
        const cJSON *p = cJSON_GetObjectItemCaseSensitive(o, "parameters");
        const cJSON *s = cJSON_GetObjectItemCaseSensitive(p, "retry_after");
        msec_t wait = a->retry_after;

        if (cJSON_IsNumber(s) && s->valuedouble > 0 && s->valuedouble <= RETRY_MAX)
                wait = MAX(wait, (msec_t)(s->valuedouble * 1000));
        cJSON_Delete(o);
        return MIN(wait, (msec_t)RETRY_MAX * 1000);
}

static enum alert_end end_of(int status)
{
        switch (status) {
        case 400: /* what it cannot read today it cannot read tomorrow */
        case 413:
        case 415:
        case 422:
                return ALERT_REFUSED;
        default:
                return ALERT_LATER;
        }
}

/* A short answer is a sentence for people (Slack: "no_service"). */
static void why_not(const struct alert_target *t, const struct alert_answer *a,
                    struct alert_outcome *ret)
{
        char said[120] = "";

        if (!ALERT_FORMATS[t->k.format].accepted ||
            ALERT_FORMATS[t->k.format].accepted(a->body, said, sizeof said))
                alert_copy(said, sizeof said, a->body);
        snprintf(ret->error, sizeof ret->error, "HTTP %d%s%s", a->status, *said ? ": " : "", said);
}

void alert_judge(const struct alert_target *t, const struct alert_answer *a,
                 struct alert_outcome *ret)
{
        const struct alert_format *f = &ALERT_FORMATS[t->k.format];
        char said[120] = "";

        *ret = (struct alert_outcome){ .end = ALERT_SENT };
        if (a->status >= 200 && a->status < 300) {
                if (!f->accepted || f->accepted(a->body, said, sizeof said))
                        return;
                ret->end = ALERT_LATER;
                snprintf(ret->error, sizeof ret->error, "it answered: %s", said);
                return;
        }
        ret->end = end_of(a->status);
        ret->wait = wait_of(a);
        why_not(t, a, ret);
}
