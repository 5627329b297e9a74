/* One event goes three ways: the log, a ring of the last ones, and the writer (events_spool.c). */
#include "hamon/events.h"

#include "hamon/events_spool.h"
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

const struct event_row EVENTS[EVENT_COUNT_] = {
        [EVENT_START] = { "start", LOG_INFO, "hamon started" },
        [EVENT_STOP] = { "stop", LOG_INFO, "hamon stopped" },
        [EVENT_STATE] = { "state", LOG_INFO, "state" },
        [EVENT_LEASE] = { "lease", LOG_INFO, "lease" },
        [EVENT_HOOK] = { "hook", LOG_INFO, "hook begins" },
        [EVENT_HOOK_END] = { "hook_end", LOG_INFO, "hook ended" },
        [EVENT_STEP] = { "step", LOG_INFO, "step" },
        [EVENT_VERDICT] = { "verdict", LOG_INFO, "verdict" },
        [EVENT_VRRP] = { "vrrp", LOG_INFO, "keepalived says" },
        [EVENT_PEER] = { "peer", LOG_INFO, "another node" },
        [EVENT_GUARD] = { "guard", LOG_INFO, "guard" },
        [EVENT_GAP] = { "clock_gap", LOG_WARN, "this node was frozen" },
        [EVENT_REPAIR] = { "repair", LOG_INFO, "restart of what hangs" },
        [EVENT_START_AGAIN] = { "start_again", LOG_INFO, "start of what Docker left stopped" },
        [EVENT_RELOAD] = { "reload", LOG_INFO, "reload after the database was away" },
        [EVENT_REJOIN] = { "rejoin", LOG_INFO, "start anew of what left its group" },
        [EVENT_ORDER] = { "order", LOG_INFO, "the operator's order" },
        [EVENT_ALERT] = { "alert", LOG_ERROR, "alert" },
        [EVENT_NOW] = { "now", LOG_INFO, "this node" },
};

struct moment {
        msec_t at;
        struct event_line line;
};

struct events {
        struct loop *loop;
        char node[64];
        struct events_spool *spool; /* NULL = no file */
        struct moment memory[EVENT_MEMORY];
        size_t n; /* of all times */
};

/* ---- lines ---- */

static void copy(char *dst, size_t size, const char *src)
{
        str_copy(dst, size, src ? src : "");
        for (char *p = dst; *p; p++) /* one line, and surely UTF-8 */
                if (*p < ' ' || *p > '~')
                        *p = '?';
}

