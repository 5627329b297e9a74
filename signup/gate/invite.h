/* Invite codes: so many uses, until a time, for one domain or any. Kept in the database as a keyed
 * hash, so that who reads the table has no code. A use is claimed when the code is given, and at
 * the end used up or given back: two visitors at once never share the last one. A claim nobody
 * settles is given back after a time. Thread-safe. */
#pragma once

#include "signup/gate/db.h"
#include "signup/gate/keys.h"

enum {
        INVITE_HASH = 16,
        INVITE_CLAIM = 16,
        INVITE_CODE = 20,   /* "ABCD-EFGH-JKLM-NPQR" with its NUL: 80 bits */
        INVITE_ID = 9,      /* the first 8 hex digits of its hash, for people */
        INVITE_DOMAIN = 49, /* with NUL */
        INVITE_NOTE = 61,
        INVITE_USES = 10000,
        INVITES_LISTED = 1000,
};

struct invites { /* both borrowed */
        struct db *db;
        const struct keys *keys;
};

struct invite {
        char id[INVITE_ID];
        unsigned uses, pending, completed;
        int64_t created, expires; /* seconds since 1970; 0 = never */
        bool revoked;
        char domain[INVITE_DOMAIN]; /* "" = any */
        char note[INVITE_NOTE];     /* for the administrator */
};

/* Uses, expires, domain and note are taken from *v, the rest is filled in. The code is told once
 * and kept nowhere. -EINVAL: uses, or not after `now`. */
int invite_add(const struct invites *i, struct invite *v, int64_t now, char ret[INVITE_CODE]);

typedef void (*invite_fn)(void *arg, const struct invite *v);
int invite_list(const struct invites *i, invite_fn fn, void *arg); /* oldest first, how many */

int invite_revoke(const struct invites *i, const char *id); /* -ENOENT; what is claimed stays */

/* -ENOENT: no such code; -EKEYREVOKED, -EKEYEXPIRED; -EDQUOT: all uses are taken. The visitor is
 * told one thing for all of them. */
int invite_claim(const struct invites *i, const char *code, const unsigned char claim[INVITE_CLAIM],
                 int64_t until, int64_t now, struct invite *ret);

/* -ENOENT: no such claim; it was settled before, or given back in the meantime. */
int invite_settle(const struct invites *i, const unsigned char claim[INVITE_CLAIM], bool used);
