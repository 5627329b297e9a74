/* GATES[]: what a gate wants for an answer. gate_try() is the one way through. */
#include "signup/gate/gate.h"

#include "signup/gate/glyphs.h"
#include "signup/gate/pow.h"
#include <errno.h>
#include <string.h>

enum { IMAGE_MIN = 5, IMAGE_MAX = 6, AUDIO_DIGITS = 6 };

const char *const GATE_KINDS[] = {
        [GATE_IMAGE] = "image",   [GATE_AUDIO] = "audio", [GATE_POW] = "pow",
        [GATE_INVITE] = "invite", [GATE_PASS] = "pass",
};

const char *const GATE_ENDS[] = {
        [GATE_PASSED] = "passed",   [GATE_UNKNOWN] = "unknown", [GATE_MALFORMED] = "malformed",
        [GATE_FORGED] = "forged",   [GATE_FOREIGN] = "foreign", [GATE_EARLY] = "early",
        [GATE_EXPIRED] = "expired", [GATE_SPENT] = "spent",     [GATE_WRONG] = "wrong",
        [GATE_DOWN] = "down",
};

int gate_kind_parse(const char *name)
{
        for (int i = 0; i < GATE_PASS; i++)
                if (str_eq(name, GATE_KINDS[i]))
                        return i;
        return -ENOENT;
}

/* ---- answers ---- */

int gate_answer(const struct keys *k, const struct ticket *t, enum gate_kind kind,
                char ret[GATE_ANSWER])
{
        const char *letters = kind == GATE_IMAGE ? GLYPH_LARGE : "0123456789";
        unsigned char mac[KEY_MAC];

        if (kind != GATE_IMAGE && kind != GATE_AUDIO)
                return -EINVAL;
        const struct key_field fields[] = { { GATE_KINDS[kind], strlen(GATE_KINDS[kind]) },
                                            { t->nonce, TICKET_NONCE } };
        int r = keys_mac(k, t->key, KEY_ANSWER, fields, ARRAY_SIZE(fields), mac);
        if (r < 0)
                return r;

        unsigned n = kind == GATE_AUDIO ? AUDIO_DIGITS
                                        : IMAGE_MIN + mac[0] % (IMAGE_MAX - IMAGE_MIN + 1);
        for (unsigned i = 0; i < n; i++) /* of 65,536 values: as good as even */
                ret[i] = letters[(mac[1 + 2 * i] << 8 | mac[2 + 2 * i]) % (int)strlen(letters)];
        ret[n] = '\0';
        return 0;
}

/* What people type around an answer is not part of it: blanks, small letters. */
static size_t normalise(const char *s, char *dst, size_t size)
{
        size_t len = 0;

        for (; *s; s++) {
                if (*s == ' ' || *s == '\t' || *s == '-' || *s == '.' || *s == ',')
                        continue;
                if (len + 1 >= size)
                        return 0;
                dst[len] = *s;
                if (*s >= 'a' && *s <= 'z')
                        dst[len] -= 'a' - 'A';
                len++;
        }
        return len;
}

static int answered(const struct gate *g, const struct gate_try *t, struct ticket *ticket,
                    int64_t now)
{
        char want[GATE_ANSWER] = "", have[GATE_ANSWER] = "";

        (void)now;
        int r = gate_answer(g->keys, ticket, t->kind, want);
        if (r < 0)
                return r;
        size_t len = normalise(t->response, have, sizeof have);
        return len == strlen(want) && keys_equal(want, have, sizeof want);
}

static int worked(const struct gate *g, const struct gate_try *t, struct ticket *ticket,
                  int64_t now)
{
        (void)g;
        (void)now;
        return pow_check(t->ticket, ticket->count, t->response);
}

/* The claim has the nonce for its name. It must outlive all passes that can follow. */
static int invited(const struct gate *g, const struct gate_try *t, struct ticket *ticket,
                   int64_t now)
{
        struct invite v;

        int r = invite_claim(g->invites, t->response, ticket->nonce,
                             now + g->ttl * (GATE_PASSES + 1), now, &v);
        if (r == -ENOENT || r == -EKEYREVOKED || r == -EKEYEXPIRED || r == -EDQUOT)
                return 0;
        if (r < 0)
                return r;
        size_t len = strlen(v.domain);
        memcpy(ticket->payload, ticket->nonce, INVITE_CLAIM);
        memcpy(ticket->payload + INVITE_CLAIM, v.domain, len);
        ticket->payload_len = INVITE_CLAIM + len;
        return 1;
}

static int passed_before(const struct gate *g, const struct gate_try *t, struct ticket *ticket,
                         int64_t now)
{
        (void)g;
        (void)t;
        (void)ticket;
        (void)now;
        return 1; /* the ticket itself is the answer */
}