static void stamp(struct event_line *l)
{
        struct timespec ts;
        struct tm tm = { .tm_year = 0 };
        char seconds[24];

        clock_gettime(CLOCK_REALTIME, &ts); /* for people: nothing is ever decided by it */
        gmtime_r(&ts.tv_sec, &tm);
        strftime(seconds, sizeof seconds, "%Y-%m-%dT%H:%M:%S", &tm);
        l->at_ms = (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
        snprintf(l->at, sizeof l->at, "%s.%03dZ", seconds, (int)(l->at_ms % 1000));
}

static enum log_level level_of(const struct happening *e)
{
        enum log_level level = EVENTS[e->kind].level;

        return e->bad && level < LOG_WARN ? LOG_WARN : level;
}

static void line_of(const struct happening *e, const char *node, struct event_line *ret)
{
        *ret = (struct event_line){ .epoch = e->epoch, .took = e->took, .ago = -1 };
        stamp(ret);
        copy(ret->node, sizeof ret->node, node);
        copy(ret->kind, sizeof ret->kind, EVENTS[e->kind].name);
        copy(ret->level, sizeof ret->level, LOG_LEVELS[level_of(e)]);
        copy(ret->from, sizeof ret->from, e->from);
        copy(ret->to, sizeof ret->to, e->to);
        copy(ret->reason, sizeof ret->reason, e->reason);
        copy(ret->detail, sizeof ret->detail, e->detail);
}

static void add_string(struct buf *out, const char *key, const char *value)
{
        if (!*value)
                return;
        buf_addf(out, "%s\"%s\":\"", out->len > 0 && out->data[out->len - 1] != '{' ? "," : "",
                 key);
        for (; *value; value++) { /* printable ASCII, see copy() */
                if (*value == '"' || *value == '\\')
                        buf_add(out, "\\", 1);
                buf_add(out, value, 1);
        }
        buf_add(out, "\"", 1);
}

static void write_line(struct buf *out, const struct event_line *l)
{
        size_t began = out->len;

        buf_add(out, "{", 1);
        add_string(out, "at", l->at);
        add_string(out, "node", l->node);
        add_string(out, "kind", l->kind);
        add_string(out, "level", l->level);
        buf_addf(out, ",\"epoch\":%llu", (unsigned long long)l->epoch);
        add_string(out, "from", l->from);
        add_string(out, "to", l->to);
        add_string(out, "reason", l->reason);
        add_string(out, "detail", l->detail);
        if (l->took >= 0)
                buf_addf(out, ",\"ms\":%lld", (long long)l->took);
        if (l->ago >= 0)
                buf_addf(out, ",\"ago_ms\":%lld", (long long)l->ago);
        buf_adds(out, "}\n");
        if (out->error && out->len > began)
                out->len = began; /* whole lines or none */
}

/* ---- the daemon's side ---- */

int events_new(struct loop *l, const char *file, const char *node, struct events **ret)
{
        struct events *ev = calloc(1, sizeof *ev);
        int r = ev ? 0 : -ENOMEM;

        if (ev) {
                ev->loop = l;
                str_copy(ev->node, sizeof ev->node, node);
                if (*file)
                        r = events_spool_new(l, file, EVENT_FILE_MAX, &ev->spool);
        }
        if (r < 0) {
                events_free(ev);
                return r;
        }
        *ret = ev;
        return 0;
}

void events_free(struct events *ev)
{
        if (!ev)
                return;
        events_spool_free(ev->spool);
        free(ev);
}

static void to_log(const struct happening *e)
{
        struct log_field fields[8];
        size_t n = 0;

        if (e->from)
                fields[n++] = LS("from", e->from);
        if (e->to)
                fields[n++] = LS("to", e->to);
        if (e->reason)
                fields[n++] = LS("reason", e->reason);
        if (e->epoch)
                fields[n++] = LI("epoch", e->epoch);
        if (e->took >= 0)
                fields[n++] = LI("ms", e->took);
        if (e->detail)
                fields[n++] = LS("msg", e->detail);
        fields[n] = (struct log_field){ .key = NULL };
        log_fields(level_of(e), EVENTS[e->kind].name, fields);
}

void events_add(struct events *ev, const struct happening *e)
{
        struct moment *m = &ev->memory[ev->n++ % EVENT_MEMORY];
        CLEANUP(buf_done) struct buf out = BUF(2 * EVENT_LINE);

        to_log(e);
        m->at = loop_now(ev->loop);
        line_of(e, ev->node, &m->line);
        write_line(&out, &m->line);
        if (ev->spool && out.len > 0)
                events_spool_write(ev->spool, out.data, out.len);
}

uint64_t events_lost(const struct events *ev)
{
        return ev->spool ? events_spool_lost(ev->spool) : 0;
}

void events_why(const struct events *ev, size_t max, msec_t now, struct buf *out)
{
        size_t have = MIN(ev->n, MIN(max, (size_t)EVENT_MEMORY));

        for (size_t i = ev->n - have; i < ev->n; i++) {
                const struct moment *m = &ev->memory[i % EVENT_MEMORY];
                struct event_line l = m->line;
                l.ago = MAX(0, now - m->at);
                write_line(out, &l);
        }
}

void events_now(const struct events *ev, const struct happening *e, struct buf *out)
{
        struct event_line l;

        line_of(e, ev->node, &l);
        l.ago = 0;
        write_line(out, &l);
}

/* ---- texts ---- */

static void text_of(struct buf *b, const char *sentence, const struct event_line *l)
{
        const char *before = ": ";

        buf_adds(b, sentence);
        if (*l->from) {
                buf_addf(b, "%s%s -> %s", before, l->from, *l->to ? l->to : "?");
                before = ", ";
        } else if (*l->to) {
                buf_addf(b, "%s%s", before, l->to);
                before = ", ";
        }
        if (*l->detail)
                buf_addf(b, "%s%s", before, l->detail);
        if (*l->reason)
                buf_addf(b, " (%s)", l->reason);
}

static const char *sentence_of(const char *kind)
{
        for (size_t i = 0; i < EVENT_COUNT_; i++)
                if (strcmp(EVENTS[i].name, kind) == 0)
                        return EVENTS[i].sentence;
        return kind; /* of a later version */
}

char *events_text(const struct happening *e, char *dst, size_t size)
{
        CLEANUP(buf_done) struct buf b = BUF(EVENT_LINE);
        struct event_line l;

        line_of(e, "", &l);
        text_of(&b, EVENTS[e->kind].sentence, &l);
        str_copy(dst, size, buf_str(&b));
        return dst;
}

char *events_line_text(const struct event_line *e, char *dst, size_t size)
{
        CLEANUP(buf_done) struct buf b = BUF(EVENT_LINE);

        text_of(&b, sentence_of(e->kind), e);
        if (e->epoch)
                buf_addf(&b, ", epoch %llu", (unsigned long long)e->epoch);
        if (e->took >= 0)
                buf_addf(&b, ", %lld.%03lld s", (long long)e->took / 1000,
                         (long long)e->took % 1000);
        str_copy(dst, size, buf_str(&b));
        return dst;
}

/* ---- the reader's side ---- */

static void take_string(const cJSON *o, const char *key, char *dst, size_t size)
{
        const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, key);

        copy(dst, size, cJSON_IsString(v) ? v->valuestring : "");
}

