/* What every step that changes something shares (`hamon volume attach`, `hamon ip assign`, …):
 * its flags, one lock per kind on this node, the lease, the deadline, how it ends. A hook runs
 * steps, and so may a person.
 *
 * The lease. The daemon holds it; a step asks for it over the control socket, line by line:
 *
 *     lease EPOCH    EPOCH: what the hook was started for ($HAMON_EPOCH), 0 = whatever is ours
 *     ok epoch=12 valid_ms=9870 renewed_ms=130 holder=n1 incarnation=00000000deadbeef
 *     no reason="…"
 *
 * renewed_ms: since the START of the last renewal that committed. Asking makes the daemon renew at
 * once, so asking again until renewed_ms is shorter than the time since we began proves a commit
 * from after we began; only durations are compared. Right before each request to a provider that is
 * what is done (step_may), and it must be younger than 0.4 s then. A step whose lease is gone,
 * whose time is up or whose own clock jumped (this node was frozen) sends nothing any more. */
#pragma once

#include "hamon/config.h"
#include "hamon/provider/provider.h"
#include "hamon/rehearsal.h"
#include "lib/child.h"
#include <cjson/cJSON.h>

/* Beside the control socket: the addresses that `ip assign` put on the interface, one a line. */
#define STEP_IP_MEMORY "step-ip.addresses"

enum step_flag {
        STEP_JSON = 1 << 0,
        STEP_NO_LEASE = 1 << 1, /* repair, without daemon or database: asks, or --yes */
        STEP_YES = 1 << 2,
        STEP_SILENT = 1 << 3, /* the old holder does not answer; also by $HAMON_FROM[_SILENT] */
        STEP_FORCE_EPOCH = 1 << 4,
        STEP_TIMEOUT = 1 << 5,
        STEP_SET = 1 << 6,          /* --set warm|active */
        STEP_FENCE = 1 << 7,        /* --fence NODE,… */
        STEP_OFF = 1 << 8,          /* --off NODE,… */
        STEP_ONLY = 1 << 9,         /* --only SERVICE */
        STEP_PART = 1 << 10,        /* --part of the set */
        STEP_RETRY = 1 << 11,       /* --retry TIME */
        STEP_FROM_HERE = 1 << 20,   /* of hamon move: this server's mail is the cluster's */
        STEP_KEPT = 1 << 21,        /* back to what was there before */
        STEP_DRY = 1 << 22,         /* say what would be done */
        STEP_DISCARD = 1 << 12,     /* a member's data, for a full copy */
        STEP_ACCEPT_LOSS = 1 << 13, /* of an unproven choice, by a person */
        STEP_AUTO = 1 << 15,        /* nobody is there to be asked */
        STEP_PLAN = 1 << 14,        /* say it, do nothing */
        STEP_WITHOUT = 1 << 16,     /* --without SERVICE, of a set */
};

enum { STEP_COMMON = STEP_JSON | STEP_TIMEOUT, STEP_REPAIR = STEP_NO_LEASE | STEP_YES };

struct step;

struct step_verb {
        const char *name;           /* "attach"; NULL: the only one of its kind */
        unsigned flags;             /* enum step_flag: what may stand behind it */
        bool needs_lease;           /* else it is asked for only if the step itself wants it */
        msec_t timeout;             /* unless --timeout says else */
        int (*run)(struct step *s); /* ends by `return step_end(…)` */
};

struct step_grant { /* the answer to `lease` */
        bool ok;
        uint64_t epoch, incarnation; /* incarnation 0: it was not said */
        msec_t valid, renewed;
        char holder[64], reason[200];
};

struct step {
        char what[48]; /* "volume attach" */
        const struct step_verb *verb;
        const char *file; /* of the configuration */
        struct config config;
        unsigned flags;
        msec_t timeout, deadline; /* deadline: on clock_ms() */
        msec_t retry;             /* --retry; 0 = not */
        bool warm;                /* --set warm; else the active set */
        const char *fence, *off;  /* names with commas between them; NULL = none */
        const char *only;         /* a service; NULL = none */
        const char *part;         /* of the set, a word; NULL = all of it */
        const char *without;      /* a service of the set that is let be; NULL = none */

        struct step_grant grant; /* as last heard */
        msec_t valid_until;      /* of our lease, on clock_ms() */
        msec_t pulse;            /* when we last knew that we run */
        int refused;             /* why nothing may be changed any more: -EPERM, -ESTALE; sticky */
        char why[256];           /* the sentence to it */

