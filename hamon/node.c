/* Facts in, verdict out. Samples (engine, Galera) count once per tick or poll; a container's state
 * is a level: it is folded when it changes and once per tick, so that a storm of events cannot make
 * a flapping service look risen. */
#include "hamon/node.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SERVICES = 10000, FIRST_SERVICE = 2 };

static bool same(struct finding a, struct finding b)
{
        return a.result == b.result && a.reason == b.reason;
}

/* ---- the table of services ---- */

/* Index of `name`, or where it would stand (*ret_found tells). */
static size_t place(const struct node *n, const char *name, bool *ret_found)
{
        size_t lo = 0, hi = n->n_services;

        while (lo < hi) {
                size_t mid = (lo + hi) / 2;
                int cmp = strcmp(n->services[mid].name, name);
                if (cmp == 0) {
                        *ret_found = true;
                        return mid;
                }
                if (cmp < 0)
                        lo = mid + 1;
                else
                        hi = mid;
        }
        *ret_found = false;
        return lo;
}

static int grow(struct node *n)
{
        size_t room = n->room ? n->room * 2 : 32;

        if (n->n_services < n->room)
                return 0;
        struct service *s = reallocarray(n->services, room, sizeof *s);
        if (!s)
                return -ENOMEM;
        n->services = s;
        struct node_check *c =
                reallocarray(n->checks, room + FIRST_SERVICE + PROBE_COUNT_, sizeof *c);
        if (!c)
                return -ENOMEM;
        n->checks = c;
        n->room = room;
        return 0;
}

static void classify(struct service *s, const struct config *c)
{
        s->set = SET_ACTIVE;
        if (strlist_has(&c->stack.ignore, s->name))
                s->set = SET_IGNORED;
        else if (strlist_has(&c->stack.warm, s->name))
                s->set = SET_WARM;
        s->expected = s->set == SET_WARM || strlist_has(&c->stack.active, s->name);
        s->optional = s->set == SET_IGNORED || strlist_has(&c->stack.optional, s->name);
}

static int add(struct node *n, const char *name, struct service **ret)
{
        char key[sizeof n->services->name];
        bool found;

        str_copy(key, sizeof key, name); /* a longer one would never find itself again */
        size_t at = place(n, key, &found);
        if (found) {
                *ret = &n->services[at];
                return 0;
        }
        if (n->n_services >= MAX_SERVICES)
                return -E2BIG;
        int r = grow(n);
        if (r < 0)
                return r;

        struct service *s = &n->services[at];
        memmove(s + 1, s, (n->n_services - at) * sizeof *s);
        *s = (struct service){ .present = false };
        str_copy(s->name, sizeof s->name, key);
        classify(s, n->config);
        n->n_services++;
        *ret = s;
        return 0;
}

static int add_expected(struct node *n)
{
        const struct strlist *lists[] = { &n->config->stack.warm, &n->config->stack.active };
        struct service *s;

        for (size_t l = 0; l < ARRAY_SIZE(lists); l++)
                for (size_t i = 0; i < lists[l]->n; i++) {
                        int r = add(n, lists[l]->v[i], &s);
                        if (r < 0)
                                return r;
                }
        return 0;
}

/* Services that are neither there nor expected leave the table. */
static void forget_absent(struct node *n)
{
        size_t kept = 0;

        for (size_t i = 0; i < n->n_services; i++)
                if (n->services[i].present || n->services[i].expected)
                        n->services[kept++] = n->services[i];
        n->n_services = kept;
}

static void take_rules(struct node *n, const struct config *c)
{
        n->config = c;
        n->rule = (struct rule){ .rise = (unsigned)c->check.rise,
                                 .fall = (unsigned)c->check.fall,
                                 .grace = c->check.grace,
                                 .stale = c->check.stale };
}

int node_init(struct node *n, const struct config *c, enum role role, msec_t now)
{
        *n = (struct node){ .role = role,
                            .galera_facts = { .conf_id = -1 },
                            .verdict = { .fitness = UNSURE, .reason = REASON_STARTING },
                            .verdict_since = now };
        take_rules(n, c);
        int r = grow(n); /* the first two checks need room even without services */
        return r < 0 ? r : add_expected(n);
}

