/* Who may be the first member again: one row per situation, then many random ones against the
 * truth that only the test knows. */
#include "hamon/core/recover.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define OURS  "5d2f7c2a-0b1e-11f0-9c3a-2b7a3c1d4e5f"
#define OTHER "6d2f7c2a-0b1e-11f0-9c3a-2b7a3c1d4e5f"

enum { N = 3 };

/* A node in a word or two: "" silent, "off" fenced, "P" in a Primary component, "?" does not know
 * its place, "-" no data, "x7" at 7 of another cluster, "5" at 5; behind it the last view it
 * remembers as digits of nodes: "5:123"; '*' for a stopped one: "5*:23". */
static void set(struct recover_node *v, size_t i, const char *word)
{
        struct recover_node *o = &v[i];

        *o = (struct recover_node){ .known = *word && strcmp(word, "off") != 0,
                                    .fenced = strcmp(word, "off") == 0,
                                    .runs = !strchr(word, '*'),
                                    .seqno = -1 };
        if (!o->known)
                return;
        o->primary = *word == 'P';
        o->empty = *word == '-';
        o->placed = *word != '?' && *word != '-';
        strcpy(o->uuid, *word == 'x' ? OTHER : OURS);
        if (o->placed)
                o->seqno = strtol(word + (*word == 'x' || *word == 'P'), NULL, 10);
        const char *view = strchr(word, ':');
        for (const char *p = view ? view + 1 : ""; *p; p++)
                snprintf(o->view[o->n_view++], RECOVER_ID, "id-%c", *p);
        if (view)
                snprintf(o->me, sizeof o->me, "id-%zu", i + 1);
}

static const struct row {
        const char *name;
        const char *node[N];
        enum recover_bar bar;
        int who;                   /* chosen if GO, else the culprit; -1 = nobody */
        enum recover_bar accepted; /* with accept_loss */
} ROWS[] = {
        { "all tell", { "5", "7", "6" }, RECOVER_GO, 1, RECOVER_GO },
        { "equal: the first", { "7", "7", "7" }, RECOVER_GO, 0, RECOVER_GO },
        { "all the same view", { "7:123", "7:123", "6:123" }, RECOVER_GO, 0, RECOVER_GO },
        { "one has nothing", { "5", "-", "6" }, RECOVER_GO, 2, RECOVER_GO },
        { "one is up", { "5", "P9", "6" }, RECOVER_NEEDLESS, 1, RECOVER_NEEDLESS },
        { "one is up, one is away", { "", "P9", "6" }, RECOVER_NEEDLESS, 1, RECOVER_NEEDLESS },
        { "one may be at work", { "5", "7:123", "" }, RECOVER_UNFENCED, 2, RECOVER_UNFENCED },
        { "fenced, and too few to go on", { "5:123", "7:123", "off" }, RECOVER_GO, 1, RECOVER_GO },
        { "who was it that answers?", { "5", "7:123", "off" }, RECOVER_UNPROVEN, -1, RECOVER_GO },
        { "fenced, no view is left", { "5", "7", "off" }, RECOVER_UNPROVEN, -1, RECOVER_GO },
        { "fenced, it may have gone on alone",
          { "5", "7:3", "off" },
          RECOVER_UNPROVEN,
          -1,
          RECOVER_GO },
        { "half of two", { "5:13", "3", "off" }, RECOVER_GO, 0, RECOVER_GO },
        { "two of three went on", { "5:123", "off", "off" }, RECOVER_MINORITY, -1, RECOVER_GO },
        { "who left in good order is no witness",
          { "5:123", "4", "off" },
          RECOVER_UNPROVEN,
          -1,
          RECOVER_GO },
        { "one does not know", { "5", "?", "6" }, RECOVER_UNPLACED, 1, RECOVER_GO },
        { "nobody has data", { "-", "-", "-" }, RECOVER_EMPTY, -1, RECOVER_EMPTY },
        { "another cluster", { "5", "x4", "6" }, RECOVER_FOREIGN, 1, RECOVER_FOREIGN },
        { "two find each other", { "4:12", "4:12", "6" }, RECOVER_REFORMS, 0, RECOVER_REFORMS },
        { "one of the two is stopped", { "4:12", "4*:12", "6" }, RECOVER_GO, 2, RECOVER_GO },
        { "one alone finds itself", { "4:1", "5", "6" }, RECOVER_REFORMS, 0, RECOVER_REFORMS },
        { "they need the chosen", { "4:123", "4:123", "6:123" }, RECOVER_GO, 2, RECOVER_GO },
};

