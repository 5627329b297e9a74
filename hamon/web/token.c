/* Only the token's digest is kept, and digests are compared: neither the length nor a common
 * beginning shows in the time it takes. */
#include "hamon/web/token.h"

#include "lib/log.h"
#include "lib/secret.h"
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { TOKEN_MIN = 16, TOKEN_MAX = 512, DIGEST = 32, BASIC_MAX = 1024 };

struct token {
        unsigned char digest[DIGEST];
};

static bool digest(const char *text, size_t len, unsigned char ret[DIGEST])
{
        unsigned n = 0;

        return EVP_Digest(text, len, ret, &n, EVP_sha256(), NULL) == 1 && n == DIGEST;
}

int token_new(const char *file, struct token **ret)
{
        CLEANUP(secret_wipe) char *text = NULL;
        CLEANUP(buf_done) struct buf error = BUF(1024);

        *ret = NULL;
        int r = secret_read(file, &text, &error);
        if (r == 0 && !text)
                return 0;
        if (r == 0 && (strlen(text) < TOKEN_MIN || strlen(text) > TOKEN_MAX))
                buf_addf(&error, "%s: want %d to %d characters", file, TOKEN_MIN, TOKEN_MAX);
        if (error.len > 0 || r < 0) {
                log_event(LOG_ERROR, "config", LS("key", "web.token_file"),
                          LS("error", buf_str(&error)));
                return -EINVAL;
        }
        struct token *t = calloc(1, sizeof *t);
        if (!t || !digest(text, strlen(text), t->digest)) {
                free(t);
                return -ENOMEM;
        }
        *ret = t;
        return 0;
}

void token_free(struct token *t)
{
        free(t);
}

static bool same(const struct token *t, const char *text, size_t len)
{
        unsigned char d[DIGEST];

        return digest(text, len, d) && CRYPTO_memcmp(d, t->digest, DIGEST) == 0;
}

/* base64(user:password) */
static bool basic(const struct token *t, const char *text)
{
        unsigned char plain[BASIC_MAX + 4];
        size_t len = strlen(text), pad = 0;

        if (len == 0 || len > BASIC_MAX || len % 4 != 0)
                return false;
        int n = EVP_DecodeBlock(plain, (const unsigned char *)text, (int)len);
        while (pad < 2 && text[len - 1 - pad] == '=')
                pad++;
        if (n < (int)pad)
                return false;
        size_t size = (size_t)n - pad;
        const unsigned char *colon = memchr(plain, ':', size);
        bool fits = colon && same(t, (const char *)colon + 1, size - (size_t)(colon + 1 - plain));
        OPENSSL_cleanse(plain, sizeof plain);
        return fits;
}

static const char *after(const char *header, const char *scheme)
{
        size_t len = strlen(scheme);

        if (strncasecmp(header, scheme, len) != 0 || header[len] != ' ')
                return NULL;
        return header + len + strspn(header + len, " ");
}

bool token_fits(const struct token *t, const char *header)
{
        const char *rest;

        if (!t)
                return true;
        if (!header)
                return false;
        if ((rest = after(header, "Bearer")))
                return same(t, rest, strlen(rest));
        return (rest = after(header, "Basic")) && basic(t, rest);
}
