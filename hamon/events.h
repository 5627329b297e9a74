/* What this node did and why: each transition, hook and step as one event, with its epoch and how
 * long it took. One call feeds the log, the memory behind `hamon why`, and the file behind `hamon
 * events`, which a process of its own writes: a full or hanging disk costs events, never time.
 *
 * In the file and in the answer to `why` an event is one line of JSON; the answer has them oldest
 * first, each with how long ago it was:
 *
 *     {"at":"2026-11-28T03:22:16.123Z","node":"n1","kind":"state","level":"info","epoch":7,
 *      "from":"standby","to":"claiming","reason":"claim","detail":"…","ms":12,"ago_ms":3400}
 */
#pragma once

#include "lib/buf.h"
#include "lib/log.h"
#include "lib/loop.h"

enum event_kind {
        EVENT_START,
        EVENT_STOP,
        EVENT_STATE,       /* from, to: states; reason: the FSM's event; detail: its comment */
        EVENT_LEASE,       /* to: won, lost, released, refused */
        EVENT_HOOK,        /* a hook begins; to: its mode */
        EVENT_HOOK_END,    /* to: done, temporary, failed, killed; took */
        EVENT_STEP,        /* one step of it said something; took: since the hook began */
        EVENT_VERDICT,     /* from, to: fit, unfit, unknown; reason: of REASONS[] */
        EVENT_VRRP,        /* to: master, backup, … */
        EVENT_PEER,        /* from: the node; to: what it did */
        EVENT_GUARD,       /* to: armed, off, fenced */
        EVENT_GAP,         /* the node, or the daemon, was frozen; took */
        EVENT_REPAIR,      /* from: a service that hangs; to: begun, helped, failed */
        EVENT_START_AGAIN, /* from: a service that Docker left stopped; to: helped, failed; took */
        EVENT_RELOAD,      /* from: who remembers that the database was away; to: done, failed */
        EVENT_REJOIN,      /* from: a database that left its group; to: begun, helped, failed */
        EVENT_ORDER,       /* to: switchover, ack, maintenance, … */
        EVENT_ALERT,       /* to: of HA_ALERTS[] */
        EVENT_NOW,         /* none: how it is now, the last line of the answer to `why` */
        EVENT_COUNT_
};

struct event_row {
        const char *name; /* in log, file and database: at most 32 bytes */
        enum log_level level;
        const char *sentence; /* begins what people read */
};
extern const struct event_row EVENTS[EVENT_COUNT_];

struct happening { /* strings may be NULL: nothing to say */
        enum event_kind kind;
        bool bad; /* at least a warning, whatever its row says */
        uint64_t epoch;
        const char *from, *to, *reason, *detail;
        msec_t took; /* < 0: does not apply */
};

/* "sentence: from -> to, detail (reason)", cut to size; without time, epoch and duration. */
char *events_text(const struct happening *e, char *dst, size_t size);

/* ---- the daemon's side ---- */

struct events;

enum { EVENT_MEMORY = 128, EVENT_FILE_MAX = 1024 * 1024, EVENT_LINE = 2048 };

/* `file` "" = none is written; it is rotated once to file.1 beyond EVENT_FILE_MAX. */
int events_new(struct loop *l, const char *file, const char *node, struct events **ret);
void events_free(struct events *ev); /* what was handed over is still written */

void events_add(struct events *ev, const struct happening *e);
uint64_t events_lost(const struct events *ev); /* that did not get to the file's writer */

/* The last `max` events as the answer to `why`. */
void events_why(const struct events *ev, size_t max, msec_t now, struct buf *out);
/* Its last line: how it is now. Goes nowhere else. */
void events_now(const struct events *ev, const struct happening *e, struct buf *out);

/* ---- the reader's side ---- */

struct event_line { /* one line, as read */
        char at[32], node[64], kind[33], level[8], from[64], to[64], reason[65], detail[1024];
        uint64_t epoch;
        msec_t took, ago; /* < 0: not given */
        int64_t at_ms;    /* Unix time */
};

int events_parse(const char *line, struct event_line *ret); /* -EBADMSG: none of ours */

/* The same event for people: events_text() with epoch and duration. */
char *events_line_text(const struct event_line *e, char *dst, size_t size);