void node_done(struct node *n)
{
        free(n->services);
        free(n->checks);
        *n = (struct node){ .config = NULL };
}

int node_reconfigure(struct node *n, const struct config *c)
{
        take_rules(n, c);
        for (size_t i = 0; i < n->n_services; i++)
                classify(&n->services[i], c);
        forget_absent(n);
        int r = add_expected(n);
        n->verdict.culprit = node_n_checks(n); /* places have moved; the next judgement knows */
        return r;
}

enum set node_set_of(const struct node *n, const char *service)
{
        bool found;
        size_t at = place(n, service, &found);

        return found ? n->services[at].set : SET_ACTIVE;
}

/* ---- facts in ---- */

void node_engine(struct node *n, enum engine_state s, const char *text, bool synced)
{
        n->engine = s;
        n->synced = synced;
        str_copy(n->engine_text, sizeof n->engine_text, text);
}

void node_containers_begin(struct node *n)
{
        for (size_t i = 0; i < n->n_services; i++)
                n->services[i].present = false;
}

/* Several containers of one service: the best one speaks for it, in whatever order they come. */
static bool speaks_before(const struct container_facts *a, const struct container_facts *b)
{
        static const int STATES[CTR_STATE_COUNT_] = {
                [CTR_RUNNING] = 7, [CTR_PAUSED] = 6,   [CTR_RESTARTING] = 5, [CTR_CREATED] = 4,
                [CTR_EXITED] = 3,  [CTR_REMOVING] = 2, [CTR_DEAD] = 1,
        };
        static const int HEALTHS[HEALTH_COUNT_] = {
                [HEALTH_HEALTHY] = 3, [HEALTH_NONE] = 3, [HEALTH_STARTING] = 2
        };

        if (a->state != b->state)
                return STATES[a->state] > STATES[b->state];
        return HEALTHS[a->health] > HEALTHS[b->health];
}

int node_container(struct node *n, const char *service, const struct container_facts *f,
                   unsigned restarts, int64_t since)
{
        struct service *s;

        int r = add(n, service, &s);
        if (r < 0)
                return r;
        if (s->present && !speaks_before(f, &s->facts))
                return 0;
        s->present = true;
        s->ended = false;
        s->facts = *f;
        s->restarts = restarts;
        s->since = since;
        return 0;
}

void node_containers_end(struct node *n)
{
        for (size_t i = 0; i < n->n_services; i++)
                if (!n->services[i].present) {
                        n->services[i].facts = (struct container_facts){ .state = CTR_MISSING };
                        n->services[i].ended = false;
                }
        forget_absent(n);
}

void node_container_ended(struct node *n, const char *service, const struct container_facts *f,
                          int64_t since)
{
        bool found;
        size_t at = place(n, service, &found);

        if (!found)
                return;
        n->services[at].facts = *f;
        n->services[at].since = since;
        n->services[at].ended = true;
}

void node_galera(struct node *n, const struct galera_facts *f, msec_t now)
{
        struct finding finding = judge_galera(f);

        n->galera_facts = *f;
        if (finding.result == RES_PASS && now < n->distrust_until)
                return; /* a thawed member says Primary, Synced for seconds: facts of the rig */
        if (n->galera.seen && same(n->galera_folded, finding) &&
            now - n->galera_counted < n->config->check.interval / 2)
                return; /* anybody may ask for a poll: only news counts before its time */
        n->galera_folded = finding;
        n->galera_counted = now;
        verdict_step(&n->galera, &n->rule, finding, now);
}

void node_set_role(struct node *n, enum role role, bool fault)
{
        n->role = role;
        n->fault = fault;
}

void node_set_lead(struct node *n, enum role role)
{
        node_set_role(n, role, false);
        n->led |= role == ROLE_MASTER;
}