static bool not_all_tell(const struct row *w)
{
        for (size_t i = 0; i < N; i++)
                if (!*w->node[i] || strcmp(w->node[i], "off") == 0 || *w->node[i] == '?')
                        return true;
        return false;
}

static void test_rows(void **unused)
{
        struct recover_node v[N];
        struct recover_plan p;

        (void)unused;
        for (size_t r = 0; r < sizeof ROWS / sizeof *ROWS; r++) {
                const struct row *w = &ROWS[r];
                for (size_t i = 0; i < N; i++)
                        set(v, i, w->node[i]);
                recover_decide(v, N, false, &p);
                if (p.bar != w->bar)
                        fail_msg("%s: %s", w->name, RECOVERS[p.bar].name);
                size_t who = p.bar == RECOVER_GO ? p.chosen : p.culprit;
                if (who != (w->who < 0 ? (size_t)N : (size_t)w->who))
                        fail_msg("%s: it names node %zu", w->name, who + 1);
                recover_decide(v, N, true, &p);
                if (p.bar != w->accepted)
                        fail_msg("%s, accepted: %s", w->name, RECOVERS[p.bar].name);
                if (p.bar == RECOVER_GO && p.leap != not_all_tell(w))
                        fail_msg("%s: it %s", w->name, p.leap ? "leaps" : "does not leap");
                if (p.bar == RECOVER_GO && p.lossy != (w->bar != RECOVER_GO))
                        fail_msg("%s: does not say that it may lose", w->name);
        }
}

/* As Galera 26.4 writes it: the fourth group counts a member's starts, also in its own file, before
 * the membership it remembers is there again. */
static void test_starts_are_counted(void **unused)
{
        static const char was[] = "5567670d-eb80-11f1-a8a9-1250cf3277da";
        static const char is[] = "5567670d-eb80-11f1-a8aa-1250cf3277da";
        static const char else_[] = "5567670d-eb80-11f1-a8a9-1250cf3277db";
        struct recover_node v[N];
        struct recover_plan p;

        (void)unused;
        set(v, 0, "7:12");
        set(v, 1, "7:12");
        set(v, 2, "off");
        for (size_t i = 0; i < 2; i++)
                strcpy(v[i].view[0], was);
        strcpy(v[0].me, is);
        recover_decide(v, N, false, &p);
        assert_int_equal(p.bar, RECOVER_GO);
        for (size_t i = 0; i < 2; i++)
                strcpy(v[i].view[1], else_);
        recover_decide(v, N, false, &p); /* one of the two is nobody that tells: half of it */
        assert_int_equal(p.bar, RECOVER_GO);
        strcpy(v[0].me, else_);
        strcpy(v[1].me, was);
        strcpy(v[0].view[0], OURS);
        strcpy(v[0].view[1], OTHER);
        recover_decide(v, N, false, &p);
        assert_int_equal(p.bar, RECOVER_UNPROVEN);
}

/* ---- a database's life, and what is left of it ---- */

struct life {
        struct recover_node v[RECOVER_NODES];
        bool in[RECOVER_NODES], has_view[RECOVER_NODES];
        int identity[RECOVER_NODES];
        int64_t best; /* the last that was acknowledged */
        size_t n;
        int next;
        bool lags; /* what is acknowledged is on its author's disk, and later on the others' */
};

static size_t members(const struct life *l)
{
        size_t k = 0;

        for (size_t i = 0; i < l->n; i++)
                k += l->in[i];
        return k;
}

