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
        struct node_check *c = reallocarray(n->checks, room + FIRST_SERVICE, sizeof *c);
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
        bool found;
        size_t at = place(n, name, &found);

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
        str_copy(s->name, sizeof s->name, name);
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
        return add_expected(n);
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

int node_container(struct node *n, const char *service, const struct container_facts *f,
                   unsigned restarts, int64_t since)
{
        struct service *s;

        int r = add(n, service, &s);
        if (r < 0)
                return r;
        if (s->present && s->facts.state == CTR_RUNNING)
                return 0; /* several containers of one service: a running one speaks for it */
        s->present = true;
        s->facts = *f;
        s->restarts = restarts;
        s->since = since;
        return 0;
}

void node_containers_end(struct node *n)
{
        for (size_t i = 0; i < n->n_services; i++)
                if (!n->services[i].present)
                        n->services[i].facts = (struct container_facts){ .state = CTR_MISSING };
        forget_absent(n);
}

void node_galera(struct node *n, const struct galera_facts *f, msec_t now)
{
        struct finding finding = judge_galera(f);

        n->galera_facts = *f;
        if (finding.result == RES_PASS && now < n->distrust_until)
                return; /* a thawed member says Primary, Synced for seconds: facts of the rig */
        verdict_step(&n->galera, &n->rule, finding, now);
}

/* An active service is judged by another measure after a change of role: its past does not count.
 */
static void restart_active(struct node *n)
{
        for (size_t i = 0; i < n->n_services; i++)
                if (n->services[i].set == SET_ACTIVE)
                        n->services[i].state = (struct check_state){ .verdict = V_UNKNOWN };
}

void node_set_role(struct node *n, enum role role, msec_t now)
{
        if (role == n->role)
                return;
        n->held = role == ROLE_STANDBY && n->verdict.fitness != FIT && n->config->check.hold > 0;
        n->held_until = now + n->config->check.hold;
        n->role = role;
        restart_active(n);
}

void node_gap(struct node *n, msec_t now)
{
        n->docker = n->galera = (struct check_state){ .verdict = V_UNKNOWN };
        for (size_t i = 0; i < n->n_services; i++)
                n->services[i].state = (struct check_state){ .verdict = V_UNKNOWN };
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
 * picture stands. */
static struct finding service_finding(const struct node *n, const struct service *s)
{
        if (!n->synced)
                return (struct finding){ RES_SKIP, REASON_STARTING };
        return judge_container(&s->facts, s->set, n->role);
}

static void step_services(const struct stepping *st)
{
        struct node *n = st->node;
        bool hold_picture = !n->synced && n->docker.seen &&
                            (n->docker.verdict == V_UP || n->docker.verdict == V_SUSPECT);

        if (hold_picture)
                return;
        for (size_t i = 0; i < n->n_services; i++) {
                struct service *s = &n->services[i];
                if (s->set != SET_IGNORED)
                        step(st, s->name, &s->state, &s->folded, service_finding(n, s));
        }
}

/* Do all required active services run here, whatever the role? */
static bool stack_runs(const struct node *n)
{
        for (size_t i = 0; i < n->n_services; i++) {
                const struct service *s = &n->services[i];
                if (s->set == SET_ACTIVE && !s->optional &&
                    judge_container(&s->facts, s->set, ROLE_MASTER).result != RES_PASS)
                        return false;
        }
        return n->synced;
}

static struct node_verdict judge(struct node *n, msec_t now)
{
        n->checks[0] = (struct node_check){ &n->docker, true };
        n->checks[1] = (struct node_check){ &n->galera, true };
        for (size_t i = 0; i < n->n_services; i++)
                n->checks[FIRST_SERVICE + i] =
                        (struct node_check){ &n->services[i].state, !n->services[i].optional };

        struct node_verdict v = node_judge(n->checks, node_n_checks(n), now);

        if (n->held && (now >= n->held_until || stack_runs(n)))
                n->held = false;
        if (n->held && v.fitness == FIT) {
                v.fitness = UNFIT;
                v.reason = REASON_DEMOTED;
                v.culprit = node_n_checks(n);
        }
        return v;
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
        step_services(&st);

        n->verdict = judge(n, now);
        n->judged_at = now;
        if (n->verdict.fitness != before.fitness || n->verdict.reason != before.reason)
                n->verdict_since = now;
        return n->verdict.fitness != before.fitness || n->verdict.reason != before.reason;
}

msec_t node_next(const struct node *n, msec_t now)
{
        msec_t next = -1;

        for (size_t i = 0; i < node_n_checks(n); i++) {
                const struct check_state *c = i == 0   ? &n->docker
                                              : i == 1 ? &n->galera
                                                       : &n->services[i - FIRST_SERVICE].state;
                msec_t left = verdict_next(c, &n->rule, now);
                if (left >= 0 && (next < 0 || left < next))
                        next = left;
        }
        return next;
}

size_t node_n_checks(const struct node *n)
{
        return FIRST_SERVICE + n->n_services;
}
