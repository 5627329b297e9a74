/* What people have been told, and what they are told next: dedupe, holds, recoveries, flood
 * control, and who of the cluster speaks. Pure: no clock, no malloc; plain data that may be written
 * to disk (alert_state.h). Times are this node's CLOCK_BOOTTIME in ms.
 *
 * THE RULE: one message per event and cluster.
 *   - An event of a node's own (promoted, demoted, fenced, ...) is told by that node, from its
 * events.
 *   - What is seen about others is told by the speaker (alert_view_speaker). Every node keeps the
 *     same book, and decides the same way at about the same time:
 *     open: it has lasted for its hold, and the speaker has been the same for SETTLE since then.
 *       That is me: I tell. It is another: it counts as told as soon as the speaker's own last word
 *       is younger than that moment, by SLACK. If it falls silent before, whoever speaks then
 * tells. over: the same way, by the speaker of then; not by the node it is about, which knows
 * nothing of it. What has ended while a node was away, others have said, unless it speaks itself.
 *   - A side without a majority says "no_quorum" and nothing else, by its first node, and that one
 *     says that it is over; node k waits STAGGER longer for each node before it that is not there.
 * Told twice rather than never: a speaker that dies within SLACK after it spoke is not believed. */
#pragma once

#include "hamon/web/alert_flood.h"
#include "hamon/web/alert_rule.h"
#include "hamon/web/alert_view.h"

enum { BOOK_ENTRIES = 64, BOOK_PER_WINDOW = 4 };

enum book_source { BOOK_EVENT, BOOK_OWN, BOOK_SIDE, BOOK_CLUSTER, BOOK_SOURCE_COUNT_ };

struct book_entry {
        enum book_source source;
        bool level; /* begins and ends; else it merely happens */
        bool present;
        msec_t since;   /* it began, or ended */
        bool told;      /* people know that it began, and not that it ended */
        bool mine;      /* this node has told it */
        bool kept_back; /* not by itself: the flood had it, and its end is not paid for */
        char about[64]; /* the node that cannot know of it; "" = none */
        msec_t hold, repeat;
        msec_t window_at; /* of `repeat`: at most BOOK_PER_WINDOW messages in it */
        uint64_t window_n;
        uint64_t more; /* that were not told */
        msec_t touched;
        struct alert_message m; /* as it was seen last */
};

struct book_rule {
        msec_t settle, slack, stagger;
        uint64_t burst; /* messages at once */
        msec_t pace;    /* and then one in so long */
        msec_t repeat;  /* of conditions: BOOK_PER_WINDOW messages, then nothing for so long */
};

struct alert_book {
        struct book_rule rule;
        char me[64], cluster[64];
        struct book_entry entries[BOOK_ENTRIES];
        size_t n;

        char speaker[64], before[64]; /* "" = nobody; before: the one before, until speaker_since */
        msec_t speaker_since, before_since;

        uint64_t changes; /* grows with all that must not be forgotten */
        bool looked;      /* there was a good view: neither blind nor without a majority */
        msec_t looked_at; /* the last one */
        struct alert_flood flood;
};

void alert_book_init(struct alert_book *b, const struct book_rule *r, const char *me,
                     const char *cluster, msec_t now);
/* Another rule; what is known stays. */
void alert_book_rule(struct alert_book *b, const struct book_rule *r);

/* One of this node's own events, in the order in which they happened. */
void alert_book_event(struct alert_book *b, const struct alert_rule *r,
                      const struct alert_message *m, msec_t now);

/* How it is now: call it again and again. `unix_ms` dates the messages. */
void alert_book_step(struct alert_book *b, const struct alert_view *v,
                     const struct alert_conditions *k, msec_t now, int64_t unix_ms);

/* The next message to be sent; false = none. */
bool alert_book_next(struct alert_book *b, struct alert_message *ret);
