/* keepalived.conf as a flat list of statements, each with the block it stands in. Pure. Files that
 * are included are not followed. */
#pragma once

#include "lib/util.h"

enum { KC_ITEMS = 512, KC_TEXT = 256, KC_TOP = -1 };

struct kc_item {
        int parent; /* index of the block's statement, KC_TOP */
        unsigned line;
        char text[KC_TEXT]; /* its words with one blank between them, quotes gone */
};

struct kc {
        size_t n;
        bool includes; /* there is more than is here */
        struct kc_item v[KC_ITEMS];
};

/* -E2BIG: more statements than fit; -EBADMSG: blocks that do not end, or end twice. What was read
 * until then is there. */
int kc_parse(const char *text, struct kc *ret);

/* The next statement of `parent` that begins with `word`, after index `after` (-1 = from the
 * first); -1 = none. */
int kc_find(const struct kc *k, int parent, const char *word, int after);
/* What follows the first word of the first such statement; NULL = there is none. */
const char *kc_value(const struct kc *k, int parent, const char *word);
/* Does a block hold a statement whose first word is this? */
bool kc_has(const struct kc *k, int block, const char *word);
