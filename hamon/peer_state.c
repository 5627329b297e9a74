/* FIELDS[] is the line: one row per key, for writing and for reading. */
#include "hamon/peer_state.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum kind { WORD, NUMBER, HEX, TIME, YES };

#define AT(f)   offsetof(struct peer_state, f)
#define SIZE(f) sizeof(((struct peer_state *)0)->f)

static const struct field {
        const char *key;
        enum kind kind;
        size_t offset, size;
} FIELDS[] = {
        { "name", WORD, AT(name), SIZE(name) },
        { "role", WORD, AT(role), SIZE(role) },
        { "state", WORD, AT(state), SIZE(state) },
        { "epoch", NUMBER, AT(epoch), SIZE(epoch) },
        { "valid_ms", TIME, AT(valid_ms), SIZE(valid_ms) },
        { "verdict", WORD, AT(verdict), SIZE(verdict) },
        { "reason", WORD, AT(reason), SIZE(reason) },
        { "incarnation", HEX, AT(incarnation), SIZE(incarnation) },
        { "ttl_ms", TIME, AT(ttl_ms), SIZE(ttl_ms) },
        { "vrrp", WORD, AT(vrrp), SIZE(vrrp) },
        { "mounted", YES, AT(mounted), SIZE(mounted) },
        { "candidate", YES, AT(candidate), SIZE(candidate) },
        { "mailcow", WORD, AT(mailcow), SIZE(mailcow) },
        { "schema", WORD, AT(schema), SIZE(schema) },
        { "images", WORD, AT(images), SIZE(images) },
        { "sync", WORD, AT(sync), SIZE(sync) },
        { "digest", WORD, AT(digest), SIZE(digest) },
        { "out_ms", TIME, AT(out_ms), SIZE(out_ms) },
};

static bool is_word(const char *s)
{
        return s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")] ==
               '\0';
}

/* ---- writing ---- */

static int write_field(struct buf *out, const struct field *f, const void *at)
{
        uint64_t number = 0;

        switch (f->kind) {
        case WORD:
                if (!is_word(at))
                        return -EINVAL;
                return buf_addf(out, "%s=%s", f->key, (const char *)at);
        case NUMBER:
                memcpy(&number, at, sizeof number);
                return buf_addf(out, "%s=%" PRIu64, f->key, number);
        case HEX:
                memcpy(&number, at, sizeof number);
                return buf_addf(out, "%s=%016" PRIx64, f->key, number);
        case TIME:
                memcpy(&number, at, sizeof number);
                return buf_addf(out, "%s=%" PRIu64, f->key,
                                number > INT64_MAX ? UINT64_C(0) : number);
        case YES:
                return buf_addf(out, "%s=%s", f->key, *(const bool *)at ? "yes" : "no");
        }
        return -EINVAL;
}

int peer_state_write(struct buf *out, const struct peer_state *s)
{
        int r = 0;

        for (size_t i = 0; r == 0 && i < ARRAY_SIZE(FIELDS); i++) {
                if (i > 0)
                        buf_add(out, " ", 1);
                r = write_field(out, &FIELDS[i], (const char *)s + FIELDS[i].offset);
        }
        return r;
}

/* ---- reading ---- */

static int parse_hex(const char *s, uint64_t *ret)
{
        uint64_t v = 0;

        if (strlen(s) != 16 || s[strspn(s, "0123456789abcdef")])
                return -EBADMSG;
        for (; *s; s++)
                v = v * 16 + (uint64_t)(*s <= '9' ? *s - '0' : *s - 'a' + 10);
        *ret = v;
        return 0;
}

static int read_field(const struct field *f, const char *value, void *at)
{
        uint64_t number;

        switch (f->kind) {
        case WORD:
                return is_word(value) && str_copy(at, f->size, value) ? 0 : -EBADMSG;
        case NUMBER:
                if (parse_uint(value, 0, UINT64_MAX, &number) < 0)
                        return -EBADMSG;
                break;
        case TIME:
                if (parse_uint(value, 0, INT64_MAX, &number) < 0)
                        return -EBADMSG;
                break;
        case HEX:
                if (parse_hex(value, &number) < 0)
                        return -EBADMSG;
                break;
        case YES:
                if (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0)
                        return -EBADMSG;
                *(bool *)at = *value == 'y';
                return 0;
        }
        memcpy(at, &number, sizeof number);
        return 0;
}

static int read_pair(char *pair, struct peer_state *s)
{
        char *value = strchr(pair, '=');

        if (!value)
                return -EBADMSG;
        *value++ = '\0';
        for (size_t i = 0; i < ARRAY_SIZE(FIELDS); i++)
                if (strcmp(FIELDS[i].key, pair) == 0)
                        return read_field(&FIELDS[i], value, (char *)s + FIELDS[i].offset);
        return 0; /* of a later version */
}

int peer_state_parse(const char *text, struct peer_state *ret)
{
        struct peer_state s = { .name = "" };
        char copy[1024], *rest = NULL;
        int r = str_copy(copy, sizeof copy, text) ? 0 : -EBADMSG;

        for (char *pair = strtok_r(copy, " ", &rest); r == 0 && pair;
             pair = strtok_r(NULL, " ", &rest))
                r = read_pair(pair, &s);
        if (r == 0 && (!*s.name || !*s.state))
                r = -EBADMSG;
        if (r == 0)
                *ret = s;
        return r;
}
