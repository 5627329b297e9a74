/* FIELDS[] of field.h: names, addresses, consent. Passwords are in password.c. */
#include "signup/field.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

enum { MARKS_MAX = 3, REPEATS_MAX = 3 };

#define PROBLEM(...) ((struct problem){ __VA_ARGS__ })
#define NO_PROBLEM   PROBLEM(.text = NULL)

static const char *get(const struct form *f, const char *name)
{
        const char *v = form_get(f, name);

        return v ? v : "";
}

/* ---- name ---- */

static bool is_mark(utf8proc_category_t c)
{
        return c == UTF8PROC_CATEGORY_MN || c == UTF8PROC_CATEGORY_MC || c == UTF8PROC_CATEGORY_ME;
}

static bool is_letter(utf8proc_category_t c)
{
        return c == UTF8PROC_CATEGORY_LU || c == UTF8PROC_CATEGORY_LL ||
               c == UTF8PROC_CATEGORY_LT || c == UTF8PROC_CATEGORY_LM || c == UTF8PROC_CATEGORY_LO;
}

/* What else names are written with. U+200C and U+200D shape letters in some scripts and show
 * nothing by themselves; bidi controls are not among these. */
static bool in_names(utf8proc_int32_t c)
{
        static const utf8proc_int32_t OTHERS[] = { ' ',    '\'',   '-',    '.',    ',',
                                                   0x2019, 0x00b7, 0x2010, 0x200c, 0x200d };

        for (size_t i = 0; i < ARRAY_SIZE(OTHERS); i++)
                if (OTHERS[i] == c)
                        return true;
        return false;
}

struct name_scan {
        unsigned chars, letters, marks, repeats;
        utf8proc_int32_t last;
};

/* One more character: false = it cannot be there. */
static bool name_step(struct name_scan *s, utf8proc_int32_t c)
{
        utf8proc_category_t cat = utf8proc_category(c);
        bool joiner = c == 0x200c || c == 0x200d;

        s->repeats = c == s->last ? s->repeats + 1 : 1;
        s->last = c;
        if (s->repeats > REPEATS_MAX)
                return false;
        if (is_mark(cat) || joiner) { /* belongs to a letter before it */
                s->marks++;
                return s->letters > 0 && s->marks <= MARKS_MAX;
        }
        s->marks = 0;
        s->chars++;
        if (is_letter(cat)) {
                s->letters++;
                return true;
        }
        return cat == UTF8PROC_CATEGORY_ND || in_names(c);
}

/* In NFC, with single blanks and none at the ends. NULL = not possible. Caller frees. */
static char *normal_name(const char *text)
{
        utf8proc_uint8_t *nfc = NULL;

        if (utf8proc_map((const utf8proc_uint8_t *)text, 0, &nfc,
                         UTF8PROC_NULLTERM | UTF8PROC_STABLE | UTF8PROC_COMPOSE) < 0)
                return NULL;
        char *s = (char *)nfc, *to = s;
        for (const char *p = s; *p; p++)
                if (*p != ' ' || (to > s && to[-1] != ' '))
                        *to++ = *p;
        while (to > s && to[-1] == ' ')
                to--;
        *to = '\0';
        return s;
}

static bool name_chars(const char *name, struct name_scan *s)
{
        const utf8proc_uint8_t *p = (const utf8proc_uint8_t *)name;
        utf8proc_int32_t c;

        while (*p) {
                p += utf8proc_iterate(p, -1, &c);
                if (!name_step(s, c))
                        return false;
        }
        return s->letters > 0;
}

static struct problem check_name(const struct field_rules *r, const struct form *f,
                                 struct account *a)
{
        uint64_t min = r->config->policy.name_min, max = r->config->policy.name_max;
        CLEANUP(freep) char *name = normal_name(get(f, "name"));
        struct name_scan s = { .last = 0 };

        if (!name || !*name)
                return PROBLEM(.text = "err_name_missing");
        if (!name_chars(name, &s))
                return PROBLEM(.text = "err_name_chars");
        if (s.chars < min || s.chars > max || !str_copy(a->name, sizeof a->name, name))
                return PROBLEM(.text = "err_name_length", .min = min, .max = max);
        return NO_PROBLEM;
}

/* ---- address ---- */

static bool local_chars(const char *s)
{
        bool between = true; /* at the begin and after . - _ comes a letter or digit */

        for (; *s; s++) {
                bool mark = strchr(".-_", *s) != NULL;
                if (mark ? between : !islower((unsigned char)*s) && !isdigit((unsigned char)*s))
                        return false;
                between = mark;
        }
        return !between;
}

static bool repeats(const char *s)
{
        unsigned n = 0;

        for (const char *p = s; *p; p++) {
                n = p > s && p[-1] == *p ? n + 1 : 1;
                if (n > REPEATS_MAX)
                        return true;
        }
        return false;
}

