/* What Mailcow's API answers, taken apart. Pure. HTTP 200 means nothing there: an action's answer
 * is an array of entries, a bare object, or an empty body, and only an entry of type success with
 * the right key means that it was done. */
#pragma once

#include "lib/conf.h"
#include "signup/field.h"

enum mc_shape {
        MC_NOTHING, /* an empty body: PHP failed in the middle, or no key; what was done is unknown
                     */
        MC_DONE,    /* an entry says so */
        MC_DANGER,  /* entries, none of which says so: `key` is the first reason */
        MC_ERROR,   /* a bare object: refused before anything was done; `key` is its text */
        MC_GARBAGE,
};

struct mc_action {
        enum mc_shape shape;
        char key[96]; /* "object_exists"; visible ASCII only */
};

/* `want`: the key of the success, "mailbox_added". */
void mc_parse_action(const char *body, size_t len, const char *want, struct mc_action *ret);

struct mc_mailbox {
        bool exists, active;
        bool limited;    /* has a rate limit of its own */
        bool used;       /* has mail, or somebody has logged in */
        bool recovery;   /* has another address for a lost password */
        char marker[96]; /* attributes.attribute_hash */
};

int mc_parse_mailbox(const char *body, size_t len, struct mc_mailbox *ret); /* -EBADMSG */
int mc_parse_policy(const char *body, size_t len, struct password_policy *ret);

/* Active domains with this tag, their names appended to `out`, one a line. */
int mc_parse_domains(const char *body, size_t len, const char *tag, struct buf *out);

/* Addresses of the inactive mailboxes with this tag: "address\tname\tcreated", one a line. */
int mc_parse_pending(const char *body, size_t len, const char *tag, struct buf *out);
