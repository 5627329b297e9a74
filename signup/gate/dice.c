/* The key stream is what the cipher makes of zeros. */
#include "signup/gate/dice.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

static void refill(struct dice *d)
{
        static const unsigned char ZEROS[sizeof d->bytes];
        int n = 0;

        /* a stream cipher that was set up cannot fail here; if it did, there would be no noise */
        if (EVP_EncryptUpdate(d->cipher, d->bytes, &n, ZEROS, sizeof ZEROS) != 1)
                memset(d->bytes, 0, sizeof d->bytes);
        d->at = 0;
}

int dice_init(struct dice *d, const struct keys *k, const struct ticket *t, const char *purpose)
{
        static const unsigned char IV[16];
        unsigned char key[KEY_MAC];
        const struct key_field fields[] = { { purpose, strlen(purpose) },
                                            { t->nonce, TICKET_NONCE } };

        d->cipher = NULL;
        int r = keys_mac(k, t->key, KEY_DRAW, fields, ARRAY_SIZE(fields), key);
        if (r < 0)
                return r;
        d->cipher = EVP_CIPHER_CTX_new();
        if (!d->cipher || EVP_EncryptInit_ex(d->cipher, EVP_chacha20(), NULL, key, IV) != 1) {
                dice_done(d);
                return -EIO;
        }
        OPENSSL_cleanse(key, sizeof key);
        refill(d);
        return 0;
}

void dice_done(struct dice *d)
{
        EVP_CIPHER_CTX_free(d->cipher);
        OPENSSL_cleanse(d, sizeof *d);
}

unsigned char dice_byte(struct dice *d)
{
        if (d->at == sizeof d->bytes)
                refill(d);
        return d->bytes[d->at++];
}

int dice_roll(struct dice *d, int n)
{
        uint32_t high = dice_byte(d), value = high << 8 | dice_byte(d);

        return (int)(value * (uint32_t)n >> 16);
}

int dice_range(struct dice *d, int min, int max)
{
        return min + dice_roll(d, max - min + 1);
}