void node_gap(struct node *n, msec_t now)
{
        n->docker = n->galera = (struct check_state){ .verdict = V_UNKNOWN };
        for (size_t i = 0; i < n->n_services; i++) {
                n->services[i].state = (struct check_state){ .verdict = V_UNKNOWN };
                n->services[i].ended = false;
        }
        node_probes_forget(n);
        n->synced = false;
        n->engine = ENGINE_UNKNOWN;
        n->distrust_until = now + n->rule.stale;
}

/* ---- verdict out ---- */

struct stepping {
        struct node *node;
        enum fold fold;
        msec_t now;
        node_change_fn fn;
        void *arg;
};

/* Between ticks a finding that is not new counts only where time alone decides: in grace. */
static bool nothing_new(const struct check_state *c, struct finding folded, struct finding f)
{
        bool in_grace = f.result == RES_FAIL &&
                        (c->verdict == V_SUSPECT || reason_has(f.reason, REASON_CERTAIN));

        return c->seen && same(folded, f) && !in_grace;
}

static void step(const struct stepping *st, const char *name, struct check_state *c,
                 struct finding *folded, struct finding f)
{
        enum verdict before = c->verdict;

        if (st->fold == FOLD_CHANGES && nothing_new(c, *folded, f))
                return;
        *folded = f;
        verdict_step(c, &st->node->rule, f, st->now);
        if (c->verdict != before && st->fn)
                st->fn(st->arg, &(struct node_change){ name, before, c->verdict, c->reason });
}

/* The containers' facts hold as long as the engine check is not down: within its grace the last
 * picture stands. Who was seen to end without the engine's help has ended. */
static struct finding service_finding(const struct node *n, const struct service *s)
{
        if (!n->synced && !s->ended)
                return (struct finding){ RES_SKIP, REASON_STARTING };

        struct finding f = judge_container(&s->facts, s->set, n->led ? ROLE_MASTER : ROLE_STANDBY);
        if (f.result == RES_PASS && n->role == ROLE_MASTER && !n->led && s->set == SET_ACTIVE)
                f.reason = REASON_STACK_DOWN;
        if (f.reason == REASON_CONTAINER_UNHEALTHY && node_probes_vouch(n, s) == VOUCH_WORKS)
                f.result = RES_PASS; /* told, and no more */
        return f;
}

static bool any_active_runs(const struct node *n)
{
        for (size_t i = 0; i < n->n_services; i++) {
                const struct service *s = &n->services[i];
                if (s->set == SET_ACTIVE && !s->optional && s->facts.state == CTR_RUNNING)
                        return true;
        }
        return false;
}

/* By whose measure are the active services judged? keepalived only proposes: a node told MASTER is
 * a candidate, by a standby's measure, until its active services are started. From then on it is
 * judged as a master, also after it lost the role because one of them failed, or keepalived would
 * hand it the lead back at once. Stopping them all as a standby makes it a candidate again. */
static void settle_measure(struct node *n)
{
        if (!n->synced)
                return;
        bool runs = any_active_runs(n);
        if (runs && (n->role == ROLE_MASTER || n->fault))
                n->led = true; /* fault: a daemon restarted on a failed master */
        else if (!runs && n->role != ROLE_MASTER)
                n->led = false;
}

static void note_start(const struct node *n, struct service *s, msec_t now)
{
        bool yes = s->facts.state == CTR_RUNNING || s->facts.state == CTR_PAUSED;

        if (yes && (!s->runs.yes || s->runs.since != s->since)) {
                s->runs.seen_at = now;
                s->runs.since = s->since;
                s->runs.answered = false;
        }
        s->runs.yes = yes;
        s->runs.answered |= yes && node_probes_answered(n, s);
}

static void step_services(const struct stepping *st)
{
        struct node *n = st->node;
        bool hold_picture = !n->synced && n->docker.seen &&
                            (n->docker.verdict == V_UP || n->docker.verdict == V_SUSPECT);

        for (size_t i = 0; i < n->n_services; i++) {
                struct service *s = &n->services[i];
                note_start(n, s, st->now);
                if (s->set != SET_IGNORED && (!hold_picture || s->ended))
                        step(st, s->name, &s->state, &s->folded, service_finding(n, s));
        }
}

