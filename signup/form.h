/* What a browser sends: application/x-www-form-urlencoded bodies, query strings, cookies. Decoded
 * once, strictly: a broken percent sign, a NUL, bytes that are no UTF-8, a field given twice or too
 * many fields are mistakes, never guesses. */
#pragma once

#include "lib/util.h"

enum { FORM_FIELDS = 32, FORM_BYTES = 16 * 1024 };

struct form {
        struct form_field {
                const char *name, *value;
        } v[FORM_FIELDS];
        size_t n;
        char *text; /* what the fields point into; wiped on free, a password is in it */
        size_t len;
};

/* -EBADMSG: malformed; -EEXIST: a field twice; -E2BIG: too many or too long; -ENOMEM. */
int form_parse(const char *text, size_t len, struct form *ret);
void form_done(struct form *f); /* CLEANUP(form_done) struct form f = { .n = 0 } */
const char *form_get(const struct form *f, const char *name); /* NULL if it was not sent */

/* The first cookie of that name. False: none, or longer than `size`, or not of visible ASCII. */
bool cookie_get(const char *header, const char *name, char *dst, size_t size);

bool utf8_valid(const char *s, size_t len); /* no overlong forms, no surrogates, no NUL */