/* Trimmed and in small letters; who types the whole address means its first part. */
static void normal_local(const struct form *f, char *dst, size_t size)
{
        const char *text = get(f, "local_part"), *domain = get(f, "domain");
        size_t n = 0;

        text += strspn(text, " ");
        for (; *text && n + 1 < size; text++)
                dst[n++] = (char)(*text >= 'A' && *text <= 'Z' ? *text + ('a' - 'A') : *text);
        while (n > 0 && dst[n - 1] == ' ')
                n--;
        dst[n] = '\0';
        char *at = strchr(dst, '@');
        if (at && *domain && strcmp(at + 1, domain) == 0)
                *at = '\0';
}

static struct problem check_local(const struct field_rules *r, const struct form *f,
                                  struct account *a)
{
        uint64_t min = r->config->policy.local_min, max = r->config->policy.local_max;
        char local[512];

        normal_local(f, local, sizeof local);
        size_t len = strlen(local);
        if (len == 0)
                return PROBLEM(.text = "err_local_missing");
        if (!local_chars(local))
                return PROBLEM(.text = "err_local_chars");
        if (len < min || len > max || !str_copy(a->local_part, sizeof a->local_part, local))
                return PROBLEM(.text = "err_local_length", .min = min, .max = max);
        if (repeats(local))
                return PROBLEM(.text = "err_local_repeat");
        return NO_PROBLEM;
}

static struct problem check_domain(const struct field_rules *r, const struct form *f,
                                   struct account *a)
{
        const char *domain = get(f, "domain");

        if (!strlist_has(r->domains, domain) || !str_copy(a->domain, sizeof a->domain, domain))
                return PROBLEM(.text = "err_domain");
        snprintf(a->address, sizeof a->address, "%s@%s", a->local_part, a->domain);
        return NO_PROBLEM;
}

/* ---- the others ---- */

static struct problem check_password(const struct field_rules *r, const struct form *f,
                                     struct account *a)
{
        a->password = get(f, "password");
        return password_check(r, a->password, a);
}

static struct problem check_password2(const struct field_rules *r, const struct form *f,
                                      struct account *a)
{
        (void)r;
        (void)a;
        if (strcmp(get(f, "password"), get(f, "password2")) != 0)
                return PROBLEM(.text = "err_password2");
        return NO_PROBLEM;
}

/* Only the shape: one @, visible ASCII, a dot in the domain. */
static bool address_shape(const char *s)
{
        const char *at = strchr(s, '@');

        if (!at || at == s || strchr(at + 1, '@') || !strchr(at + 1, '.') || at[1] == '.' ||
            s[strlen(s) - 1] == '.')
                return false;
        for (; *s; s++)
                if (*s <= ' ' || *s > '~' || strchr("<>()[]\\,;:\"", *s))
                        return false;
        return true;
}

static struct problem check_recovery(const struct field_rules *r, const struct form *f,
                                     struct account *a)
{
        const char *text = get(f, "recovery");

        (void)r;
        if (!*text)
                return NO_PROBLEM;
        if (!address_shape(text) || !str_copy(a->recovery, sizeof a->recovery, text)) {
                a->recovery[0] = '\0';
                return PROBLEM(.text = "err_recovery");
        }
        if (strcasecmp(text, a->address) == 0)
                return PROBLEM(.text = "err_recovery_same");
        return NO_PROBLEM;
}

bool consent_needed(const struct config *c)
{
        return *c->signup.terms_url || *c->signup.privacy_url;
}

static struct problem check_consent(const struct field_rules *r, const struct form *f,
                                    struct account *a)
{
        (void)a;
        if (consent_needed(r->config) && strcmp(get(f, "consent"), "yes") != 0)
                return PROBLEM(.text = "err_consent");
        return NO_PROBLEM;
}

const struct field_row FIELDS[FIELD_COUNT] = {
        [FIELD_NAME] = { "name", V_NAME, V_ERR_NAME, check_name },
        [FIELD_LOCAL_PART] = { "local_part", V_LOCAL_PART, V_ERR_LOCAL_PART, check_local },
        [FIELD_DOMAIN] = { "domain", V_DOMAIN, V_ERR_DOMAIN, check_domain },
        [FIELD_PASSWORD] = { "password", V_COUNT, V_ERR_PASSWORD, check_password },
        [FIELD_PASSWORD2] = { "password2", V_COUNT, V_ERR_PASSWORD2, check_password2 },
        [FIELD_RECOVERY] = { "recovery", V_RECOVERY, V_ERR_RECOVERY, check_recovery },
        [FIELD_CONSENT] = { "consent", V_CONSENT, V_ERR_CONSENT, check_consent },
};

unsigned fields_check(const struct field_rules *r, const struct form *f, struct account *account,
                      struct problem problems[FIELD_COUNT])
{
        unsigned n = 0;

        *account = (struct account){ .password = "" };
        for (size_t i = 0; i < FIELD_COUNT; i++) {
                problems[i] = FIELDS[i].check(r, f, account);
                n += problems[i].text != NULL;
        }
        return n;
}
