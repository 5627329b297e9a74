/* The salt varies, not the password: a browser imports its key once. */
#include "signup/gate/pow.h"

#include <openssl/evp.h>
#include <string.h>

#define SALT "signup-pow:"

enum { DERIVED = 32 };

static bool number_valid(const char *s)
{
        size_t len = strspn(s, "0123456789");

        return len > 0 && len <= POW_DIGITS && s[len] == '\0' && (s[0] != '0' || len == 1);
}

static bool zeros(const unsigned char *data, unsigned bits)
{
        for (; bits >= 8; bits -= 8)
                if (*data++)
                        return false;
        return bits == 0 || *data >> (8 - bits) == 0;
}

bool pow_check(const char *ticket, unsigned bits, const char *number)
{
        char salt[sizeof SALT + POW_DIGITS] = SALT;
        unsigned char derived[DERIVED];

        if (bits < POW_BITS_MIN || bits > POW_BITS_MAX || !number_valid(number))
                return false;
        str_copy(salt + sizeof SALT - 1, sizeof salt - sizeof SALT + 1, number);
        return PKCS5_PBKDF2_HMAC(ticket, (int)strlen(ticket), (const unsigned char *)salt,
                                 (int)strlen(salt), POW_ITERATIONS, EVP_sha256(), DERIVED,
                                 derived) == 1 &&
               zeros(derived, bits);
}

unsigned pow_bits(unsigned base, unsigned max, uint64_t normal, uint64_t recent)
{
        unsigned bits = MIN(MAX(base, POW_BITS_MIN), POW_BITS_MAX);

        max = MIN(MAX(max, bits), POW_BITS_MAX);
        for (recent /= MAX(normal, 1); recent > 0 && bits < max; recent /= 2)
                bits++;
        return bits;
}
