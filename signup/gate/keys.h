/* The portal's secret: one file, the same on every node, from which all its keys are derived.
 *
 * One key per line, newest first, at least 32 characters each (`openssl rand -hex 32`); empty lines
 * and lines that begin with # are skipped. The first one signs, all of them verify. To rotate: add
 * the new key as the second line on every node, then make it the first, then drop the old one after
 * the longest lifetime of a ticket. Thread-safe once loaded. */
#pragma once

#include "lib/buf.h"

enum { KEYS_MAX = 8, KEY_TEXT_MIN = 32, KEY_TEXT_MAX = 256, KEY_ID = 4, KEY_MAC = 32 };

struct keys;

/* What a key is for: each purpose has its own, derived by HKDF. */
enum key_purpose {
        KEY_TICKET, /* signs tickets */
        KEY_ANSWER, /* nonce -> what must be typed */
        KEY_DRAW,   /* nonce -> each pixel and each sample */
        KEY_INVITE, /* invite code -> how it is stored */
        KEY_CSRF,   /* for the pages: the anti-forgery token */
        KEY_MARKER, /* for the pages: by which a mailbox is known to be a visitor's */
        KEY_PURPOSE_COUNT_,
};

struct key_field {
        const void *data;
        size_t len;
};

/* On failure -errno and a sentence in `error` that names file and line, never a key. */
int keys_load(const char *path, struct keys **ret, struct buf *error);
int keys_parse(const char *text, const char *name, struct keys **ret, struct buf *error);
void keys_free(struct keys *k); /* wipes */
void keys_freep(struct keys **k);

/* The place of the key with this id, -ENOKEY: none of ours. The newest one is 0. */
int keys_find(const struct keys *k, const unsigned char id[KEY_ID]);
const unsigned char *keys_id(const struct keys *k, size_t key);
size_t keys_count(const struct keys *k);

/* HMAC-SHA256 over the fields, each with its length before it, so that no two different lists look
 * the same. Zero, or -EIO if libcrypto fails. */
int keys_mac(const struct keys *k, size_t key, enum key_purpose purpose,
             const struct key_field *fields, size_t n, unsigned char ret[KEY_MAC]);

bool keys_equal(const void *a, const void *b, size_t len); /* in constant time */
