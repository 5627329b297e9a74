/* What a password must be like (field.h). It is never changed, cut or logged. */
#include "signup/field.h"

#include <ctype.h>
#include <errno.h>
#include <openssl/evp.h>
#include <string.h>
#include <strings.h>

enum { DIFFERENT_MIN = 5, CONTEXT_MIN = 4, REST_MIN = 6, SUFFIX = 35 };

#define PROBLEM(...) ((struct problem){ __VA_ARGS__ })

/* What so many passwords are made of that it counts for nothing. */
static const char *const COMMON[] = {
        "password", "passwort", "passw0rd", "motdepasse", "contrase", "qwerty",     "qwertz",
        "azerty",   "123456",   "12345",    "654321",     "abcdef",   "abc123",     "asdfgh",
        "yxcvbn",   "zxcvbn",   "iloveyou", "letmein",    "welcome",  "willkommen", "bonjour",
        "dragon",   "monkey",   "football", "baseball",   "princess", "sunshine",   "hallo",
        "hello",    "admin",    "master",   "geheim",     "secret",   "changeme",   "mailcow",
        "login",    "1q2w3e",
};

/* "{PLAIN}secret": Mailcow would take the word in brackets as the hash's scheme. */
static bool has_scheme(const char *s)
{
        size_t n;

        if (s[0] != '{')
                return false;
        n = strspn(s + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");
        return n > 0 && s[n + 1] == '}';
}

static size_t characters(const char *s)
{
        size_t n = 0;

        for (; *s; s++)
                n += ((unsigned char)*s & 0xc0) != 0x80;
        return n;
}

static bool typeable(const char *s)
{
        for (const unsigned char *p = (const unsigned char *)s; *p; p++)
                if (*p < ' ' || *p == 0x7f || (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0))
                        return false;
        return true;
}

/* Bytes that are left when every common word is taken away. */
static size_t uncommon(const char *s)
{
        size_t rest = 0;

        while (*s) {
                size_t skip = 0;
                for (size_t i = 0; i < ARRAY_SIZE(COMMON); i++)
                        if (strncasecmp(s, COMMON[i], strlen(COMMON[i])) == 0)
                                skip = MAX(skip, strlen(COMMON[i]));
                rest += skip == 0;
                s += skip ? skip : 1;
        }
        return rest;
}

static bool simple(const char *s)
{
        bool seen[256] = { false };
        unsigned different = 0;

        for (const unsigned char *p = (const unsigned char *)s; *p; p++) {
                different += !seen[*p];
                seen[*p] = true;
        }
        return different < DIFFERENT_MIN || uncommon(s) < REST_MIN;
}

/* Does the password have one of the words in it that are written in `text`? */
static bool has_word_of(const char *password, const char *text)
{
        static const char BREAKS[] = " .-_'@,";
        char word[128];

        while (*text) {
                text += strspn(text, BREAKS);
                size_t len = strcspn(text, BREAKS);
                if (len >= CONTEXT_MIN && len < sizeof word) {
                        memcpy(word, text, len);
                        word[len] = '\0';
                        if (strcasestr(password, word))
                                return true;
                }
                text += len;
        }
        return false;
}

static bool keeps_policy(const struct password_policy *p, const char *s)
{
        bool lower = false, upper = false, digit = false, special = false;

        for (const char *c = s; *c; c++) {
                lower = lower || (*c >= 'a' && *c <= 'z');
                upper = upper || (*c >= 'A' && *c <= 'Z');
                digit = digit || (*c >= '0' && *c <= '9');
                special = special || !isalnum((unsigned char)*c) || (unsigned char)*c >= 0x80;
        }
        return strlen(s) >= p->length && (!p->chars || lower || upper) &&
               (!p->special || special) && (!p->lowerupper || (lower && upper)) &&
               (!p->numbers || digit);
}

struct problem password_check(const struct field_rules *r, const char *password,
                              const struct account *a)
{
        uint64_t min = r->config->policy.password_min, max = r->config->policy.password_max;

        if (!*password)
                return PROBLEM(.text = "err_password_missing");
        if (!typeable(password))
                return PROBLEM(.text = "err_password_chars");
        if (characters(password) < min)
                return PROBLEM(.text = "err_password_short", .min = min);
        if (strlen(password) > max)
                return PROBLEM(.text = "err_password_long", .max = max);
        if (has_scheme(password))
                return PROBLEM(.text = "err_password_scheme");
        if (has_word_of(password, a->local_part) || has_word_of(password, a->name) ||
            has_word_of(password, a->domain) || has_word_of(password, r->config->signup.title))
                return PROBLEM(.text = "err_password_personal");
        if (simple(password))
                return PROBLEM(.text = "err_password_simple");
        if (!keeps_policy(&r->policy, password))
                return PROBLEM(.text = "err_password_policy");
        return PROBLEM(.text = NULL);
}

int password_sha1(const char *password, char ret[PASSWORD_SHA1])
{
        unsigned char hash[EVP_MAX_MD_SIZE];
        unsigned len = 0;

        if (EVP_Digest(password, strlen(password), hash, &len, EVP_sha1(), NULL) != 1 || len != 20)
                return -EIO;
        for (unsigned i = 0; i < len; i++)
                snprintf(ret + (size_t)i * 2, 3, "%02X", hash[i]);
        explicit_bzero(hash, sizeof hash);
        return 0;
}

bool password_in_range(const char *answer, const char sha1[PASSWORD_SHA1])
{
        const char *suffix = sha1 + 5;

        for (const char *line = answer; *line;) {
                size_t len = strcspn(line, "\r\n");
                if (len > SUFFIX + 1 && strncasecmp(line, suffix, SUFFIX) == 0 &&
                    line[SUFFIX] == ':' && line[SUFFIX + 1] != '0') /* :0 is padding */
                        return true;
                line += len;
                line += strspn(line, "\r\n");
        }
        return false;
}