static void remember(struct life *l)
{
        for (size_t i = 0; i < l->n; i++) {
                if (!l->in[i])
                        continue;
                struct recover_node *o = &l->v[i];
                o->n_view = 0;
                snprintf(o->me, sizeof o->me, "id-%d", l->identity[i]);
                for (size_t k = 0; k < l->n; k++)
                        if (l->in[k])
                                snprintf(o->view[o->n_view++], RECOVER_ID, "id-%d", l->identity[k]);
        }
}

static void leave(struct life *l, size_t i, bool orderly)
{
        size_t before = members(l);

        if (!l->in[i])
                return;
        l->in[i] = false;
        if (orderly) {
                l->v[i].seqno = l->best; /* it writes what it has got */
                l->v[i].n_view = 0;
                l->v[i].me[0] = '\0';
        }
        if (!orderly && members(l) * 2 <= before) /* no quorum: it stands still for good */
                before = 0;
        if (before == 0)
                memset(l->in, 0, sizeof l->in);
        remember(l);
}

static void join(struct life *l, size_t i)
{
        if (l->in[i] || members(l) == 0)
                return;
        l->in[i] = true;
        l->identity[i] = l->next++;
        l->v[i].seqno = l->best;
        remember(l);
}

enum { BEHIND = 16 }; /* gcs.fc_limit: then the author waits */

static void commit(struct life *l, size_t author)
{
        l->best++;
        for (size_t k = 0; k < l->n; k++)
                if (l->in[k] && (!l->lags || k == author || rand() % 3 == 0 ||
                                 l->best - l->v[k].seqno > BEHIND))
                        l->v[k].seqno = l->best;
}

static void live(struct life *l)
{
        for (int t = rand() % 20; t > 0; t--) {
                size_t i = (size_t)rand() % l->n;
                switch (rand() % 5) {
                case 0:
                        leave(l, i, true);
                        break;
                case 1:
                        leave(l, i, false);
                        break;
                case 2:
                        join(l, i);
                        break;
                default:
                        if (l->in[i])
                                commit(l, i);
                }
        }
}

/* R: whatever happened, an unaccepted choice has all that was ever acknowledged; or but for the
 * last few commits of who is away, and then it leaps. */
static void test_nothing_is_lost(void **unused)
{
        size_t gone = 0, with_absent = 0, behind = 0;

        (void)unused;
        srand(7);
        for (int round = 0; round < 200000; round++) {
                struct life l = {
                        .n = round % 3 ? 3 : 5, .best = 1, .next = 100, .lags = round % 2
                };
                struct recover_plan p;
                for (size_t i = 0; i < l.n; i++) {
                        l.v[i] = (struct recover_node){ .known = true, .placed = true, .seqno = 1 };
                        strcpy(l.v[i].uuid, OURS);
                        l.in[i] = true;
                        l.identity[i] = (int)i;
                }
                remember(&l);
                live(&l);
                size_t absent = 0;
                for (size_t i = 0; i < l.n; i++)
                        if (rand() % 4 == 0) {
                                l.v[i] = (struct recover_node){ .fenced = true };
                                absent++;
                        } else {
                                l.v[i].runs = rand() % 2;
                        }
                struct life truth = l;
                recover_decide(l.v, l.n, false, &p);
                if (p.bar != RECOVER_GO)
                        continue;
                gone++;
                with_absent += absent > 0;
                assert_false(p.lossy);
                if (l.v[p.chosen].seqno == truth.best)
                        continue;
                /* R: who is away has other commits under the numbers that come next */
                behind++;
                if (!p.leap || !l.lags || truth.best - l.v[p.chosen].seqno > BEHIND)
                        fail_msg("round %d: chose %lld of %lld", round,
                                 (long long)l.v[p.chosen].seqno, (long long)truth.best);
        }
        /* else this proves nothing */
        assert_true(gone > 20000 && with_absent > 1000 && behind > 100);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_rows),
                cmocka_unit_test(test_starts_are_counted),
                cmocka_unit_test(test_nothing_is_lost),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
