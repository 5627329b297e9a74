/* How noise becomes a verdict. `fall` filters single bad samples, `grace` gives a service time to
 * be repaired, `rise` keeps a flapping one from looking well, `stale` keeps silence from looking
 * like health. A check that was never UP is never SUSPECT (= still good enough): it goes from
 * UNKNOWN to DOWN. */
#include "hamon/core/verdict.h"

const char *const ROLES[ROLE_COUNT_] = { [ROLE_STANDBY] = "standby", [ROLE_MASTER] = "master" };
const char *const VERDICTS[V_COUNT_] = {
        [V_UNKNOWN] = "unknown", [V_UP] = "up", [V_SUSPECT] = "suspect", [V_DOWN] = "down"
};
const char *const FITNESSES[FITNESS_COUNT_] = {
        [FIT] = "fit", [UNFIT] = "unfit", [UNSURE] = "unknown"
};

static enum verdict set(struct check_state *c, enum verdict v, msec_t now)
{
        if (c->verdict != v) {
                c->verdict = v;
                c->changed_at = now;
        }
        return v;
}

/* The last result was a failure that counts: only grace keeps the verdict from DOWN. */
static bool in_grace(const struct check_state *c, const struct rule *rule)
{
        unsigned fall = reason_has(c->reason, REASON_CERTAIN) ? 1 : rule->fall;

        return c->last == RES_FAIL && c->bad && c->verdict != V_DOWN &&
               (c->verdict == V_SUSPECT || c->streak >= fall);
}

static enum verdict step_skip(struct check_state *c, const struct rule *rule, msec_t now)
{
        if (!c->seen)
                return c->verdict;
        if (now - c->fresh_at < rule->stale) {
                if (in_grace(c, rule) && now - c->bad_since >= rule->grace)
                        return set(c, V_DOWN, now); /* grace needs no further failure to end */
                return c->verdict;
        }

        c->reason = REASON_STALE; /* what was known no longer counts, its history neither */
        c->bad = false;
        c->streak = 0;
        return set(c, V_UNKNOWN, now);
}

/* Passes again, but not for long enough: what it failed for is still why it is not UP. */
static bool recovering(const struct check_state *c, const struct rule *rule)
{
        return c->bad && c->verdict != V_UP && c->streak < rule->rise;
}

static enum verdict step_pass(struct check_state *c, const struct rule *rule, msec_t now)
{
        if (c->bad && c->streak < rule->rise)
                return c->verdict;

        c->bad = false;
        return set(c, V_UP, now);
}

static enum verdict step_fail(struct check_state *c, const struct rule *rule, msec_t now)
{
        msec_t grace = reason_has(c->reason, REASON_NO_GRACE) ? 0 : rule->grace;

        if (!c->bad) {
                c->bad = true;
                c->bad_since = now;
        }
        if (!in_grace(c, rule))
                return c->verdict;
        if (now - c->bad_since >= grace)
                return set(c, V_DOWN, now);
        if (c->verdict == V_UP)
                return set(c, V_SUSPECT, now);
        return c->verdict;
}

enum verdict verdict_step(struct check_state *c, const struct rule *rule, struct finding f,
                          msec_t now)
{
        if (f.result == RES_SKIP)
                return step_skip(c, rule, now);
        if (!c->seen)
                *c = (struct check_state){ .seen = true, .changed_at = now };

        c->streak = f.result == c->last && c->streak < UINT32_MAX ? c->streak + 1 : 1;
        c->last = f.result;
        c->fresh_at = now;
        if (f.result != RES_PASS || !recovering(c, rule))
                c->reason = f.reason;

        if (f.result == RES_PASS)
                return step_pass(c, rule, now);
        if (f.result == RES_FAIL)
                return step_fail(c, rule, now);
        return c->verdict == V_UNKNOWN && !c->bad ? set(c, V_UP, now) : c->verdict; /* RES_WAIT */
}

bool check_counts(const struct check_state *c)
{
        return c->seen && c->bad && c->last == RES_FAIL &&
               (c->verdict == V_SUSPECT || c->verdict == V_DOWN);
}

msec_t verdict_next(const struct check_state *c, const struct rule *rule, msec_t now)
{
        msec_t at = c->fresh_at + rule->stale, grace_ends = c->bad_since + rule->grace;

        if (!c->seen)
                return -1;
        if (in_grace(c, rule) && grace_ends > now && grace_ends < at)
                at = grace_ends;
        return at > now ? at - now : -1;
}

struct node_verdict node_judge(const struct node_check *checks, size_t n, msec_t now)
{
        struct node_verdict v = { .fitness = FIT, .reason = REASON_OK, .culprit = n };
        static const int RANK[V_COUNT_] = {
                [V_UP] = 1, [V_SUSPECT] = 2, [V_UNKNOWN] = 3, [V_DOWN] = 4
        };
        int worst = 0;

        for (size_t i = 0; i < n; i++) {
                const struct check_state *c = checks[i].state;
                if (!checks[i].required)
                        continue;

                if (c->seen && now - c->fresh_at > v.age)
                        v.age = now - c->fresh_at;

                int rank = RANK[c->verdict];
                if (rank < worst || (rank == worst && v.reason != REASON_OK))
                        continue;
                worst = rank;
                v.reason = !c->seen ? REASON_STARTING : c->reason;
                if (c->verdict == V_UP && c->last != RES_PASS)
                        v.reason = REASON_OK; /* one bad sample is no news yet */
                v.culprit = v.reason == REASON_OK ? n : i;
        }

        if (worst == RANK[V_DOWN])
                v.fitness = UNFIT;
        else if (worst == RANK[V_UNKNOWN] || worst == 0)
                v.fitness = UNSURE;
        if (worst == 0)
                v.reason = REASON_STARTING;
        return v;
}
