/* How this node stands with what all nodes must have the same, as `hamon sync` last left it on
 * tmpfs: for the daemon, which tells the others, and for people. */
#pragma once

#include "lib/buf.h"

enum sync_reason {
        SYNC_NONE,  /* never looked */
        SYNC_LEADS, /* this node leads: the others take from it */
        SYNC_IN_STEP,
        SYNC_BEHIND, /* a dry run found differences, or they could not be put in their place */
        SYNC_PAUSED, /* maintenance */
        SYNC_OTHER_MAILCOW, /* another version than the leader's: its configuration stays */
        SYNC_NO_LEADER,
        SYNC_UNREACHABLE, /* who leads does not answer */
        SYNC_BAD_SECRET,
        SYNC_ERROR,
        SYNC_SILENT, /* said of a hamon-sync that does not look any more */
        SYNC_REASON_COUNT_
};
extern const struct sync_reason_row {
        const char *name, *sentence;
} SYNC_REASONS[SYNC_REASON_COUNT_];

struct sync_state {
        enum sync_reason reason;
        char leader[64], digest[17]; /* what was last found the same here as there; "" = never */
        char text[256];              /* a sentence, if something is wrong */
        uint64_t epoch, items, bytes;
        msec_t looked_at, in_step_at; /* CLOCK_BOOTTIME; 0 = never in this boot */
};

int sync_state_write(const char *file, const struct sync_state *s);
/* -ENOENT: none in this boot; -EBADMSG: no such file. */
int sync_state_read(const char *file, struct sync_state *ret);
int sync_state_parse(const char *text, struct sync_state *ret);

/* What a node tells of it: words, "" = hamon-sync has not run here in this boot. */
enum { SYNC_WORD = 24, SYNC_SILENT_MS = 3 * 60 * 1000 };
struct sync_word {
        char reason[SYNC_WORD]; /* of SYNC_REASONS */
        char digest[17];
        msec_t out_ms; /* for so long it is not in step; 0 = it is, or it leads, or "" */
};
/* Pure. `now`: CLOCK_BOOTTIME; late is three intervals and three minutes more. */
void sync_state_word(const struct sync_state *s, msec_t interval, msec_t now,
                     struct sync_word *ret);
/* For people; a name that is not ours comes back as it is. */
const char *sync_sentence(const char *reason);
/* Does `reason` mean that this node has what the leader has? "" too: it is not known. */
bool sync_reason_well(const char *reason);
