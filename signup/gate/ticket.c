/* The bytes of a ticket are written and read by the same list of fields; what is signed are these
 * fields, each with its length, and `bind`. */
#include "signup/gate/ticket.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

enum {
        VERSION_ = 1,
        FIXED = 1 + KEY_ID + 1 + 8 + TICKET_NONCE + 2, /* before the two that vary */
        BYTES_MIN = FIXED + 1 + 1 + KEY_MAC,
        BYTES_MAX = BYTES_MIN + TICKET_LOCALE - 1 + TICKET_PAYLOAD,
        BIND_MAX = 512,
};

_Static_assert((BYTES_MAX * 4 + 2) / 3 + 1 <= TICKET_TEXT, "the longest ticket fits its text");

static const int64_t ISSUED_MAX = INT64_C(1) << 40;

const char *const TICKET_ENDS[] = {
        [TICKET_OK] = "ok",         [TICKET_MALFORMED] = "malformed",
        [TICKET_FORGED] = "forged", [TICKET_FOREIGN] = "foreign",
        [TICKET_EARLY] = "early",   [TICKET_EXPIRED] = "expired",
};

/* ---- base64url ---- */

static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void encode(const unsigned char *data, size_t len, char *dst)
{
        unsigned bits = 0;
        int have = 0;

        for (size_t i = 0; i < len; i++) {
                bits = (bits << 8 | data[i]) & 0xffff;
                for (have += 8; have >= 6; have -= 6)
                        *dst++ = DIGITS[bits >> (have - 6) & 63];
        }
        if (have > 0)
                *dst++ = DIGITS[bits << (6 - have) & 63];
        *dst = '\0';
}

static int digit(char c)
{
        const char *at = c ? strchr(DIGITS, c) : NULL;

        return at ? (int)(at - DIGITS) : -1;
}

/* Length, or -EBADMSG: another letter, too long, or bits left over that are not zero. */
static int decode(const char *text, unsigned char *dst, size_t size)
{
        unsigned bits = 0;
        int have = 0;
        size_t len = 0;

        for (; *text; text++) {
                int d = digit(*text);
                if (d < 0)
                        return -EBADMSG;
                bits = (bits << 6 | (unsigned)d) & 0xffff;
                have += 6;
                if (have < 8)
                        continue;
                if (len == size)
                        return -EBADMSG;
                have -= 8;
                dst[len++] = (unsigned char)(bits >> have);
        }
        return have >= 6 || (bits & ((1u << have) - 1)) ? -EBADMSG : (int)len;
}

/* ---- bytes ---- */

static unsigned char *put(unsigned char *at, uint64_t value, size_t bytes)
{
        while (bytes-- > 0)
                *at++ = (unsigned char)(value >> bytes * 8);
        return at;
}

static uint64_t get(const unsigned char *at, size_t bytes)
{
        uint64_t value = 0;

        while (bytes-- > 0)
                value = value << 8 | *at++;
        return value;
}

static unsigned char *put_bytes(unsigned char *at, const void *data, size_t len)
{
        memcpy(at, data, len);
        return at + len;
}

/* All but the MAC; its length. */
static size_t pack(const struct keys *k, const struct ticket *t, unsigned char *dst)
{
        size_t locale = strlen(t->locale);
        unsigned char *at = put(dst, VERSION_, 1);

        at = put_bytes(at, keys_id(k, t->key), KEY_ID);
        at = put(at, t->kind, 1);
        at = put(at, (uint64_t)t->issued, 8);
        at = put_bytes(at, t->nonce, TICKET_NONCE);
        at = put(at, t->count, 2);
        at = put_bytes(put(at, locale, 1), t->locale, locale);
        at = put_bytes(put(at, t->payload_len, 1), t->payload, t->payload_len);
        return (size_t)(at - dst);
}

static int sign(const struct keys *k, const struct ticket *t, const char *bind,
                unsigned char ret[KEY_MAC])
{
        unsigned char fixed[1 + 1 + 8 + 2];
        unsigned char *at = put(put(fixed, VERSION_, 1), t->kind, 1);

        at = put(put(at, (uint64_t)t->issued, 8), t->count, 2);
        const struct key_field fields[] = {
                { fixed, (size_t)(at - fixed) }, { keys_id(k, t->key), KEY_ID },
                { t->nonce, TICKET_NONCE },      { t->locale, strlen(t->locale) },
                { t->payload, t->payload_len },  { bind, strnlen(bind, BIND_MAX) },
        };
        return keys_mac(k, t->key, KEY_TICKET, fields, ARRAY_SIZE(fields), ret);
}

