/* A gate is what a visitor must pass before an account is made. GATES[] has one row per kind; all
 * of them have the same price: a ticket, which is used up by the first try. Order of a try, and the
 * reason for it: the signature (nobody fills our store with inventions), the age, the spent set
 * (before the answer, so that two requests at once cannot both try), the answer.
 *
 * Thread-safe; a struct gate is read only. */
#pragma once

#include "signup/gate/invite.h"
#include "signup/gate/spent.h"

enum gate_kind {
        GATE_IMAGE,
        GATE_AUDIO,
        GATE_POW,
        GATE_INVITE,
        GATE_PASS, /* passed before, the form had errors; not a choice of the visitor's */
        GATE_KIND_COUNT_,
};

enum gate_end {
        GATE_PASSED,
        GATE_UNKNOWN,   /* no such gate, or switched off */
        GATE_MALFORMED, /* these five: as in ticket.h */
        GATE_FORGED,
        GATE_FOREIGN,
        GATE_EARLY, /* the ticket is not used up: the same form may be sent again */
        GATE_EXPIRED,
        GATE_SPENT, /* a second try */
        GATE_WRONG,
        GATE_DOWN, /* the store did not answer: never passed */
        GATE_END_COUNT_,
};

struct gate {
        const struct keys *keys;
        struct spent *spent;
        const struct invites *invites; /* NULL: there are none */
        unsigned kinds;                /* bits 1u << GATE_...; GATE_PASS is always on */
        const char *bind;              /* the portal's own address */
        int64_t min_age, ttl;          /* of form tickets, seconds */
};

struct gate_try {
        enum gate_kind kind;
        const char *ticket;
        const char
                *response; /* what was typed, or found: at most GATE_RESPONSE bytes are looked at */
};

enum { GATE_RESPONSE = 128, GATE_ANSWER = 16 };

extern const char *const GATE_KINDS[]; /* "image", "audio", "pow", "invite", "pass" */
extern const char *const GATE_ENDS[];  /* for the log: "passed", "unknown", ... */

/* By name; -ENOENT: none, or not one that a visitor may choose. */
int gate_kind_parse(const char *name);

/* A new ticket for a form. `bits`: difficulty of the proof of work. */
int gate_form(const struct gate *g, const char *locale, unsigned bits, int64_t now,
              char ret[TICKET_TEXT]);

/* Is this a form ticket of ours that still lives? For pictures and sounds: nothing is used up, its
 * age does not matter. GATE_PASSED: *ret is valid. */
enum gate_end gate_look(const struct gate *g, const char *ticket, int64_t now, struct ticket *ret);

/* *ret is valid after GATE_PASSED. */
enum gate_end gate_try(const struct gate *g, const struct gate_try *t, int64_t now,
                       struct ticket *ret);

/* After GATE_PASSED, when the form has another error: its next try is free, up to GATE_PASSES
 * times in a row. -EDQUOT: that was the last, the visitor gets a new form ticket. */
enum { GATE_PASSES = 5 };
int gate_pass(const struct gate *g, const struct ticket *passed, int64_t now,
              char ret[TICKET_TEXT]);

/* The domain an invite is for, "" = any, or no invite was given. */
void gate_invite_domain(const struct ticket *passed, char ret[INVITE_DOMAIN]);

/* At the end, after gate_try() with an invite, also of passes that came of it: the account is there
 * (`used`) or will not be. Zero also if there was no invite. */
int gate_settle(const struct gate *g, const struct ticket *passed, bool used);

/* What the image shows, what the voice says: derived, never stored, different for each. */
int gate_answer(const struct keys *k, const struct ticket *t, enum gate_kind kind,
                char ret[GATE_ANSWER]);
