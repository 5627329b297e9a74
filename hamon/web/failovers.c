/* One pass over the events. A promotion begins with the claim, or with the silence of the node that
 * led, if that was heard; its phases end with the lines that the steps of master.sh write. Several
 * steps run beside each other, so a phase has a beginning of its own: the end of what it waited
 * for. */
#include "hamon/web/failovers.h"

#include <string.h>

enum { SILENCE_MAX_MS = 300000, PEERS = 9 };

const char *const FAILOVER_KINDS[FAILOVER_KINDS_] = { [FAILOVER_START] = "start",
                                                      [FAILOVER_SWITCHOVER] = "switchover",
                                                      [FAILOVER_FAILOVER] = "failover" };
const char *const FAILOVER_RESULTS[FAILOVER_RESULTS_] = {
        [FAILOVER_RUNNING] = "running", [FAILOVER_DONE] = "done", [FAILOVER_FAILED] = "failed"
};

enum phase {
        PHASE_WAIT,
        PHASE_CLAIM,
        PHASE_ATTACH,
        PHASE_MOUNT,
        PHASE_MAIL,
        PHASE_SERVICES,
        PHASE_ADDRESS,
        PHASE_CHECKS,
        PHASE_COUNT_
};

static const struct phase_row {
        const char *name;
        const char *line; /* how the line of the step begins that ends it; NULL: another event */
        enum phase after; /* whose end it begins with; of several, the last */
        enum phase or_after;
} PHASES[PHASE_COUNT_] = {
        [PHASE_WAIT] = { "wait", NULL, PHASE_COUNT_, PHASE_COUNT_ },
        [PHASE_CLAIM] = { "claim", NULL, PHASE_WAIT, PHASE_COUNT_ },
        [PHASE_ATTACH] = { "attach", "volume attach: ", PHASE_CLAIM, PHASE_COUNT_ },
        [PHASE_MOUNT] = { "mount", "volume mount: ", PHASE_ATTACH, PHASE_CLAIM },
        [PHASE_MAIL] = { "mail", "stack start: new mail is taken", PHASE_MOUNT, PHASE_CLAIM },
        [PHASE_SERVICES] = { "services", "stack start: ", PHASE_MOUNT, PHASE_CLAIM },
        [PHASE_ADDRESS] = { "address", "ip assign: ", PHASE_MOUNT, PHASE_CLAIM },
        [PHASE_CHECKS] = { "checks", NULL, PHASE_SERVICES, PHASE_ADDRESS },
};

_Static_assert((int)PHASE_COUNT_ <= (int)FAILOVER_PHASES, "room for each phase");

const char *failover_phase_name(size_t i)
{
        return i < PHASE_COUNT_ ? PHASES[i].name : NULL;
}

struct silence {
        char node[64];
        char at[32];
        int64_t at_ms; /* 0: it answers */
};

struct fold {
        struct failover *list;
        size_t n, max;
        struct failover now; /* the one that is under way */
        bool open, promoting;
        int64_t claimed, hook;      /* Unix time of claim and of the hook's begin; 0: not yet */
        int64_t ends[PHASE_COUNT_]; /* Unix time; 0: did not happen */
        struct silence peers[PEERS];
};

static bool is(const struct event_line *e, const char *kind)
{
        return strcmp(e->kind, kind) == 0;
}

/* ---- one promotion ---- */

static void begin(struct fold *f, const struct event_line *e)
{
        f->open = true;
        f->promoting = false;
        f->hook = 0;
        f->claimed = e->at_ms;
        memset(f->ends, 0, sizeof f->ends);
        f->now = (struct failover){ .began_ms = e->at_ms };
        str_copy(f->now.began, sizeof f->now.began, e->at);
        str_copy(f->now.node, sizeof f->now.node, e->node);
}

static void won(struct fold *f, const struct event_line *e)
{
        if (!f->open)
                begin(f, e);
        f->promoting = true;
        f->ends[PHASE_CLAIM] = e->at_ms;
        f->now.epoch = e->epoch;
        f->now.kind = e->epoch <= 1 ? FAILOVER_START : FAILOVER_SWITCHOVER;
}

static const struct silence *silence_of(const struct fold *f, const char *node)
{
        for (size_t i = 0; i < PEERS; i++)
                if (f->peers[i].at_ms > 0 && strcmp(f->peers[i].node, node) == 0)
                        return &f->peers[i];
        return NULL;
}

