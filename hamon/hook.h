/* Runs one hook at a time, far from the loop: hook_keeper.c starts it in a session of its own, and
 * it has ended only when every process that came of it is dead and reaped (R: before that no new
 * one starts). What it says goes to the log, line by line. */
#pragma once

#include "hamon/core/ha.h"
#include "lib/buf.h"
#include "lib/loop.h"

struct hook;

struct hook_run {
        uint64_t id;            /* > 0, of ACTION_START_HOOK; comes back with the result */
        const char *name;       /* "master", for the log */
        const char *path;       /* absolute; see hook_safe.h */
        const char *also;       /* directory of local additions the hook will run; NULL = none */
        const char *const *env; /* its whole environment, ends with NULL */
        msec_t deadline;        /* then SIGTERM, and SIGKILL HOOK_GRACE_MS later */
};

enum { HOOK_LAST = 512, HOOK_LINE = 1000, HOOK_LINES = 1000 };

struct hook_result {          /* borrowed for the time of the call */
        uint64_t id;          /* 0: a leftover of an earlier daemon is gone */
        enum ha_hook_end end; /* OK (0), TEMP (75), FAILED, KILLED (deadline or hook_kill) */
        bool overdue;         /* KILLED by its deadline */
        int code, signal;     /* exit status; or the signal it died of, 0 = none */
        msec_t took;
        const char *last; /* last line of its stderr, at most HOOK_LAST bytes; may be "" */
};

/* Once per hook_start() that returned 0, and once for a leftover; from the loop. May start the
 * next one. */
typedef void (*hook_fn)(void *arg, const struct hook_result *r);

/* `record`: file on tmpfs that lets a restarted daemon find a leftover, which is killed first:
 * until fn has told it is gone, hook_busy() is true. */
int hook_new(struct loop *l, const char *record, hook_fn fn, void *arg, struct hook **ret);
/* What runs is killed by its keeper, unreported. */
void hook_free(struct hook *h);

/* Each line (HOOK_LINES at most), `since` ms after the hook began: what its steps say when they are
 * done. Called with hook_new()'s arg; must not touch h. Without anybody they go to the log. */
typedef void (*hook_line_fn)(void *arg, uint64_t id, const char *line, msec_t since);
void hook_lines(struct hook *h, hook_line_fn fn);

bool hook_busy(const struct hook *h);
/* State, id and end as ha_step() wants them. */
struct ha_hook_facts hook_facts(const struct hook *h);

/* -EBUSY; what hook_safe() says; or why there is no process. A sentence in `error`. */
int hook_start(struct hook *h, const struct hook_run *run, struct buf *error);

/* `now`: SIGKILL to all of it; else SIGTERM first, and SIGKILL after HOOK_GRACE_MS. May be said
 * again, e.g. with `now` after without. */
void hook_kill(struct hook *h, bool now);
