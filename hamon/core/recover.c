/* The rules of recover.h, each one function. Who answers nothing counts as the worst it could be.
 */
#include "hamon/core/recover.h"

const struct recover_row RECOVERS[RECOVER_COUNT_] = {
        [RECOVER_GO] = { "go", "may be the first member" },
        [RECOVER_NEEDLESS] = { "needless",
                               "has a database with quorum: the others join it by themselves" },
        [RECOVER_UNFENCED] = { "unfenced",
                               "does not answer: it may have a database at work, and must be off "
                               "first" },
        [RECOVER_MINORITY] = { "minority", "fewer than half of the nodes and one answer" },
        [RECOVER_UNPLACED] = { "unplaced",
                               "does not know yet where its data stands: it starts, or its "
                               "database hangs" },
        [RECOVER_EMPTY] = { "empty", "no node has data of a cluster" },
        [RECOVER_FOREIGN] = { "foreign",
                              "has data of another cluster; if that is not needed, there: hamon "
                              "galera join --discard, once this one is up" },
        [RECOVER_REFORMS] = { "reforms",
                              "may find its last membership again without the chosen one: wait, "
                              "or there: docker stop mysql-mailcow" },
        [RECOVER_UNPROVEN] = { "unproven",
                               "those that do not answer may have committed what nobody else has" },
};

static bool same_id(const char *a, const char *b)
{
        size_t i = 0;

        while (i < RECOVER_ID - 1 && a[i] && a[i] == b[i])
                i++;
        return a[i] == b[i] && i > 0;
}

static bool has_place(const struct recover_node *v)
{
        return v->known && !v->empty && v->placed;
}

/* ---- one rule each: the culprit, or n ---- */

static size_t find_primary(const struct recover_node *v, size_t n)
{
        size_t i = 0;

        while (i < n && !(v[i].known && v[i].primary))
                i++;
        return i;
}

static size_t find_unfenced(const struct recover_node *v, size_t n)
{
        size_t i = 0;

        while (i < n && (v[i].known || v[i].fenced))
                i++;
        return i;
}

static size_t find_unplaced(const struct recover_node *v, size_t n)
{
        size_t i = 0;

        while (i < n && (!v[i].known || v[i].empty || v[i].placed))
                i++;
        return i;
}

/* The highest; of equals the first, so that all nodes choose the same. */
static size_t choose(const struct recover_node *v, size_t n)
{
        size_t best = n;

        for (size_t i = 0; i < n; i++)
                if (has_place(&v[i]) && (best == n || v[i].seqno > v[best].seqno))
                        best = i;
        return best;
}

static size_t find_foreign(const struct recover_node *v, size_t n, size_t chosen)
{
        size_t i = 0;

        while (i < n && (!has_place(&v[i]) || same_id(v[i].uuid, v[chosen].uuid)))
                i++;
        return i;
}

/* Galera counts a member's starts in the fourth group of its id: it is the same one. */
static bool same_member(const char *a, const char *b)
{
        enum { STARTS = 19, BEHIND = 23 };

        for (size_t i = 0; i < RECOVER_ID - 1 && (a[i] || b[i]); i++)
                if ((i < STARTS || i >= BEHIND) && a[i] != b[i])
                        return false;
        return a[0] != '\0';
}

/* Whose identity in a view this is; n = of nobody that tells. */
static size_t who(const struct recover_node *v, size_t n, const char *id)
{
        size_t i = 0;

        while (i < n && !(v[i].known && v[i].n_view > 0 && same_member(v[i].me, id)))
                i++;
        return i;
}

static size_t members_kept(const struct recover_node *v)
{
        return v->n_view < RECOVER_NODES ? v->n_view : RECOVER_NODES;
}

/* Galera restores a membership once all of it is there. Who lost theirs comes as somebody else. */
static bool may_reform_without(const struct recover_node *v, size_t n, size_t i, size_t chosen)
{
        if (!v[i].known || !v[i].runs || v[i].n_view == 0 || v[i].n_view > RECOVER_NODES)
                return false;
        for (size_t k = 0; k < members_kept(&v[i]); k++) {
                size_t m = who(v, n, v[i].view[k]);
                if (m == n || m == chosen || !v[m].runs)
                        return false;
        }
        return true;
}

static size_t find_reforming(const struct recover_node *v, size_t n, size_t chosen)
{
        size_t i = 0;

        while (i < n && !may_reform_without(v, n, i, chosen))
                i++;
        return i;
}

/* A member that crashed remembers who was there. The others of that membership could go on only as
 * more than half of it; then they have more than it has. */
static bool went_on_without(const struct recover_node *v, size_t n, size_t i)
{
        size_t missing = v[i].n_view - members_kept(&v[i]);

        for (size_t k = 0; k < members_kept(&v[i]); k++)
                missing += who(v, n, v[i].view[k]) == n;
        return missing * 2 > v[i].n_view;
}

/* R: not one of the memberships that are remembered may have gone on: which of them is the last
 * nobody can tell. */
static bool is_proven(const struct recover_node *v, size_t n, size_t n_known)
{
        size_t n_views = 0;

        if (n_known == n)
                return true;
        for (size_t i = 0; i < n; i++) {
                if (!v[i].known || v[i].n_view == 0)
                        continue;
                if (went_on_without(v, n, i))
                        return false;
                n_views++;
        }
        return n_views > 0;
}

/* ---- all of it ---- */

static void stop(struct recover_plan *p, enum recover_bar bar, size_t culprit)
{
        if (p->bar != RECOVER_GO)
                return; /* the first counts */
        p->bar = bar;
        p->culprit = culprit;
}

void recover_decide(const struct recover_node *v, size_t n, bool accept_loss,
                    struct recover_plan *ret)
{
        struct recover_plan p = { .bar = RECOVER_GO, .culprit = n, .chosen = choose(v, n) };
        size_t primary = find_primary(v, n), unfenced = find_unfenced(v, n);
        size_t unplaced = find_unplaced(v, n), n_known = 0;

        for (size_t i = 0; i < n; i++)
                n_known += v[i].known;
        p.lossy = n_known * 2 <= n || unplaced < n || !is_proven(v, n, n_known);
        p.leap = n_known < n || unplaced < n;
        if (primary < n)
                stop(&p, RECOVER_NEEDLESS, primary);
        if (unfenced < n)
                stop(&p, RECOVER_UNFENCED, unfenced);
        if (n_known * 2 <= n && !accept_loss)
                stop(&p, RECOVER_MINORITY, n);
        if (unplaced < n && !accept_loss)
                stop(&p, RECOVER_UNPLACED, unplaced);
        if (p.chosen == n)
                stop(&p, RECOVER_EMPTY, n);
        if (p.bar == RECOVER_GO) {
                size_t foreign = find_foreign(v, n, p.chosen);
                size_t reforming = find_reforming(v, n, p.chosen);
                if (foreign < n)
                        stop(&p, RECOVER_FOREIGN, foreign);
                if (reforming < n)
                        stop(&p, RECOVER_REFORMS, reforming);
                if (p.lossy && !accept_loss)
                        stop(&p, RECOVER_UNPROVEN, n);
        }
        *ret = p;
}
