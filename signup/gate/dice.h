/* What looks random in an image or a sound, and is the same each time and on each node: ChaCha20
 * under a key made of the nonce. So a second look at a captcha shows nothing new, and what is seen
 * of the noise says nothing of the noise to come. */
#pragma once

#include "signup/gate/ticket.h"

struct dice {
        void *cipher; /* EVP_CIPHER_CTX */
        unsigned char bytes[4096];
        size_t at; /* next unused one */
};

/* `purpose` keeps two users of a ticket apart. -EIO: libcrypto has no ChaCha20. */
int dice_init(struct dice *d, const struct keys *k, const struct ticket *t, const char *purpose);
void dice_done(struct dice *d); /* wipes */

int dice_roll(struct dice *d, int n);             /* 0 to n - 1; n from 1 to 65536 */
int dice_range(struct dice *d, int min, int max); /* both included */
unsigned char dice_byte(struct dice *d);
