/* Each struct has a table of its fields, which serves both ways. */
#include "hamon/web/alert_state.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { VERSION = 1 };

enum type { T_TEXT, T_BOOL, T_U64, T_I64, T_U32, T_AGE, T_LEVEL, T_PHASE, T_SOURCE };

struct field {
        const char *name;
        size_t offset, size;
        enum type type;
        bool later; /* the file of an older hamon has none: 0 then */
};

#define FIELD_(s_, type_, member_, later_)                                                 \
        {                                                                                  \
                .name = #member_, .type = (type_), .offset = offsetof(struct s_, member_), \
                .size = sizeof(((const struct s_ *)NULL)->member_), .later = (later_)      \
        }
#define FIELD(s_, type_, member_) FIELD_(s_, type_, member_, false)
#define LATER(s_, type_, member_) FIELD_(s_, type_, member_, true)

static const struct field MESSAGE[] = {
        FIELD(alert_message, T_TEXT, id),      FIELD(alert_message, T_TEXT, key),
        FIELD(alert_message, T_TEXT, cluster), FIELD(alert_message, T_TEXT, node),
        FIELD(alert_message, T_LEVEL, level),  FIELD(alert_message, T_PHASE, phase),
        FIELD(alert_message, T_TEXT, title),   FIELD(alert_message, T_TEXT, text),
        FIELD(alert_message, T_I64, at_ms),    FIELD(alert_message, T_U64, epoch),
        FIELD(alert_message, T_U64, more),
};

static const struct field ENTRY[] = {
        FIELD(book_entry, T_SOURCE, source), FIELD(book_entry, T_BOOL, level),
        FIELD(book_entry, T_BOOL, present),  FIELD(book_entry, T_AGE, since),
        FIELD(book_entry, T_BOOL, told),     FIELD(book_entry, T_BOOL, mine),
        FIELD(book_entry, T_TEXT, about),    FIELD(book_entry, T_I64, hold),
        FIELD(book_entry, T_I64, repeat),    FIELD(book_entry, T_AGE, window_at),
        FIELD(book_entry, T_U64, window_n),  FIELD(book_entry, T_U64, more),
        FIELD(book_entry, T_AGE, touched),   LATER(book_entry, T_BOOL, kept_back),
};

static const struct field FLOOD[] = {
        FIELD(alert_flood, T_U64, tokens),  FIELD(alert_flood, T_AGE, tokens_at),
        FIELD(alert_flood, T_U64, held),    FIELD(alert_flood, T_AGE, held_since),
        FIELD(alert_flood, T_LEVEL, level),
};

static const struct field TARGET[] = {
        FIELD(queue_target, T_TEXT, name),  FIELD(queue_target, T_U64, sent),
        FIELD(queue_target, T_U64, failed), FIELD(queue_target, T_BOOL, ok),
        FIELD(queue_target, T_TEXT, error),
};

/* ---- one struct ---- */

static void put_number(cJSON *o, const char *name, int64_t value)
{
        char text[24];

        snprintf(text, sizeof text, "%" PRId64, value);
        cJSON_AddRawToObject(o, name, text);
}

static cJSON *put_fields(const struct field *f, size_t n, const void *data, msec_t now)
{
        cJSON *o = cJSON_CreateObject();

        for (size_t i = 0; i < n; i++) {
                const void *at = (const char *)data + f[i].offset;
                switch (f[i].type) {
                case T_TEXT:
                        cJSON_AddStringToObject(o, f[i].name, at);
                        break;
                case T_BOOL:
                        cJSON_AddBoolToObject(o, f[i].name, *(const bool *)at);
                        break;
                case T_U64:
                        put_number(o, f[i].name,
                                   (int64_t)MIN(*(const uint64_t *)at, (uint64_t)INT64_MAX));
                        break;
                case T_I64:
                        put_number(o, f[i].name, *(const int64_t *)at);
                        break;
                case T_AGE:
                        put_number(o, f[i].name, now - *(const msec_t *)at);
                        break;
                case T_U32:
                case T_LEVEL:
                case T_PHASE:
                case T_SOURCE:
                        put_number(o, f[i].name, *(const uint32_t *)at);
                        break;
                }
        }
        return o;
}

static bool take_number(const cJSON *o, const char *name, int64_t max, int64_t *ret)
{
        const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, name);

        if (!cJSON_IsNumber(v) || v->valuedouble < -9e15 || v->valuedouble > 9e15)
                return false;
        *ret = (int64_t)v->valuedouble;
        return max == 0 || (*ret >= 0 && *ret <= max);
}

static int64_t limit(enum type type)
{
        switch (type) {
        case T_LEVEL:
                return LOG_ERROR;
        case T_PHASE:
                return PHASE_COUNT_ - 1;
        case T_SOURCE:
                return BOOK_SOURCE_COUNT_ - 1;
        case T_U32:
                return UINT32_MAX;
        default:
                return 0;
        }
}

