/* Each change begins by locking the invite's row, so that on one server they come one after the
 * other; across the cluster the change of that row makes the later of two transactions fail when it
 * is certified, and it is tried again. */
#include "signup/gate/invite.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* 32 letters and figures that nobody takes for another one. */
static const char LETTERS[] = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

enum { LENGTH = 16, GROUP = 4, TRIES = 8 };

#define COLUMNS "hash, uses, pending, completed, created, expires, revoked, domain, note"

/* ---- codes ---- */

static bool normalise(const char *code, char ret[LENGTH + 1])
{
        size_t len = 0;

        for (; *code; code++) {
                char c = *code;
                if (c == '-' || c == ' ' || c == '\t')
                        continue;
                if (c >= 'a' && c <= 'z')
                        c &= ~32;
                if (len == LENGTH || !strchr(LETTERS, c))
                        return false;
                ret[len++] = c;
        }
        ret[len] = '\0';
        return len == LENGTH;
}

static int hash(const struct invites *i, size_t key, const char *plain,
                unsigned char ret[INVITE_HASH])
{
        const struct key_field field = { plain, LENGTH };
        unsigned char mac[KEY_MAC];

        int r = keys_mac(i->keys, key, KEY_INVITE, &field, 1, mac);
        if (r == 0)
                memcpy(ret, mac, INVITE_HASH);
        return r;
}

static void set_id(struct invite *v, const unsigned char h[INVITE_HASH])
{
        hex_text(h, (sizeof v->id - 1) / 2, v->id);
}

static int roll(char plain[LENGTH + 1], char ret[INVITE_CODE])
{
        unsigned char random[LENGTH];

        ssize_t n = getrandom(random, sizeof random, 0);
        if (n != (ssize_t)sizeof random)
                return n < 0 ? -errno : -EIO;
        for (int c = 0; c < LENGTH; c++) {
                plain[c] = LETTERS[random[c] & 31];
                *ret++ = plain[c];
                if (c % GROUP == GROUP - 1)
                        *ret++ = '-';
        }
        plain[LENGTH] = '\0';
        ret[-1] = '\0';
        return 0;
}

/* ---- rows ---- */

struct found {
        struct invite v;
        bool there;
        invite_fn fn;
        void *arg;
        int n;
};

static void read_row(void *arg, const char *const *cells, const unsigned long *lengths)
{
        struct found *f = arg;
        unsigned char h[INVITE_HASH] = { 0 };

        memcpy(h, cells[0], MIN(lengths[0], sizeof h));
        f->v = (struct invite){ .uses = (unsigned)strtoul(cells[1], NULL, 10),
                                .pending = (unsigned)strtoul(cells[2], NULL, 10),
                                .completed = (unsigned)strtoul(cells[3], NULL, 10),
                                .created = strtoll(cells[4], NULL, 10),
                                .expires = strtoll(cells[5], NULL, 10),
                                .revoked = cells[6][0] != '0' };
        set_id(&f->v, h);
        str_copy(f->v.domain, sizeof f->v.domain, cells[7]);
        str_copy(f->v.note, sizeof f->v.note, cells[8]);
        f->there = true;
        f->n++;
        if (f->fn)
                f->fn(f->arg, &f->v);
}

static int usable(const struct invite *v, int64_t now)
{
        if (v->revoked)
                return -EKEYREVOKED;
        if (v->expires && now >= v->expires)
                return -EKEYEXPIRED;
        return v->pending + v->completed >= v->uses ? -EDQUOT : 0;
}

/* ---- the administrator's side ---- */

