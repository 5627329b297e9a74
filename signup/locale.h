/* The texts of all pages in each language: locales/lang.de-de.json and so on, flat objects of
 * strings. All files have the same keys, and each text the same {placeholders}: a file that has not
 * is a mistake at start. "_name" is the language's own name, "_dir" ltr or rtl. */
#pragma once

#include "lib/buf.h"

struct locale_entry {
        char *key, *text;
};

struct locale {
        char code[8];                 /* "de-de" */
        char lang[4];                 /* "de": what <html lang> says */
        struct locale_entry *entries; /* sorted by key */
        size_t n;
};

struct locales {
        struct locale *v; /* sorted by code */
        size_t n;
        const struct locale *fallback;
};

/* Every mistake becomes a line "file: what" in `errors`; then -EINVAL and nothing is kept. */
int locales_load(const char *dir, const char *fallback, struct locales *ret, struct buf *errors);
void locales_free(struct locales *l);

/* NULL if there is no such key. */
const char *locale_text(const struct locale *l, const char *key);

/* By code ("de-de"), else by language ("de", "de-at"); NULL. Any letter case. */
const struct locale *locales_find(const struct locales *l, const char *code, size_t len);

/* What the visitor wants: ?lang=, else the cookie, else Accept-Language by its weights, else the
 * fallback. Each may be NULL. */
const struct locale *locales_pick(const struct locales *l, const char *query, const char *cookie,
                                  const char *accept);

/* Each {name} of a text becomes what `value` says; NULL = it stays as it is. */
typedef const char *(*locale_value_fn)(void *arg, const char *name);
int locale_format(struct buf *out, const char *text, locale_value_fn value, void *arg);

/* Calls `fn` for each {name} of a text; stops at, and returns, the first non-zero. */
int locale_placeholders(const char *text, int (*fn)(void *arg, const char *name), void *arg);