static struct node_verdict judge(struct node *n, msec_t now)
{
        for (size_t i = 0; i < node_n_checks(n); i++)
                n->checks[i] =
                        (struct node_check){ node_check_state(n, i), node_check_required(n, i) };

        return node_judge(n->checks, node_n_checks(n), now);
}

enum fitness node_candidate(struct node *n)
{
        if (!n->led)
                return n->verdict.fitness;
        for (size_t i = 0; i < node_n_checks(n); i++) {
                bool active =
                        i >= FIRST_SERVICE && (i >= FIRST_SERVICE + n->n_services || /* a probe */
                                               n->services[i - FIRST_SERVICE].set == SET_ACTIVE);
                n->checks[i] = (struct node_check){ node_check_state(n, i),
                                                    node_check_required(n, i) && !active };
        }
        return node_judge(n->checks, node_n_checks(n), n->judged_at).fitness;
}

bool node_eval(struct node *n, enum fold fold, msec_t now, node_change_fn fn, void *arg)
{
        struct stepping st = { n, fold, now, fn, arg };
        struct node_verdict before = n->verdict;

        step(&st, "docker", &n->docker, &n->docker_folded, judge_engine(n->engine));
        verdict_step(&n->galera, &n->rule, (struct finding){ RES_SKIP, REASON_OK }, now);
        if (n->galera.verdict != n->galera_told && fn)
                fn(arg, &(struct node_change){ "galera", n->galera_told, n->galera.verdict,
                                               n->galera.reason });
        n->galera_told = n->galera.verdict;
        settle_measure(n);
        step_services(&st);
        node_probes_step(n, now, fn, arg);

        n->verdict = judge(n, now);
        n->judged_at = now;
        if (n->verdict.fitness != before.fitness || n->verdict.reason != before.reason)
                n->verdict_since = now;
        return n->verdict.fitness != before.fitness || n->verdict.reason != before.reason;
}

msec_t node_next(const struct node *n, msec_t now)
{
        msec_t next = -1;

        struct rule probes = node_probe_rule(n);

        for (size_t i = 0; i < node_n_checks(n); i++) {
                bool probe = node_check_probe(n, i) != PROBE_COUNT_;
                msec_t left = verdict_next(node_check_state(n, i), probe ? &probes : &n->rule, now);
                if (left >= 0 && (next < 0 || left < next))
                        next = left;
        }
        return next;
}

size_t node_n_checks(const struct node *n)
{
        return FIRST_SERVICE + n->n_services + PROBE_COUNT_;
}

const struct service *node_check_service(const struct node *n, size_t i)
{
        bool is = i >= FIRST_SERVICE && i < FIRST_SERVICE + n->n_services;

        return is ? &n->services[i - FIRST_SERVICE] : NULL;
}

enum probe node_check_probe(const struct node *n, size_t i)
{
        size_t first = FIRST_SERVICE + n->n_services;

        return i >= first && i - first < PROBE_COUNT_ ? (enum probe)(i - first) : PROBE_COUNT_;
}

const struct check_state *node_check_state(const struct node *n, size_t i)
{
        const struct service *s = node_check_service(n, i);

        if (i < FIRST_SERVICE)
                return i == 0 ? &n->docker : &n->galera;
        return s ? &s->state : &n->probes[node_check_probe(n, i)].state;
}

bool node_check_required(const struct node *n, size_t i)
{
        const struct service *s = node_check_service(n, i);

        if (i < FIRST_SERVICE)
                return true;
        return s ? !s->optional
                 : node_check_shown(n, i) && config_probe_vital(n->config, node_check_probe(n, i));
}

bool node_check_shown(const struct node *n, size_t i)
{
        const struct service *s = node_check_service(n, i);

        if (i < FIRST_SERVICE)
                return true;
        return s ? s->set != SET_IGNORED
                 : n->probing && n->led && config_probe_on(n->config, node_check_probe(n, i));
}