int invite_add(const struct invites *i, struct invite *v, int64_t now, char ret[INVITE_CODE])
{
        unsigned char h[INVITE_HASH] = { 0 };
        char plain[LENGTH + 1];
        struct db_conn *c = NULL;

        if (v->uses == 0 || v->uses > INVITE_USES || (v->expires && v->expires <= now))
                return -EINVAL;
        int r = roll(plain, ret);
        if (r == 0)
                r = hash(i, 0, plain, h);
        explicit_bzero(plain, sizeof plain);
        if (r == 0)
                r = db_take(i->db, &c);
        if (r < 0)
                return r;
        v->created = now;
        v->pending = v->completed = 0;
        v->revoked = false;
        set_id(v, h);
        const struct db_value in[] = { DB_BYTES(h, INVITE_HASH), DB_NUMBER(v->uses),
                                       DB_NUMBER(now),           DB_NUMBER(v->expires),
                                       DB_TEXT(v->domain),       DB_TEXT(v->note) };
        r = db_run(c, "INSERT INTO signup_invite (" COLUMNS ") VALUES (?, ?, 0, 0, ?, ?, 0, ?, ?)",
                   in, ARRAY_SIZE(in), NULL, NULL, NULL);
        db_give(c);
        return r;
}

int invite_list(const struct invites *i, invite_fn fn, void *arg)
{
        const struct db_value limit = DB_NUMBER(INVITES_LISTED);
        struct found f = { .fn = fn, .arg = arg };
        struct db_conn *c = NULL;

        int r = db_take(i->db, &c);
        if (r < 0)
                return r;
        r = db_run(c, "SELECT " COLUMNS " FROM signup_invite ORDER BY created, hash LIMIT ?",
                   &limit, 1, read_row, &f, NULL);
        db_give(c);
        return r < 0 ? r : f.n;
}

int invite_revoke(const struct invites *i, const char *id)
{
        const struct db_value in = DB_TEXT(id);
        struct db_conn *c = NULL;
        struct found f = { .n = 0 };

        int r = db_take(i->db, &c);
        if (r < 0)
                return r;
        r = db_run(c, "SELECT " COLUMNS " FROM signup_invite WHERE LEFT(HEX(hash), 8) = UPPER(?)",
                   &in, 1, read_row, &f, NULL);
        for (int t = 0, again = -EAGAIN; r == 0 && f.there && t < TRIES && again == -EAGAIN; t++)
                again = r = db_run(c,
                                   "UPDATE signup_invite SET revoked = 1 "
                                   "WHERE LEFT(HEX(hash), 8) = UPPER(?)",
                                   &in, 1, NULL, NULL, NULL);
        db_give(c);
        return r < 0 ? r : f.there ? 0 : -ENOENT;
}

/* ---- the visitor's side ---- */

static int lock_row(struct db_conn *c, const unsigned char h[INVITE_HASH], struct found *f)
{
        const struct db_value in = DB_BYTES(h, INVITE_HASH);

        *f = (struct found){ .n = 0 };
        int r = db_run(c, "SELECT " COLUMNS " FROM signup_invite WHERE hash = ? FOR UPDATE", &in, 1,
                       read_row, f, NULL);
        return r < 0 ? r : f->there ? 0 : -ENOENT;
}

static int count(struct db_conn *c, const unsigned char h[INVITE_HASH], int pending, int completed)
{
        const struct db_value in[] = { DB_NUMBER(pending), DB_NUMBER(completed),
                                       DB_BYTES(h, INVITE_HASH) };

        return db_run(c,
                      "UPDATE signup_invite SET pending = pending + ?, completed = completed + ? "
                      "WHERE hash = ?",
                      in, ARRAY_SIZE(in), NULL, NULL, NULL);
}

/* Claims that were left lie no longer on the invite. */
static int give_back(struct db_conn *c, const unsigned char h[INVITE_HASH], int64_t now,
                     struct invite *v)
{
        const struct db_value in[] = { DB_BYTES(h, INVITE_HASH), DB_NUMBER(now) };
        uint64_t left = 0;

        int r = db_run(c, "DELETE FROM signup_claim WHERE hash = ? AND until <= ?", in,
                       ARRAY_SIZE(in), NULL, NULL, &left);
        if (r < 0 || left == 0)
                return r;
        v->pending -= MIN((unsigned)left, v->pending);
        return count(c, h, -(int)left, 0);
}

