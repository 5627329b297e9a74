/* HKDF-SHA256 (RFC 5869) with a label of its own, both names and the direction: a proof of the peer
 * channel is of no use here, and no node can be made to talk to itself. */
#include "hamon/sync/key.h"

#include "lib/secret.h"
#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <string.h>

#define LABEL "hamon-sync 1"
#define MARK_ "hamon-sync 1 mark"

enum { MARK = 8 };

void key_ring_done(struct key_ring *k)
{
        for (size_t i = 0; i < KEY_SECRETS; i++)
                secret_wipe(&k->secrets[i]);
        k->n = 0;
}

int key_ring_load(const char *file, struct key_ring *ret, struct buf *error)
{
        struct key_ring k = { .n = 0 };

        int r = secret_read_two(file, &k.secrets[0], &k.secrets[1], error);
        if (r == 0 && !k.secrets[0]) {
                buf_adds(error, "[cluster] secret_file is empty");
                r = -EINVAL;
        }
        if (r < 0) {
                key_ring_done(&k);
                return r;
        }
        k.n = k.secrets[1] ? 2 : 1;
        *ret = k;
        return 0;
}

static int hkdf(const char *secret, const void *info, size_t info_len, unsigned char *ret,
                size_t len)
{
        char digest[] = "SHA256", salt[] = LABEL;
        OSSL_PARAM params[] = {
                OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
                OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, salt, strlen(salt)),
                OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)secret,
                                                  strlen(secret)),
                OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)(uintptr_t)info,
                                                  info_len),
                OSSL_PARAM_construct_end(),
        };
        EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
        EVP_KDF_CTX *ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
        bool ok = ctx && EVP_KDF_derive(ctx, ret, len, params) == 1;

        EVP_KDF_CTX_free(ctx);
        EVP_KDF_free(kdf);
        return ok ? 0 : -EIO;
}

static int mark(const struct key_ring *k, size_t which, char ret[2 * MARK + 1])
{
        unsigned char raw[MARK];

        int r = hkdf(k->secrets[which], MARK_, sizeof MARK_, raw, sizeof raw);
        if (r == 0)
                hex_text(raw, sizeof raw, ret);
        return r;
}

int key_identity(const struct key_ring *k, size_t which, const char *client, const char *server,
                 char ret[KEY_IDENTITY])
{
        char m[2 * MARK + 1];

        int r = mark(k, which, m);
        if (r < 0)
                return r;
        int n = snprintf(ret, KEY_IDENTITY, LABEL " %s %s %s", client, server, m);
        return n > 0 && n < KEY_IDENTITY ? 0 : -EINVAL;
}

int key_derive(const struct key_ring *k, size_t which, const char *client, const char *server,
               unsigned char ret[KEY_BYTES])
{
        char info[KEY_IDENTITY];
        int n = snprintf(info, sizeof info, LABEL " key%cclient %s%cserver %s", 0, client, 0,
                         server); /* no name has a NUL */

        if (n < 0 || (size_t)n >= sizeof info)
                return -EINVAL;
        return hkdf(k->secrets[which], info, (size_t)n, ret, KEY_BYTES);
}

/* "LABEL CLIENT SERVER MARK" in three words. */
static bool split(char *text, char **client, char **server, char **m)
{
        char *rest = NULL;

        if (strncmp(text, LABEL " ", sizeof LABEL) != 0)
                return false;
        *client = strtok_r(text + sizeof LABEL, " ", &rest);
        *server = *client ? strtok_r(NULL, " ", &rest) : NULL;
        *m = *server ? strtok_r(NULL, " ", &rest) : NULL;
        return *m && !strtok_r(NULL, " ", &rest);
}

int key_of(const struct key_ring *k, const char *server, const void *identity, size_t len,
           unsigned char ret[KEY_BYTES], char *ret_client, size_t size)
{
        char text[KEY_IDENTITY], own[2 * MARK + 1], *client, *to, *m;

        if (len >= sizeof text || memchr(identity, '\0', len))
                return -ENOKEY;
        memcpy(text, identity, len);
        text[len] = '\0';
        if (!split(text, &client, &to, &m) || strcmp(to, server) != 0 ||
            strcmp(client, server) == 0 || !str_copy(ret_client, size, client))
                return -ENOKEY;
        for (size_t i = 0; i < k->n; i++) {
                int r = mark(k, i, own);
                if (r < 0)
                        return r;
                if (strcmp(own, m) == 0)
                        return key_derive(k, i, client, server, ret);
        }
        return -ENOKEY;
}
