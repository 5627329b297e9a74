/* One thing that is kept the same on all nodes, as the master names it and as it goes over the
 * wire. Pure: what comes from another node is believed only after item_decode(). */
#pragma once

#include "lib/buf.h"
#include "lib/conf.h"

enum item_kind {
        ITEM_DIR = 'd',
        ITEM_FILE = 'f',
        ITEM_LINK = 'l', /* never followed by us */
        ITEM_CONF = 'c', /* the shared keys of mailcow.conf: merged, not copied */
};

enum {
        ITEM_PATH = 1024, /* path and target, with their NUL */
        ITEM_DEPTH = 16,
        ITEM_SHA = 32,
        ITEMS_MAX = 20000,
};
#define ITEM_SIZE_MAX  (UINT64_C(64) << 20)
#define ITEMS_SIZE_MAX (UINT64_C(512) << 20)
#define ITEM_STAGE     ".hamon-sync" /* what is being fetched; never an item */
#define ITEM_CONF_PATH "mailcow.conf"

struct item {
        char kind;
        uint32_t mode, uid, gid; /* mode: without set-uid and set-gid */
        uint64_t size;           /* FILE, CONF */
        unsigned char sha[ITEM_SHA];
        char *path, *target; /* target: LINK, else "" */
};

struct items { /* in the order of strcmp: a directory comes before what is in it */
        struct item *v;
        size_t n, room;
        uint64_t size; /* of all of them */
};

/* Relative, clean (no "", ".", ".."), printable, not too long or too deep. */
bool item_path_valid(const char *path);
/* A symbolic link there may point to: relative, and not out of Mailcow's directory. */
bool item_target_valid(const char *path, const char *target);
/* Stands it, or a directory above it, in one of `paths`, and in none of `exclude` (patterns as of a
 * shell, "*" takes "/" too)? */
bool item_wanted(const struct strlist *paths, const struct strlist *exclude, const char *path);
bool item_excluded(const struct strlist *exclude, const char *path);

int item_encode(const struct item *it, struct buf *out);
/* -EBADMSG: what no honest node would say. The strings of `ret` are the caller's. */
int item_decode(const void *data, size_t len, struct item *ret);
void item_done(struct item *it);
bool item_same(const struct item *a, const struct item *b);

/* Takes over the strings, also on failure. -EFBIG: too many, too large in all. */
int items_add(struct items *l, struct item *it);
/* The same for what comes in order: -EBADMSG if it does not. */
int items_add_next(struct items *l, struct item *it);
void items_sort(struct items *l);
const struct item *items_find(const struct items *l, const char *path);
void items_done(struct items *l);
/* 16 hex digits over all of them: the same on two nodes if and only if they have the same. */
enum { ITEMS_DIGEST = 17 };
int items_digest(const struct items *l, char ret[ITEMS_DIGEST]);
