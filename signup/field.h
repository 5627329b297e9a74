/* The form's fields, FIELDS[]: what each must be like. Pure: what has to be asked elsewhere (is the
 * address free, is the password known to attackers) is not here. */
#pragma once

#include "signup/config.h"
#include "signup/form.h"
#include "signup/view.h"

/* Mailcow's password policy (facts: length in bytes). */
struct password_policy {
        uint64_t length;
        bool chars, special, lowerupper, numbers;
};

struct field_rules {
        const struct config *config;
        const struct strlist *domains; /* open for signup, now */
        struct password_policy policy;
};

/* What is wrong with a field: a text of the locales and what its {placeholders} are. */
struct problem {
        const char *text; /* NULL = nothing */
        uint64_t min, max;
        const char *domain;
};

struct account { /* all of it checked; the password as it was typed */
        char name[512];
        char local_part[65];
        char domain[254];
        char address[320];
        const char *password; /* borrowed from the form */
        char recovery[255];
};

enum field {
        FIELD_NAME,
        FIELD_LOCAL_PART,
        FIELD_DOMAIN,
        FIELD_PASSWORD,
        FIELD_PASSWORD2,
        FIELD_RECOVERY,
        FIELD_CONSENT,
        FIELD_COUNT,
};

struct field_row {
        const char *name; /* in the form, and the id in the page */
        enum value shown; /* V_COUNT: never sent back */
        enum value error;
        struct problem (*check)(const struct field_rules *r, const struct form *f,
                                struct account *a);
};

extern const struct field_row FIELDS[FIELD_COUNT];

/* Fills `account`; how many fields have a problem. */
unsigned fields_check(const struct field_rules *r, const struct form *f, struct account *account,
                      struct problem problems[FIELD_COUNT]);

bool consent_needed(const struct config *c);

/* password.c */
struct problem password_check(const struct field_rules *r, const char *password,
                              const struct account *a);
/* SHA-1 in capital hex digits, as range queries want it. */
enum { PASSWORD_SHA1 = 41 };
int password_sha1(const char *password, char ret[PASSWORD_SHA1]);
/* Does the answer to a range query name this hash with a count above 0? */
bool password_in_range(const char *answer, const char sha1[PASSWORD_SHA1]);
