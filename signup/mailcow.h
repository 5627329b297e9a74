/* Mailcow's API as the portal needs it. Thread-safe: the key, two cached answers and a lock per
 * domain are shared, the connections belong to the caller that is passed in.
 *
 * Adding a mailbox is not transactional there, limits are not enforced for parallel requests, and
 * an answer may get lost. So adds are serialised per domain, what became of a lost one is looked
 * up, and each mailbox carries a marker by which we know that it is ours. */
#pragma once

#include "signup/caller.h"
#include "signup/mailcow_json.h"

struct mailcow;

enum mc_end {
        MC_CREATED, /* now, or already: it carries our marker */
        MC_TAKEN,
        MC_FULL,     /* the domain's limits */
        MC_PASSWORD, /* against Mailcow's policy */
        MC_NO_DOMAIN,
        MC_REFUSED, /* something is wrong that the visitor cannot mend; the log says what */
        MC_DOWN,    /* nothing was created */
        MC_UNSURE,  /* nobody knows; the log says what an administrator should look at */
        MC_END_COUNT,
};

extern const char *const MC_ENDS[MC_END_COUNT]; /* for the log */

int mailcow_new(const struct config *c, struct mailcow **ret, struct buf *errors);
void mailcow_free(struct mailcow *m); /* NULL is fine */

/* Create, and make sure of it. `markers`: by which it is known; a new mailbox gets the first one.
 * `pending`: inactive, with the tag of those who wait. After MC_CREATED *ret_active is what the
 * mailbox is, which is something else if it was there already. */
enum mc_end mailcow_create(struct mailcow *m, struct caller *c, const struct account *a,
                           const struct strlist *markers, bool pending, bool *ret_active);

/* Is a mailbox with such a marker being made by another thread of this process, or about to be?
 * Asks nobody and waits for nobody. */
bool mailcow_is_making(struct mailcow *m, const struct strlist *markers);

/* Who has that address? *ret_active is valid after MC_OURS. */
enum mc_owner {
        MC_NOBODY,
        MC_OURS, /* it carries one of the markers */
        MC_OTHERS,
        MC_UNKNOWN,
};
enum mc_owner mailcow_owner(struct mailcow *m, struct caller *c, const struct account *a,
                            const struct strlist *markers, bool *ret_active);

/* Cached for [mailcow] cache; what is older still counts while Mailcow does not answer. False:
 * there never was an answer. */
bool mailcow_policy(struct mailcow *m, struct caller *c, msec_t now, struct password_policy *ret);

/* The domains that are open for signup now. The result is a copy; free(ret->v). -EAGAIN: not known.
 */
int mailcow_domains(struct mailcow *m, struct caller *c, msec_t now, struct strlist *ret);

/* For `signup pending`: mc_parse_pending's lines; approve, or delete. A sentence in `error`. */
int mailcow_pending(struct mailcow *m, struct caller *c, struct buf *out, struct buf *error);
int mailcow_decide(struct mailcow *m, struct caller *c, const char *address, bool approve,
                   struct buf *error);