static const struct {
        enum ticket_kind ticket;
        int (*right)(const struct gate *g, const struct gate_try *t, struct ticket *ticket,
                     int64_t now); /* 1 right, 0 wrong, -errno: nobody knows */
} GATES[GATE_KIND_COUNT_] = {
        [GATE_IMAGE] = { TICKET_FORM, answered },     [GATE_AUDIO] = { TICKET_FORM, answered },
        [GATE_POW] = { TICKET_FORM, worked },         [GATE_INVITE] = { TICKET_FORM, invited },
        [GATE_PASS] = { TICKET_PASS, passed_before },
};

/* ---- the way through ---- */

static enum gate_end from_ticket(enum ticket_end end)
{
        static const enum gate_end ENDS[TICKET_END_COUNT_] = {
                [TICKET_OK] = GATE_PASSED,     [TICKET_MALFORMED] = GATE_MALFORMED,
                [TICKET_FORGED] = GATE_FORGED, [TICKET_FOREIGN] = GATE_FOREIGN,
                [TICKET_EARLY] = GATE_EARLY,   [TICKET_EXPIRED] = GATE_EXPIRED,
        };

        return ENDS[end];
}

static bool gate_on(const struct gate *g, enum gate_kind kind)
{
        if (kind >= GATE_KIND_COUNT_ || (kind == GATE_INVITE && !g->invites))
                return false;
        return kind == GATE_PASS || g->kinds & 1u << kind;
}

enum gate_end gate_try(const struct gate *g, const struct gate_try *t, int64_t now,
                       struct ticket *ret)
{
        struct ticket ticket;

        if (!gate_on(g, t->kind))
                return GATE_UNKNOWN;
        const struct ticket_rule rule = { .kind = GATES[t->kind].ticket,
                                          .min_age = t->kind == GATE_PASS ? 0 : g->min_age,
                                          .ttl = g->ttl,
                                          .bind = g->bind };
        enum ticket_end end = ticket_read(g->keys, t->ticket, &rule, now, &ticket);
        if (end != TICKET_OK)
                return from_ticket(end);

        int r = spent_take(g->spent, &ticket, g->ttl, now);
        if (r < 0)
                return r == -EALREADY ? GATE_SPENT : GATE_DOWN;
        if (strnlen(t->response, GATE_RESPONSE + 1) > GATE_RESPONSE)
                return GATE_WRONG;
        r = GATES[t->kind].right(g, t, &ticket, now);
        if (r <= 0)
                return r < 0 ? GATE_DOWN : GATE_WRONG;
        *ret = ticket;
        return GATE_PASSED;
}

enum gate_end gate_look(const struct gate *g, const char *ticket, int64_t now, struct ticket *ret)
{
        const struct ticket_rule rule = { TICKET_FORM, 0, g->ttl, g->bind };

        return from_ticket(ticket_read(g->keys, ticket, &rule, now, ret));
}

int gate_form(const struct gate *g, const char *locale, unsigned bits, int64_t now,
              char ret[TICKET_TEXT])
{
        struct ticket t = { .kind = TICKET_FORM, .count = bits };

        if (!str_copy(t.locale, sizeof t.locale, locale))
                return -EINVAL;
        return ticket_issue(g->keys, &t, g->bind, now, ret);
}

int gate_pass(const struct gate *g, const struct ticket *passed, int64_t now, char ret[TICKET_TEXT])
{
        struct ticket t = *passed;

        t.count = passed->kind == TICKET_PASS ? passed->count : GATE_PASSES;
        if (t.count == 0)
                return -EDQUOT;
        t.count--;
        t.kind = TICKET_PASS;
        return ticket_issue(g->keys, &t, g->bind, now, ret);
}

/* ---- invites ---- */

_Static_assert(INVITE_CLAIM + INVITE_DOMAIN - 1 <= TICKET_PAYLOAD, "claim and domain fit");
_Static_assert((int)INVITE_CLAIM == (int)TICKET_NONCE, "a nonce names a claim");

void gate_invite_domain(const struct ticket *passed, char ret[INVITE_DOMAIN])
{
        size_t len = passed->payload_len > INVITE_CLAIM ? passed->payload_len - INVITE_CLAIM : 0;

        memcpy(ret, passed->payload + INVITE_CLAIM, MIN(len, INVITE_DOMAIN - 1U));
        ret[MIN(len, INVITE_DOMAIN - 1U)] = '\0';
}

int gate_settle(const struct gate *g, const struct ticket *passed, bool used)
{
        if (passed->payload_len < INVITE_CLAIM || !g->invites)
                return 0;
        return invite_settle(g->invites, passed->payload, used);
}