static int64_t take_number(const cJSON *o, const char *key)
{
        const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, key);

        return cJSON_IsNumber(v) && v->valuedouble >= 0 && v->valuedouble < 9e15
                       ? (int64_t)v->valuedouble
                       : -1;
}

static int64_t parse_at(const char *at)
{
        struct tm tm = { .tm_year = 0 };
        const char *rest = strptime(at, "%Y-%m-%dT%H:%M:%S.", &tm);
        uint64_t ms = 0;
        char digits[4] = "";

        if (!rest || strlen(rest) != 4 || rest[3] != 'Z')
                return -1;
        memcpy(digits, rest, 3);
        return parse_uint(digits, 0, 999, &ms) < 0 ? -1 : (int64_t)timegm(&tm) * 1000 + (int64_t)ms;
}

int events_parse(const char *line, struct event_line *ret)
{
        cJSON *o = cJSON_Parse(line);
        struct event_line l = { .epoch = 0 };
        int64_t epoch = take_number(o, "epoch");

        take_string(o, "at", l.at, sizeof l.at);
        take_string(o, "node", l.node, sizeof l.node);
        take_string(o, "kind", l.kind, sizeof l.kind);
        take_string(o, "level", l.level, sizeof l.level);
        take_string(o, "from", l.from, sizeof l.from);
        take_string(o, "to", l.to, sizeof l.to);
        take_string(o, "reason", l.reason, sizeof l.reason);
        take_string(o, "detail", l.detail, sizeof l.detail);
        l.epoch = epoch > 0 ? (uint64_t)epoch : 0;
        l.took = take_number(o, "ms");
        l.ago = take_number(o, "ago_ms");
        l.at_ms = parse_at(l.at);
        cJSON_Delete(o);
        if (l.at_ms < 0 || !*l.kind)
                return -EBADMSG;
        *ret = l;
        return 0;
}
