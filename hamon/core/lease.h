/* Who may try to lead: one row in the Galera database, taken and renewed by compare-and-set. Pure:
 * the caller sends the statements this module asks for and brings back how they ended; every time
 * is on this node's own CLOCK_BOOTTIME, and no two machines' clocks are ever compared.
 *
 *     take     UPDATE … SET holder=me, incarnation=mine, token=fresh, epoch=epoch+1, beat=beat+1
 *              WHERE epoch=? AND beat=?              (as last read)
 *     renew    UPDATE … SET beat=beat+1 WHERE holder=me AND incarnation=mine AND epoch=mine
 *     release  UPDATE … SET holder='', epoch=epoch+1, beat=beat+1 WHERE (as renew)
 *     ack      UPDATE … SET failovers=0, loser='', beat=beat+1
 * A take or release for cause also counts: loser=who lost it, failovers=failovers+1, or 1 and
 * since=now if the old count is older than `window`.
 *
 * A statement that timed out may have committed, or commit later. So a lost answer is UNKNOWN, is
 * settled by reading and by the next compare-and-set, and a release moves the epoch: whatever was
 * still on its way then matches nothing. */
#pragma once

#include "hamon/core/verdict.h"

enum { LEASE_NAME = 64 };

struct lease_row {               /* as read */
        char holder[LEASE_NAME]; /* "" = released */
        uint64_t incarnation;    /* of the holder, random per boot: a copied config makes no twin */
        uint64_t token;          /* of the take that won */
        uint64_t epoch, beat;

        /* of the breaker: only a take, a release and an ack change them */
        uint64_t failovers;     /* for cause, since the count began */
        msec_t since_age;       /* how long ago that was, by the database's clock, >= 0 */
        char loser[LEASE_NAME]; /* who lost it last for cause, "" = nobody */
};

struct lease_rule {
        msec_t ttl;    /* validity of a renewal, counted from the start of its statement */
        msec_t renew;  /* pause between two renewals */
        msec_t look;   /* pause between two reads while somebody else holds it */
        msec_t margin; /* the holder's own validity ends so long before ttl: time to fence in */
};

enum lease_op { OP_NONE, OP_READ, OP_TAKE, OP_RENEW, OP_RELEASE, OP_ACK, OP_COUNT_ };

struct lease_statement { /* what to send now */
        enum lease_op op;
        uint64_t epoch, beat; /* TAKE: compare with these; RENEW, RELEASE: epoch */
        uint64_t new_epoch;   /* TAKE: the epoch it sets */
        uint64_t token;       /* TAKE */
        bool cause;           /* TAKE, RELEASE: a fail-over for cause */
        msec_t window;        /* and a count older than this begins anew */
};

enum lease_answer {
        ANSWER_DONE,    /* one row changed; for READ: the row is given */
        ANSWER_NONE,    /* no row matched */
        ANSWER_REFUSED, /* surely not committed: ER_LOCK_DEADLOCK (1213), could not be sent */
        ANSWER_UNKNOWN, /* timeout, lost connection (2013), 1180 */
};

enum lease_event {
        LEASE_SAME,
        LEASE_WON,
        LEASE_LOST,    /* somebody else's by a fact: stop writing at once */
        LEASE_EXPIRED, /* ours ran out unrenewed: stop writing at once */
        LEASE_FREED,   /* our release is done */
        LEASE_ACKED,   /* our ack is done */
};

struct lease { /* zeroed, then lease_init() */
        char me[LEASE_NAME];
        uint64_t incarnation;
        struct lease_rule rule;

        bool known;        /* row and still_since mean something */
        bool must_read;    /* what we know of the row is out of date: read before the next take */
        bool moved;        /* (epoch, beat) moved since we look: somebody lived while we did */
        bool names_us;     /* the row names us though we do not hold it: a late take, an expired
                              lease */
        bool held;         /* until valid_until */
        bool adopting;     /* the renewal under way is one of wish.adopt */
        bool claiming;     /* a take whose end is not known: its token, epoch, start */
        bool claim_counts; /* it is a fail-over for cause */

        struct lease_row row;
        msec_t row_at;      /* when it was as old as row.since_age says */
        msec_t still_since; /* since when (epoch, beat) have not moved, as seen here */

        uint64_t epoch; /* of our lease while held */
        msec_t valid_until;

        enum lease_op op; /* under way */
        msec_t op_at;     /* when it was sent */
        msec_t next_at;   /* earliest time of the next statement */
        msec_t look_at;   /* while held: earliest time of the next read */

        uint64_t claim_token, claim_epoch;
        struct lease_row claim_from; /* the row it compares with */
        msec_t claim_at, claim_window;
};

/* What the caller wants of it right now. */
struct lease_wish {
        bool lead;          /* take it as soon as that is allowed */
        bool skip_wait;     /* the holder is proven gone: need not stand still for ttl (R) */
        bool release;       /* give it back, held or only naming us: nobody writes here any more */
        uint64_t token;     /* fresh random number for the next take */
        uint64_t min_epoch; /* the volume's epoch file: a take goes beyond it (R) */
        uint64_t adopt;     /* the row names us in this epoch and we can prove that it was our take
                               (R: boot, mount, epoch file agree): go on by a renewal; 0 = no */
        bool look;          /* while held: read the counters too, now and then */
        bool ack;           /* close the breaker */
        bool cause;         /* a release is for cause */
        msec_t window;      /* security_wait */
};

void lease_init(struct lease *l, const char *me, uint64_t incarnation, struct lease_rule rule,
                msec_t now);

/* Is it ours and still valid at `now`? The only question a writer may ask. */
bool lease_valid(const struct lease *l, msec_t now);

/* Time has passed: EXPIRED once, when ours ran out. Call before anything else in every wake-up. */
enum lease_event lease_tick(struct lease *l, msec_t now);

/* The next statement to send, OP_NONE if there is none (or one is under way). Marks it sent. */
struct lease_statement lease_next(struct lease *l, const struct lease_wish *w, msec_t now);

/* How the statement under way ended. `row` only for a READ that is DONE. EXPIRED: a renewal came
 * back when ours had run out, and nobody had called lease_tick() before. */
enum lease_event lease_done(struct lease *l, enum lease_answer a, const struct lease_row *row,
                            msec_t now);

/* ms until lease_next() or lease_tick() has something to do, 0 = now. */
msec_t lease_wait(const struct lease *l, const struct lease_wish *w, msec_t now);

/* May a take be sent now? */
bool lease_free(const struct lease *l, const struct lease_wish *w, msec_t now);

/* Would a take now be a fail-over for cause? Yes if the row still has a holder, and we saw it
 * alive: a boot of everybody is nobody's failure. */
bool lease_take_counts(const struct lease *l);

/* ms since the start of the last renewal that is known to be committed; while held. */
msec_t lease_renewed(const struct lease *l, msec_t now);

/* Another rule while it lives. What is held never gets longer by it, only shorter. */
void lease_set_rule(struct lease *l, struct lease_rule rule);

/* Let the next statement be due now. */
void lease_hurry(struct lease *l, msec_t now);