static bool locale_valid(const char *s, size_t len)
{
        if (len >= TICKET_LOCALE)
                return false;
        for (size_t i = 0; i < len; i++)
                if (!((s[i] | 32) >= 'a' && (s[i] | 32) <= 'z') && s[i] != '-')
                        return false;
        return true;
}

int ticket_issue(const struct keys *k, struct ticket *t, const char *bind, int64_t now,
                 char ret[TICKET_TEXT])
{
        unsigned char bytes[BYTES_MAX];

        if (t->kind >= TICKET_KIND_COUNT_ || t->count > UINT16_MAX || now < 0 || now > ISSUED_MAX ||
            t->payload_len > TICKET_PAYLOAD || strlen(bind) > BIND_MAX ||
            !locale_valid(t->locale, strnlen(t->locale, TICKET_LOCALE)))
                return -EINVAL;
        ssize_t n = getrandom(t->nonce, TICKET_NONCE, 0);
        if (n != TICKET_NONCE)
                return n < 0 ? -errno : -EIO;
        t->issued = now;
        t->key = 0;

        size_t len = pack(k, t, bytes);
        int r = sign(k, t, bind, bytes + len);
        if (r < 0)
                return r;
        encode(bytes, len + KEY_MAC, ret);
        return 0;
}

/* ---- reading ---- */

/* Lengths and ranges; nothing in it may be believed yet. *ret_mac points into `bytes`. */
static bool unpack(const struct keys *k, const unsigned char *bytes, size_t len, struct ticket *t,
                   const unsigned char **ret_mac, bool *ret_ours)
{
        if (len < BYTES_MIN || bytes[0] != VERSION_)
                return false;
        int key = keys_find(k, bytes + 1);
        const unsigned char *at = bytes + 1 + KEY_ID;
        uint64_t kind = get(at, 1), issued = get(at + 1, 8);
        size_t locale = bytes[FIXED];
        if (kind >= TICKET_KIND_COUNT_ || issued > (uint64_t)ISSUED_MAX ||
            len < BYTES_MIN + locale || !locale_valid((const char *)bytes + FIXED + 1, locale))
                return false;
        size_t payload = bytes[FIXED + 1 + locale];
        if (payload > TICKET_PAYLOAD || len != BYTES_MIN + locale + payload)
                return false;

        *t = (struct ticket){ .kind = (enum ticket_kind)kind,
                              .issued = (int64_t)issued,
                              .count = (unsigned)get(at + 9 + TICKET_NONCE, 2),
                              .payload_len = payload,
                              .key = key < 0 ? 0 : (size_t)key };
        memcpy(t->nonce, at + 9, TICKET_NONCE);
        memcpy(t->locale, bytes + FIXED + 1, locale);
        memcpy(t->payload, bytes + FIXED + 1 + locale + 1, payload);
        *ret_mac = bytes + len - KEY_MAC;
        *ret_ours = key >= 0;
        return true;
}

static enum ticket_end judge_age(const struct ticket *t, const struct ticket_rule *rule,
                                 int64_t now)
{
        int64_t age = now - t->issued;

        if (age < (rule->min_age > 0 ? rule->min_age : -TICKET_SKEW))
                return TICKET_EARLY;
        return age > rule->ttl ? TICKET_EXPIRED : TICKET_OK;
}

enum ticket_end ticket_read(const struct keys *k, const char *text, const struct ticket_rule *rule,
                            int64_t now, struct ticket *ret)
{
        unsigned char bytes[BYTES_MAX], want[KEY_MAC];
        const unsigned char *mac = NULL;
        struct ticket t;
        bool ours = false;

        if (strnlen(text, TICKET_TEXT) >= TICKET_TEXT)
                return TICKET_MALFORMED;
        int len = decode(text, bytes, sizeof bytes);
        if (len < 0 || !unpack(k, bytes, (size_t)len, &t, &mac, &ours))
                return TICKET_MALFORMED;
        if (!ours || sign(k, &t, rule->bind, want) < 0 || !keys_equal(want, mac, KEY_MAC))
                return TICKET_FORGED;
        if (t.kind != rule->kind)
                return TICKET_FOREIGN;
        *ret = t;
        return judge_age(&t, rule, now);
}