/* "master.sh after n1 for n2": n1 held the lease and had not released it. */
static void after(struct fold *f, const char *detail)
{
        const char *from = strstr(detail, " after ");
        const struct silence *s;

        if (!from)
                return;
        from += strlen(" after ");
        str_copy(f->now.old, sizeof f->now.old, from);
        f->now.old[strcspn(f->now.old, " ")] = '\0';
        if (strcmp(f->now.old, f->now.node) == 0) {
                f->now.kind = FAILOVER_START;
                return;
        }
        f->now.kind = FAILOVER_FAILOVER;
        s = silence_of(f, f->now.old);
        if (s && s->at_ms <= f->claimed && f->claimed - s->at_ms <= SILENCE_MAX_MS) {
                f->ends[PHASE_WAIT] = f->claimed;
                f->now.began_ms = s->at_ms;
                str_copy(f->now.began, sizeof f->now.began, s->at);
        }
}

static void hook(struct fold *f, const struct event_line *e)
{
        if (!f->open || !f->promoting)
                return;
        if (f->hook == 0)
                after(f, e->detail);
        f->hook = e->at_ms;
}

static void step(struct fold *f, const struct event_line *e)
{
        if (!f->open || f->hook == 0)
                return;
        for (size_t i = 0; i < PHASE_COUNT_; i++)
                if (PHASES[i].line &&
                    strncmp(e->detail, PHASES[i].line, strlen(PHASES[i].line)) == 0)
                        f->ends[i] = e->took >= 0 ? f->hook + e->took : e->at_ms;
}

/* If nothing of what it waits for was told, with whatever ended last before it. */
static int64_t start_of(const struct fold *f, size_t phase)
{
        const struct phase_row *p = &PHASES[phase];
        int64_t at = p->after == PHASE_COUNT_ ? 0 : f->ends[p->after];

        if (p->or_after != PHASE_COUNT_)
                at = MAX(at, f->ends[p->or_after]);
        for (size_t i = phase; at == 0 && i-- > 0;)
                at = f->ends[i];
        return at > 0 ? at : f->now.began_ms;
}

static void phases(struct fold *f)
{
        struct failover *o = &f->now;

        o->n_phases = 0;
        for (size_t i = 0; i < PHASE_COUNT_; i++) {
                int64_t from = start_of(f, i);
                if (f->ends[i] == 0)
                        continue;
                o->phases[o->n_phases++] =
                        (struct failover_phase){ .name = PHASES[i].name,
                                                 .from = MAX(0, from - o->began_ms),
                                                 .took = MAX(0, f->ends[i] - from) };
        }
}

static void close_it(struct fold *f, enum failover_result result, int64_t at)
{
        if (!f->open || !f->promoting)
                return;
        f->now.result = result;
        f->now.total = MAX(0, at - f->now.began_ms);
        phases(f);
        if (f->n == f->max)
                memmove(f->list, f->list + 1, --f->n * sizeof *f->list);
        f->list[f->n++] = f->now;
        f->open = false;
}

/* ---- events ---- */

static void state(struct fold *f, const struct event_line *e)
{
        bool was_claiming = strcmp(e->from, "claiming") == 0;

        if (strcmp(e->to, "claiming") == 0) {
                if (!was_claiming)
                        begin(f, e);
        } else if (strcmp(e->to, "promoting") == 0) {
                if (!f->promoting || !f->open)
                        won(f, e);
        } else if (strcmp(e->from, "promoting") == 0) {
                close_it(f, strcmp(e->to, "master") == 0 ? FAILOVER_DONE : FAILOVER_FAILED,
                         e->at_ms);
        } else if (was_claiming) {
                f->open = false;
        }
}

static void peer(struct fold *f, const struct event_line *e)
{
        struct silence *place = NULL;
        bool silent = strcmp(e->to, "silent") == 0;

        for (size_t i = 0; i < PEERS; i++)
                if (strcmp(f->peers[i].node, e->from) == 0 || (!place && !*f->peers[i].node))
                        place = &f->peers[i];
        if (!place || (silent && place->at_ms > 0))
                return;
        str_copy(place->node, sizeof place->node, e->from);
        str_copy(place->at, sizeof place->at, e->at);
        place->at_ms = silent ? e->at_ms : 0;
}

static void take(struct fold *f, const struct event_line *e)
{
        if (is(e, "state"))
                state(f, e);
        else if (is(e, "peer"))
                peer(f, e);
        else if (is(e, "hook") && strcmp(e->to, "promote") == 0)
                hook(f, e);
        else if (is(e, "step"))
                step(f, e);
        else if (is(e, "hook_end") && f->open && f->hook > 0 && strcmp(e->to, "done") == 0)
                f->ends[PHASE_CHECKS] = e->at_ms;
        else if (is(e, "start"))
                close_it(f, FAILOVER_FAILED, e->at_ms); /* the daemon died in the middle of it */
}

size_t failovers_fold(const struct event_line *events, size_t n, int64_t now, struct failover *ret,
                      size_t max)
{
        struct fold f = { .list = ret, .max = max };

        if (max == 0)
                return 0;
        for (size_t i = 0; i < n; i++)
                take(&f, &events[i]);
        close_it(&f, FAILOVER_RUNNING, now);
        return f.n;
}