        char lock_path[128];
        int lock_fd;
        struct loop loop;
        struct provider *provider;
        enum config_provider provider_is;
        cJSON *json;                 /* what --json prints besides the usual; NULL without --json */
        struct rehearsal *rehearsal; /* nothing may be changed, and all that is said goes here;
                                        NULL: this is no rehearsal */
};

enum step_result { STEP_DONE, STEP_ALREADY, STEP_TEMPORARY, STEP_FAILED };

/* The words after the kind ("volume"): find the verb, parse its flags, load the configuration, take
 * the lock of the kind, get the lease if need be, run. Returns the exit code: 0, EX_TEMPFAIL, 1,
 * and EX_USAGE, EX_CONFIG, EX_NOPERM. */
int step_main(const char *kind, const struct step_verb *verbs, size_t n_verbs, const char *file,
              int argc, char **argv);

/* Say how it ended, and return the exit code for it. */
int step_end(struct step *s, enum step_result result, const char *fmt, ...) PRINTF(3, 4);
/* The same from what a call returned: -EAGAIN, -EBUSY, -ETIMEDOUT, -ESTALE, -EINTR are temporary.
 */
int step_end_error(struct step *s, int error, const char *what);
/* For what refused it (s->refused), after step_may() said no. */
int step_end_refused(struct step *s);

/* flock(2) on step-<kind>.lock beside the control socket. -EAGAIN: who has it is in s->why. */
int step_lock(struct step *s, const char *kind, msec_t wait, int *ret_fd);

/* Something a person should know, on standard error. */
void step_note(const struct step *s, const char *fmt, ...) PRINTF(2, 3);

/* With --no-lease and without --yes: ask the person. False: "no". True at once otherwise. */
bool step_confirm(struct step *s, const char *fmt, ...) PRINTF(2, 3);

/* Is it in one of --fence and --off: names with commas between them? `list` may be NULL. */
bool step_is_named(const char *list, const char *name);

/* Ask whether to go on, unless --yes or --dry-run. 0, or an exit code and a sentence was said. */
int step_agree(struct step *s, const char *question);

msec_t step_left(const struct step *s, msec_t at_most); /* of its time; at least 1 */

/* The clock is looked at; a jump since the last look means this node was frozen. */
void step_pulse(void *step);
/* A renewal has been committed since this was called, the lease is ours and lasts (always true with
 * --no-lease, once confirmed). Waits up to 3 s. This is `may` of a provider's request. */
bool step_may(void *step);
/* One question: s->grant. 0, -EPERM: "no"; another errno: no daemon, no sense. */
int step_ask(struct step *s);
/* The epoch file is ahead of the row: the daemon shall jump beyond it. */
int step_tell_epoch(struct step *s, uint64_t epoch);
int step_parse_grant(const char *line, struct step_grant *ret); /* pure; -EBADMSG */
/* What follows "key=" in a line of words, up to one of `stop`. -EBADMSG: not there, or too long. */
int step_word(const char *line, const char *key, const char *stop, char *dst, size_t size);

/* One more line of a rehearsal; step_end() and step_note() add to it as well. */
void step_found(struct step *s, enum found f, const char *fmt, ...) PRINTF(3, 4);
/* Why a step refuses to go by this hamon.conf. */
extern const char STEP_OLD_CONFIG[];

/* In a child, with what is left of the time (at most `at_most`), and a moment in any case: what
 * does not hang is not to look as if it did. */
int step_child(struct step *s, int (*fn)(void *arg), void *arg, size_t size, msec_t at_most);
#define STEP_CHILD(s, fn, arg, at_most) step_child(s, fn, arg, sizeof *(arg), at_most)

/* ---- step_provider.c ---- */

/* s->loop, made at the first call. */
int step_loop(struct step *s);

struct step_seen {
        enum provider_result result;
        int error;
        char text[1200];
        struct provider_seen seen;
};

/* s->provider is of this kind, made at the first call, or the first after one of another kind. On
 * failure a sentence was said: the exit code; 0 = fine. */
int step_provider(struct step *s, enum config_provider which);
/* One operation to its end. What changes something asks step_may() first and never runs beside
 * another step's (of whatever kind): the cloud locks the whole server. */
void step_operate(struct step *s, provider_op op, struct provider_request rq, msec_t at_most,
                  struct step_seen *ret);
static inline bool step_went_well(const struct step_seen *o)
{
        return o->result == PROVIDER_DONE || o->result == PROVIDER_ALREADY;
}
int step_end_provider(struct step *s, const struct step_seen *o);
/* The server we run on, in the provider's words. */
void step_own_server(struct step *s, struct step_seen *ret);
