/* HKDF (RFC 5869) with one block of output: PRK = HMAC(salt, line), sub-key = HMAC(PRK, purpose
 * 01). A key's id is derived like a sub-key, so that the order of the lines need not be the same on
 * two nodes while a key is being rotated. */
#include "signup/gate/keys.h"

#include "lib/secret.h"
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

#define SALT "mailcow-ha signup"

enum { FIELDS_MAX = 1024, FILE_MAX = KEYS_MAX * KEY_TEXT_MAX * 2 };

struct key {
        unsigned char id[KEY_ID];
        unsigned char sub[KEY_PURPOSE_COUNT_][KEY_MAC];
};

struct keys {
        size_t n;
        struct key key[KEYS_MAX];
};

static const char *const PURPOSES[KEY_PURPOSE_COUNT_] = {
        [KEY_TICKET] = "ticket", [KEY_ANSWER] = "answer", [KEY_DRAW] = "draw",
        [KEY_INVITE] = "invite", [KEY_CSRF] = "csrf",     [KEY_MARKER] = "marker",
};

static int hmac(const void *key, size_t key_len, const void *data, size_t len,
                unsigned char ret[KEY_MAC])
{
        unsigned n = 0;

        if (!HMAC(EVP_sha256(), key, (int)key_len, data, len, ret, &n) || n != KEY_MAC)
                return -EIO;
        return 0;
}

/* ---- the file ---- */

static int expand(const unsigned char prk[KEY_MAC], const char *info, unsigned char ret[KEY_MAC])
{
        CLEANUP(buf_done) struct buf b = BUF(FIELDS_MAX);

        buf_adds(&b, info);
        buf_add(&b, "\1", 1);
        return b.error ? b.error : hmac(prk, KEY_MAC, b.data, b.len, ret);
}

static int derive(struct key *k, const char *line, size_t len)
{
        unsigned char prk[KEY_MAC], id[KEY_MAC];

        int r = hmac(SALT, strlen(SALT), line, len, prk);
        for (size_t i = 0; r == 0 && i < KEY_PURPOSE_COUNT_; i++)
                r = expand(prk, PURPOSES[i], k->sub[i]);
        if (r == 0)
                r = expand(prk, "id", id);
        if (r == 0)
                memcpy(k->id, id, KEY_ID);
        OPENSSL_cleanse(prk, sizeof prk);
        return r;
}

static int add_line(struct keys *k, const char *line, size_t len, struct buf *why)
{
        if (len < KEY_TEXT_MIN || len > KEY_TEXT_MAX) {
                buf_addf(why, "a key has %d to %d characters, this one %zu", KEY_TEXT_MIN,
                         KEY_TEXT_MAX, len);
                return -EINVAL;
        }
        if (k->n == KEYS_MAX) {
                buf_addf(why, "more than %d keys", KEYS_MAX);
                return -EINVAL;
        }
        struct key *new = &k->key[k->n];
        int r = derive(new, line, len);
        if (r < 0) {
                buf_adds(why, "libcrypto does not derive keys");
                return r;
        }
        if (keys_find(k, new->id) >= 0) {
                buf_adds(why, "this key is there twice");
                return -EINVAL;
        }
        k->n++;
        return 0;
}

static int add_lines(struct keys *k, const char *text, const char *name, struct buf *error)
{
        CLEANUP(buf_done) struct buf why = BUF(FIELDS_MAX);

        for (unsigned number = 1; *text; number++) {
                size_t len = strcspn(text, "\r\n"), next = len + strspn(text + len, "\r");
                if (len > 0 && *text != '#') {
                        int r = add_line(k, text, len, &why);
                        if (r < 0) {
                                buf_addf(error, "%s:%u: %s", name, number, buf_str(&why));
                                return r;
                        }
                }
                text += next + (text[next] == '\n');
        }
        if (k->n == 0) {
                buf_addf(error, "%s: no key in it; openssl rand -hex 32 >%s", name, name);
                return -EINVAL;
        }
        return 0;
}

int keys_parse(const char *text, const char *name, struct keys **ret, struct buf *error)
{
        struct keys *k = calloc(1, sizeof *k);

        if (!k)
                return -ENOMEM;
        int r = add_lines(k, text, name, error);
        if (r < 0) {
                keys_free(k);
                return r;
        }
        *ret = k;
        return 0;
}

int keys_load(const char *path, struct keys **ret, struct buf *error)
{
        CLEANUP(secret_wipe) char *text = NULL;

        int r = secret_read_all(path, FILE_MAX, &text, error);
        return r < 0 ? r : keys_parse(text, path, ret, error);
}

void keys_free(struct keys *k)
{
        if (k)
                OPENSSL_cleanse(k, sizeof *k);
        free(k);
}

void keys_freep(struct keys **k)
{
        keys_free(*k);
        *k = NULL;
}

/* ---- use ---- */

int keys_find(const struct keys *k, const unsigned char id[KEY_ID])
{
        for (size_t i = 0; i < k->n; i++)
                if (memcmp(k->key[i].id, id, KEY_ID) == 0)
                        return (int)i;
        return -ENOKEY;
}

const unsigned char *keys_id(const struct keys *k, size_t key)
{
        return k->key[key].id;
}

size_t keys_count(const struct keys *k)
{
        return k->n;
}

int keys_mac(const struct keys *k, size_t key, enum key_purpose purpose,
             const struct key_field *fields, size_t n, unsigned char ret[KEY_MAC])
{
        CLEANUP(buf_done) struct buf b = BUF(FIELDS_MAX);

        for (size_t i = 0; i < n; i++) {
                size_t len = fields[i].len;
                const unsigned char head[] = { (unsigned char)(len >> 24),
                                               (unsigned char)(len >> 16),
                                               (unsigned char)(len >> 8), (unsigned char)len };
                buf_add(&b, head, sizeof head);
                buf_add(&b, fields[i].data, len);
        }
        if (b.error)
                return b.error;
        return hmac(k->key[key].sub[purpose], KEY_MAC, b.data, b.len, ret);
}

bool keys_equal(const void *a, const void *b, size_t len)
{
        return CRYPTO_memcmp(a, b, len) == 0;
}
