/* A line each: key, blank, value. */
#include "hamon/sync_state.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum { FILE_MAX = 4096 };

const struct sync_reason_row SYNC_REASONS[SYNC_REASON_COUNT_] = {
        [SYNC_NONE] = { "never_looked", "has not looked yet" },
        [SYNC_LEADS] = { "leads", "leads: the others take from here" },
        [SYNC_IN_STEP] = { "in_step", "in step" },
        [SYNC_BEHIND] = { "behind", "behind" },
        [SYNC_PAUSED] = { "maintenance", "paused: this node is in maintenance" },
        [SYNC_OTHER_MAILCOW] = { "other_mailcow",
                                 "its Mailcow is another version: data/conf is left alone" },
        [SYNC_NO_LEADER] = { "no_leader", "nobody leads" },
        [SYNC_UNREACHABLE] = { "unreachable", "who leads cannot be asked" },
        [SYNC_BAD_SECRET] = { "bad_secret", "the secrets differ (cluster.secret_file)" },
        [SYNC_ERROR] = { "error", "failed" },
        [SYNC_SILENT] = { "silent", "hamon-sync does not look any more" },
};

enum kind { TEXT, NUMBER, REASON };

#define AT(f)   offsetof(struct sync_state, f)
#define SIZE(f) sizeof(((struct sync_state *)0)->f)

static const struct field {
        const char *key;
        enum kind kind;
        size_t offset, size;
} FIELDS[] = {
        { "reason", REASON, AT(reason), SIZE(reason) },
        { "leader", TEXT, AT(leader), SIZE(leader) },
        { "digest", TEXT, AT(digest), SIZE(digest) },
        { "text", TEXT, AT(text), SIZE(text) },
        { "epoch", NUMBER, AT(epoch), SIZE(epoch) },
        { "items", NUMBER, AT(items), SIZE(items) },
        { "bytes", NUMBER, AT(bytes), SIZE(bytes) },
        { "looked_at", NUMBER, AT(looked_at), SIZE(looked_at) },
        { "in_step_at", NUMBER, AT(in_step_at), SIZE(in_step_at) },
};

static void add_text(struct buf *out, const char *s)
{
        for (; *s; s++)
                buf_add(out, (unsigned char)*s < ' ' ? "?" : s, 1);
}

static void add(struct buf *out, const struct field *f, const void *at)
{
        uint64_t number;

        buf_addf(out, "%s ", f->key);
        switch (f->kind) {
        case TEXT:
                add_text(out, at);
                break;
        case NUMBER:
                memcpy(&number, at, sizeof number);
                buf_addf(out, "%" PRIu64, number);
                break;
        case REASON:
                buf_adds(out, SYNC_REASONS[*(const enum sync_reason *)at].name);
                break;
        }
        buf_add(out, "\n", 1);
}

int sync_state_write(const char *file, const struct sync_state *s)
{
        CLEANUP(buf_done) struct buf out = BUF(FILE_MAX);

        for (size_t i = 0; i < ARRAY_SIZE(FIELDS); i++)
                add(&out, &FIELDS[i], (const char *)s + FIELDS[i].offset);
        return out.error ? out.error : write_file_atomic(file, 0600, buf_str(&out), out.len);
}

static int take(const struct field *f, const char *value, void *at)
{
        uint64_t number;

        switch (f->kind) {
        case TEXT:
                return str_copy(at, f->size, value) ? 0 : -EBADMSG;
        case NUMBER:
                if (parse_uint(value, 0, INT64_MAX, &number) < 0)
                        return -EBADMSG;
                memcpy(at, &number, sizeof number);
                return 0;
        case REASON:
                for (unsigned i = 0; i < SYNC_REASON_COUNT_; i++)
                        if (strcmp(SYNC_REASONS[i].name, value) == 0) {
                                *(enum sync_reason *)at = (enum sync_reason)i;
                                return 0;
                        }
                return -EBADMSG;
        }
        return -EBADMSG;
}

static int take_line(char *line, struct sync_state *s)
{
        char *value = strchr(line, ' ');

        if (!value)
                return -EBADMSG;
        *value++ = '\0';
        for (size_t i = 0; i < ARRAY_SIZE(FIELDS); i++)
                if (strcmp(FIELDS[i].key, line) == 0)
                        return take(&FIELDS[i], value, (char *)s + FIELDS[i].offset);
        return 0; /* of a later version */
}

int sync_state_parse(const char *text, struct sync_state *ret)
{
        struct sync_state s = { .reason = SYNC_NONE };
        char copy[FILE_MAX], *rest = NULL;
        int r = str_copy(copy, sizeof copy, text) && *copy ? 0 : -EBADMSG;

        for (char *line = strtok_r(copy, "\n", &rest); r == 0 && line;
             line = strtok_r(NULL, "\n", &rest))
                r = take_line(line, &s);
        if (r == 0)
                *ret = s;
        return r;
}

int sync_state_read(const char *file, struct sync_state *ret)
{
        CLEANUP(freep) char *text = NULL;

        int r = read_file(file, FILE_MAX - 1, &text, NULL);
        return r < 0 ? r : sync_state_parse(text, ret);
}

/* ---- what others are told ---- */

const char *sync_sentence(const char *reason)
{
        for (size_t i = 0; i < SYNC_REASON_COUNT_; i++)
                if (str_eq(SYNC_REASONS[i].name, reason))
                        return SYNC_REASONS[i].sentence;
        return reason;
}

bool sync_reason_well(const char *reason)
{
        return !*reason || str_eq(reason, SYNC_REASONS[SYNC_LEADS].name) ||
               str_eq(reason, SYNC_REASONS[SYNC_IN_STEP].name);
}

void sync_state_word(const struct sync_state *s, msec_t interval, msec_t now, struct sync_word *ret)
{
        *ret = (struct sync_word){ .reason = "" };
        if (s->looked_at <= 0)
                return;
        bool silent = now - s->looked_at > SYNC_SILENT_MS + 3 * interval;
        str_copy(ret->reason, sizeof ret->reason,
                 SYNC_REASONS[silent ? SYNC_SILENT : s->reason].name);
        str_copy(ret->digest, sizeof ret->digest, s->digest);
        if (!sync_reason_well(ret->reason))
                ret->out_ms = MAX(1, now - MIN(now, s->in_step_at));
}
