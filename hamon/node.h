/* This node as a model: its services, its checks, its role, and the verdict they add up to. It
 * takes facts and a time and does no I/O; daemon.c and `hamon check --direct` feed it, status.c
 * shows it. */
#pragma once

#include "hamon/config.h"
#include "hamon/core/judge.h"
#include "hamon/core/probes.h"

struct service {
        char name[64];
        enum set set;
        bool optional, expected; /* expected: named in hamon.conf, so missing is a fault */
        bool present;            /* the last list had it */
        bool ended;              /* node_container_ended(); until the next full picture */
        struct container_facts facts;
        struct {
                bool yes;
                int64_t since;
                msec_t seen_at;
                bool answered; /* all of its probes, since then */
        } runs; /* as of the last node_eval(): which start of it, and when that was seen */
        unsigned restarts;
        int64_t since; /* unix time of the container's last start or stop, 0 = unknown */
        struct check_state state;
        struct finding folded; /* what the last step saw */
};

struct node_probed {
        struct check_state state;
        enum verdict told; /* what the last node_eval reported of it */
        char text[160];
        msec_t took; /* its last answer */
};

struct node {
        const struct config *config; /* borrowed */
        struct rule rule;
        enum role role;

        enum engine_state engine;
        char engine_text[160];
        bool synced; /* the containers' facts are facts */
        struct check_state docker;
        struct finding docker_folded;

        struct galera_facts galera_facts;
        struct check_state galera;
        struct finding galera_folded;
        msec_t galera_counted;    /* when the last sample counted */
        enum verdict galera_told; /* what the last node_eval reported of it */
        msec_t distrust_until;    /* after a gap Galera's own word counts for nothing until then */

        struct service *services; /* sorted by name */
        size_t n_services, room;
        struct node_check *checks; /* docker, galera, the services, the probes; scratch of eval */

        bool probing; /* somebody runs the probes */
        struct node_probed probes[PROBE_COUNT_];

        struct node_verdict verdict;
        bool fault; /* keepalived's state is FAULT: we said so while it was MASTER, maybe */
        bool led;   /* the active services were started here: they are judged as a master's */
        msec_t verdict_since, judged_at;
};

int node_init(struct node *n, const struct config *c, enum role role, msec_t now);
void node_done(struct node *n);

/* Take over a new configuration; verdicts of services that stay are kept. */
int node_reconfigure(struct node *n, const struct config *c);

/* A service nobody has heard of counts as active, as in [stack]. */
enum set node_set_of(const struct node *n, const char *service);

/* ---- facts in ---- */
void node_engine(struct node *n, enum engine_state s, const char *text, bool synced);
/* A full picture of the containers: begin, one call per container, end (what was not named is
 * missing). -E2BIG beyond 10,000 services. */
void node_containers_begin(struct node *n);
int node_container(struct node *n, const char *service, const struct container_facts *f,
                   unsigned restarts, int64_t since);
void node_containers_end(struct node *n);
/* The service's last running container ended, as was seen without the engine: a fact also while
 * it is not synced. */
void node_container_ended(struct node *n, const char *service, const struct container_facts *f,
                          int64_t since);
void node_galera(struct node *n, const struct galera_facts *f, msec_t now);
/* Probes are run from now on (or no more), and one's answer. They count only while this node is
 * judged as a master: before, and on a standby, there is nobody to answer. */
void node_probing(struct node *n, bool on);
void node_probe(struct node *n, enum probe which, struct finding f, const char *text, msec_t now);
void node_set_role(struct node *n, enum role role, bool fault); /* what keepalived last said */
/* The same by the lease: a master of it has started its active services, so it is judged by their
 * measure from the beginning, also if they have all ended since. */
void node_set_lead(struct node *n, enum role role);
/* The process slept (frozen node, stopped daemon): forget what was known. */
void node_gap(struct node *n, msec_t now);

/* node_repair.c: a required service of the active set that runs and does not work, as its probes or
 * its healthcheck say, or that is paused for half of grace. NULL: there is none, or it is starting;
 * or this node is not judged as a master, or not asked yet by its probes (a healthcheck that was
 * late while all of it started is no reason), or Docker or the volume fails too, or too much at
 * once: then it is no service's fault. */
const struct service *node_hung(const struct node *n, msec_t now);
/* It was started within check.start_period, and has not answered its probes since. */
bool node_is_starting(const struct node *n, const char *service, msec_t now);
/* What makes this node unfit is that services are starting, and nothing else; for no longer than
 * grace and start_period since they failed, however often they start. */
bool node_awaits_start(const struct node *n, msec_t now);
/* A warm service that Docker could not start, and so leaves as it is: the next one by name after
 * `after`, or the first one. NULL: there is none, or Docker cannot be asked. Who was stopped by a
 * person is none. */
const struct service *node_left_stopped(const struct node *n, const char *after);

/* ---- verdict out ---- */
enum fold {
        FOLD_CHANGES, /* only what is different from the last step (an event came) */
        FOLD_TICK,    /* everything once: the regular sample that rise, fall and grace count */
};

struct node_change { /* one check's verdict changed */
        const char *name;
        enum verdict from, to;
        enum reason reason;
};

typedef void (*node_change_fn)(void *arg, const struct node_change *c);

/* node_probe.c, for node_eval() alone */
struct rule node_probe_rule(const struct node *n);
void node_probes_step(struct node *n, msec_t now, node_change_fn fn, void *arg);
void node_probes_forget(struct node *n);

enum voucher {
        VOUCH_NONE,   /* nobody asks this service */
        VOUCH_UNSURE, /* not all answered lately, none fails for long enough to count */
        VOUCH_WORKS,  /* every vital question was answered, the last time too */
        VOUCH_HUNG,   /* one fails for long enough to count */
};
/* What our own probes say of a service: Docker's healthcheck is a second opinion only, for it also
 * fails where its command came too late on a busy machine. */
enum voucher node_probes_vouch(const struct node *n, const struct service *s);
/* All that it is asked was answered since it runs. */
bool node_probes_answered(const struct node *n, const struct service *s);

/* Step the checks and judge the node. Returns true if fitness or reason changed. */
bool node_eval(struct node *n, enum fold fold, msec_t now, node_change_fn fn, void *arg);

/* Could this node lead, whatever it does now? By a standby's measure, as of the last node_eval().
 */
enum fitness node_candidate(struct node *n);

/* ms until some check's grace runs out, -1 = nothing is running. */
msec_t node_next(const struct node *n, msec_t now);

/* ---- words ---- */
size_t node_n_checks(const struct node *n);
const struct check_state *node_check_state(const struct node *n, size_t i);
bool node_check_required(const struct node *n, size_t i); /* false: never makes the node unfit */
bool node_check_shown(const struct node *n, size_t i);
const struct service *node_check_service(const struct node *n, size_t i); /* NULL: no service's */
/* PROBE_COUNT_: not a probe's. */
enum probe node_check_probe(const struct node *n, size_t i);
const char *node_check_name(const struct node *n, size_t i);
/* How long the answer took that the verdict is of; -1 = none was asked for. */
msec_t node_check_took(const struct node *n, size_t i);
/* One sentence on check i: what is wrong, with names and numbers. Returns dst. */
char *node_check_message(const struct node *n, size_t i, char *dst, size_t size);
/* One sentence on the node. Returns dst. */
char *node_message(const struct node *n, char *dst, size_t size);
/* `fit role=standby reason=ok age_ms=12 msg="…"` without a newline. Returns dst. */
char *node_check_line(const struct node *n, msec_t now, char *dst, size_t size);