static int claim_once(struct db_conn *c, const unsigned char h[INVITE_HASH],
                      const unsigned char claim[INVITE_CLAIM], int64_t until, int64_t now,
                      struct invite *ret)
{
        const struct db_value in[] = { DB_BYTES(claim, INVITE_CLAIM), DB_BYTES(h, INVITE_HASH),
                                       DB_NUMBER(until) };
        struct found f;

        int r = db_begin(c);
        if (r == 0)
                r = lock_row(c, h, &f);
        if (r == 0)
                r = give_back(c, h, now, &f.v);
        if (r == 0)
                r = usable(&f.v, now);
        if (r == 0)
                r = count(c, h, 1, 0);
        if (r == 0)
                r = db_run(c, "INSERT INTO signup_claim (claim, hash, until) VALUES (?, ?, ?)", in,
                           ARRAY_SIZE(in), NULL, NULL, NULL);
        if (r == 0)
                r = db_commit(c);
        else
                db_undo(c);
        if (r == 0)
                *ret = f.v;
        return r;
}

/* By the hash of each key, the newest first: codes outlive a rotation. */
static int by_code(const struct invites *i, struct db_conn *c, const char *plain,
                   const unsigned char *claim, int64_t until, int64_t now, struct invite *ret)
{
        int r = -ENOENT;

        for (size_t key = 0; key < keys_count(i->keys) && r == -ENOENT; key++) {
                unsigned char h[INVITE_HASH];
                r = hash(i, key, plain, h);
                if (r < 0)
                        return r;
                r = -EAGAIN;
                for (int t = 0; t < TRIES && r == -EAGAIN; t++)
                        r = claim_once(c, h, claim, until, now, ret);
        }
        return r;
}

int invite_claim(const struct invites *i, const char *code, const unsigned char claim[INVITE_CLAIM],
                 int64_t until, int64_t now, struct invite *ret)
{
        char plain[LENGTH + 1];
        struct db_conn *c = NULL;

        if (!normalise(code, plain))
                return -ENOENT;
        int r = db_take(i->db, &c);
        if (r < 0)
                return r;
        r = by_code(i, c, plain, claim, until, now, ret);
        db_give(c);
        explicit_bzero(plain, sizeof plain);
        return r;
}

/* ---- the end of a claim ---- */

static void read_hash(void *arg, const char *const *cells, const unsigned long *lengths)
{
        if (lengths[0] == INVITE_HASH)
                memcpy(arg, cells[0], INVITE_HASH);
}

static int settle_once(struct db_conn *c, const unsigned char claim[INVITE_CLAIM], bool used)
{
        const struct db_value in = DB_BYTES(claim, INVITE_CLAIM);
        unsigned char h[INVITE_HASH] = { 0 };
        uint64_t gone = 0;
        struct found f;

        int r = db_begin(c);
        if (r == 0)
                r = db_run(c, "SELECT hash FROM signup_claim WHERE claim = ?", &in, 1, read_hash, h,
                           NULL);
        if (r == 0)
                r = lock_row(c, h, &f);
        if (r == 0)
                r = db_run(c, "DELETE FROM signup_claim WHERE claim = ?", &in, 1, NULL, NULL,
                           &gone);
        if (r == 0)
                r = gone == 1 ? count(c, h, -1, used) : -ENOENT;
        if (r == 0)
                return db_commit(c);
        db_undo(c);
        return r;
}

int invite_settle(const struct invites *i, const unsigned char claim[INVITE_CLAIM], bool used)
{
        struct db_conn *c = NULL;

        int r = db_take(i->db, &c);
        if (r < 0)
                return r;
        r = -EAGAIN;
        for (int t = 0; t < TRIES && r == -EAGAIN; t++)
                r = settle_once(c, claim, used);
        db_give(c);
        return r;
}