/* `then`: what was "now" when it was written, on the clock of today. */
static bool take_field(const struct field *f, const cJSON *o, msec_t then, void *at)
{
        const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, f->name);
        int64_t number = 0;

        if (!v)
                return f->later;
        if (f->type == T_TEXT) {
                if (cJSON_IsString(v))
                        alert_copy(at, f->size, v->valuestring);
                return cJSON_IsString(v);
        }
        if (f->type == T_BOOL) {
                *(bool *)at = cJSON_IsTrue(v);
                return cJSON_IsBool(v);
        }
        if (!take_number(o, f->name, limit(f->type), &number))
                return false;
        if (f->type == T_AGE)
                *(msec_t *)at = then - number;
        else if (f->type == T_I64)
                *(int64_t *)at = number;
        else if (f->type == T_U64)
                *(uint64_t *)at = number < 0 ? 0 : (uint64_t)number;
        else
                *(uint32_t *)at = (uint32_t)number;
        return true;
}

static bool take_fields(const struct field *f, size_t n, const cJSON *o, msec_t then, void *data)
{
        bool ok = cJSON_IsObject(o);

        for (size_t i = 0; i < n && ok; i++)
                ok = take_field(&f[i], o, then, (char *)data + f[i].offset);
        return ok;
}

#define PUT(table_, data_, now_) put_fields((table_), ARRAY_SIZE(table_), (data_), (now_))
#define TAKE(table_, o_, then_, data_) \
        take_fields((table_), ARRAY_SIZE(table_), (o_), (then_), (data_))

/* ---- out ---- */

static void put_book(cJSON *root, const struct alert_book *b, msec_t now)
{
        cJSON *list = cJSON_AddArrayToObject(root, "entries");
        cJSON *flood = PUT(FLOOD, &b->flood, now), *titles;

        for (size_t i = 0; i < b->n; i++) {
                cJSON *o = PUT(ENTRY, &b->entries[i], now);
                cJSON_AddItemToObject(o, "message", PUT(MESSAGE, &b->entries[i].m, now));
                cJSON_AddItemToArray(list, o);
        }
        cJSON_AddItemToObject(root, "flood", flood);
        titles = cJSON_AddArrayToObject(flood, "titles");
        for (uint64_t i = 0; i < MIN(b->flood.held, (uint64_t)FLOOD_TITLES); i++)
                cJSON_AddItemToArray(titles, cJSON_CreateString(b->flood.titles[i]));
}

static void put_queue(cJSON *root, const struct alert_queue *q, msec_t now)
{
        cJSON *list = cJSON_AddArrayToObject(root, "queue");
        cJSON *targets = cJSON_AddArrayToObject(root, "targets");

        for (size_t i = 0; i < q->n; i++) {
                cJSON *o = PUT(MESSAGE, &q->items[i].m, now);
                cJSON *to = cJSON_AddArrayToObject(o, "to");
                put_number(o, "age", now - q->items[i].since);
                for (size_t k = 0; k < q->n_targets; k++)
                        if (q->items[i].open & UINT32_C(1) << k)
                                cJSON_AddItemToArray(to, cJSON_CreateString(q->targets[k].name));
                cJSON_AddItemToArray(list, o);
        }
        for (size_t k = 0; k < q->n_targets; k++)
                cJSON_AddItemToArray(targets, PUT(TARGET, &q->targets[k], now));
        put_number(root, "dropped", (int64_t)q->dropped);
}

/* "HASH AT", the oldest first */
static void put_seen(cJSON *root, const struct alert_seen *s)
{
        cJSON *list = cJSON_AddArrayToObject(root, "seen");
        char text[48];

        put_number(root, "floor_ms", s->floor_ms);
        for (size_t i = s->n > SEEN_MAX ? s->n - SEEN_MAX : 0; i < s->n; i++) {
                snprintf(text, sizeof text, "%016" PRIx64 " %" PRId64, s->hash[i % SEEN_MAX],
                         s->at_ms[i % SEEN_MAX]);
                cJSON_AddItemToArray(list, cJSON_CreateString(text));
        }
}

int alert_state_write(const struct alert_state *s, msec_t now, int64_t unix_ms, struct buf *out)
{
        cJSON *root = cJSON_CreateObject();
        char *text;

        put_number(root, "version", VERSION);
        put_number(root, "written_ms", unix_ms);
        put_book(root, &s->book, now);
        put_queue(root, &s->queue, now);
        put_seen(root, &s->seen);
        text = cJSON_PrintUnformatted(root);
        cJSON_Delete(root);
        if (!text)
                return -ENOMEM;
        int r = buf_adds(out, text);
        free(text);
        return r < 0 ? r : buf_adds(out, "\n");
}

