/* One message to people, before it is put into the form of any target. Plain data of printable
 * ASCII: whatever comes in is made so once, here, and each format escapes it for its own context.
 */
#pragma once

#include "lib/buf.h"
#include "lib/log.h"

enum alert_phase {
        PHASE_EVENT, /* happened, and needs no end */
        PHASE_OPEN,  /* something is wrong from now on */
        PHASE_OVER,  /* and not any more */
        PHASE_TEST,  /* `hamon alert test` */
        PHASE_COUNT_
};
extern const char *const ALERT_PHASES[PHASE_COUNT_ + 1]; /* "event", "open", …, NULL */

enum { ALERT_ID = 17, ALERT_KEY = 96, ALERT_TITLE = 160, ALERT_TEXT = 1024 };

struct alert_message {
        char id[ALERT_ID];          /* hex; the same at each try, so that a receiver can tell */
        char key[ALERT_KEY];        /* what it is about: "node_silent:n3"; open and over share it */
        char cluster[64], node[64]; /* who says so */
        enum log_level level;
        enum alert_phase phase;
        char title[ALERT_TITLE], text[ALERT_TEXT]; /* text may be "" */
        int64_t at_ms;                             /* Unix time of what it tells */
        uint64_t epoch;                            /* 0 = does not apply */
        uint64_t more; /* so many like it were not told since the last one */
};

/* Copy with truncation; what is no printable ASCII becomes '?', and a line break a blank. */
void alert_copy(char *dst, size_t size, const char *src);

/* The id follows from what the message says, so that an event that is read twice has one. */
void alert_identify(struct alert_message *m);

/* "mailcow: n2 is master", and what stands below it: text, how many more, when, who. */
void alert_headline(const struct alert_message *m, struct buf *out);
void alert_body(const struct alert_message *m, struct buf *out);
/* "2026-11-28T03:22:16Z" */
char *alert_time(int64_t at_ms, char *dst, size_t size);