/* ---- in ---- */

static bool take_entries(const cJSON *root, msec_t then, struct alert_book *b)
{
        const cJSON *list = cJSON_GetObjectItemCaseSensitive(root, "entries");
        const cJSON *o;

        cJSON_ArrayForEach(o, list)
        {
                struct book_entry *e = &b->entries[b->n];
                if (b->n == BOOK_ENTRIES)
                        return false;
                *e = (struct book_entry){ .present = false };
                if (!TAKE(ENTRY, o, then, e) ||
                    !TAKE(MESSAGE, cJSON_GetObjectItemCaseSensitive(o, "message"), then, &e->m))
                        return false;
                b->n++;
        }
        return cJSON_IsArray(list);
}

static bool take_flood(const cJSON *root, msec_t then, struct alert_flood *f)
{
        const cJSON *o = cJSON_GetObjectItemCaseSensitive(root, "flood");
        const cJSON *title;
        size_t n = 0;

        if (!TAKE(FLOOD, o, then, f))
                return false;
        cJSON_ArrayForEach(title,
                           cJSON_GetObjectItemCaseSensitive(o, "titles")) if (n < FLOOD_TITLES &&
                                                                              cJSON_IsString(title))
                alert_copy(f->titles[n++], ALERT_TITLE, title->valuestring);
        f->tokens = MIN(f->tokens, f->burst);
        return true;
}

static bool take_targets(const cJSON *root, msec_t then, struct alert_queue *q)
{
        const cJSON *list = cJSON_GetObjectItemCaseSensitive(root, "targets");
        const cJSON *o;

        cJSON_ArrayForEach(o, list)
        {
                if (q->n_targets == ALERT_TARGETS ||
                    !TAKE(TARGET, o, then, &q->targets[q->n_targets]))
                        return false;
                q->n_targets++;
        }
        return cJSON_IsArray(list);
}

static void take_marks(const cJSON *to, struct alert_queue *q, struct queue_item *item)
{
        const cJSON *name;

        cJSON_ArrayForEach(name, to) for (size_t k = 0; k < q->n_targets;
                                          k++) if (cJSON_IsString(name) &&
                                                   strcmp(name->valuestring, q->targets[k].name) ==
                                                           0) item->open |= UINT32_C(1) << k;
}

static bool take_items(const cJSON *root, msec_t then, struct alert_queue *q)
{
        const cJSON *list = cJSON_GetObjectItemCaseSensitive(root, "queue");
        const cJSON *o;
        int64_t age, dropped;

        cJSON_ArrayForEach(o, list)
        {
                struct queue_item *item = &q->items[q->n];
                if (q->n == QUEUE_MAX || !TAKE(MESSAGE, o, then, &item->m) ||
                    !take_number(o, "age", 0, &age))
                        return false;
                item->since = then - age;
                q->serials[q->n] = ++q->last_serial;
                take_marks(cJSON_GetObjectItemCaseSensitive(o, "to"), q, item);
                q->n++;
        }
        if (!take_number(root, "dropped", INT64_MAX, &dropped))
                return false;
        q->dropped = (uint64_t)dropped;
        return cJSON_IsArray(list);
}

static bool take_seen(const cJSON *root, struct alert_seen *s)
{
        const cJSON *list = cJSON_GetObjectItemCaseSensitive(root, "seen");
        const cJSON *o;

        if (!take_number(root, "floor_ms", 0, &s->floor_ms))
                return false;
        cJSON_ArrayForEach(o, list)
        {
                char *rest = NULL;
                if (!cJSON_IsString(o) || strlen(o->valuestring) < 18 || s->n == SEEN_MAX)
                        return false;
                s->hash[s->n] = strtoull(o->valuestring, &rest, 16);
                s->at_ms[s->n++] = strtoll(rest, NULL, 10);
        }
        return cJSON_IsArray(list);
}

int alert_state_read(const char *text, msec_t now, int64_t unix_ms, struct alert_state *s)
{
        cJSON *root = cJSON_Parse(text);
        struct alert_state *fresh = calloc(1, sizeof *fresh);
        int64_t version = 0, written = 0;
        bool ok = fresh && take_number(root, "version", INT64_MAX, &version) &&
                  version == VERSION && take_number(root, "written_ms", 0, &written);
        msec_t then = now - MAX((int64_t)0, unix_ms - written);

        if (ok) {
                fresh->book = s->book;
                ok = take_entries(root, then, &fresh->book) &&
                     take_flood(root, then, &fresh->book.flood) &&
                     take_targets(root, then, &fresh->queue) &&
                     take_items(root, then, &fresh->queue) && take_seen(root, &fresh->seen);
        }
        if (ok)
                *s = *fresh;
        free(fresh);
        cJSON_Delete(root);
        return ok ? 0 : -EBADMSG;
}
