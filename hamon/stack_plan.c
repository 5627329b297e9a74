/* Starting goes along the dependencies, stopping against them; what was to be stopped first is
 * waited for by all others; after it those that mail needs are told at once, for dovecot alone
 * takes a second to end (it waits for its logger). Dependencies are names, so who is needed but
 * belongs to another set, or has no container, is waited for by nobody. */
#include "hamon/stack_plan.h"

#include <string.h>

void stack_plan_parse_needs(const char *label, char dst[STACK_NEEDS_SIZE])
{
        size_t len = 0;

        while (*label) {
                size_t n = strcspn(label, ":,");
                if (n > 0 && len + n + 2 <= STACK_NEEDS_SIZE) {
                        if (len > 0)
                                dst[len++] = ' ';
                        memcpy(dst + len, label, n);
                        len += n;
                }
                label += strcspn(label, ",");
                label += *label == ',';
        }
        dst[len] = '\0';
}

/* `word` is one of the words of `list`. */
static bool has_word(const char *list, const char *word)
{
        size_t len = strlen(word);

        for (const char *p = list; *p;) {
                size_t n = strcspn(p, " ");
                if (n == len && strncmp(p, word, n) == 0)
                        return true;
                p += n;
                p += strspn(p, " ");
        }
        return false;
}

static bool needs(const struct stack_member *m, const struct stack_member *other)
{
        return has_word(m->needs, other->service);
}

bool stack_is_up(enum ctr_state s)
{
        return s == CTR_RUNNING || s == CTR_PAUSED || s == CTR_RESTARTING;
}

bool stack_plan_met(const struct stack_member *m)
{
        return m->stop ? !stack_is_up(m->state) : m->state == CTR_RUNNING;
}

const char *const STACK_PARTS[PART_COUNT_] = {
        [PART_ALL] = "all", [PART_MAIL] = "mail", [PART_EARLY] = "early", [PART_REST] = "rest"
};

static bool belongs(const struct stack_member *m, enum stack_part part)
{
        switch (part) {
        case PART_MAIL:
                return m->mail;
        case PART_EARLY:
                return m->early;
        case PART_REST:
                return !m->mail;
        default:
                return true;
        }
}

void stack_plan_aim(struct stack_plan *p, enum stack_goal goal, enum set set, enum stack_part part,
                    const char *only)
{
        p->goal = goal;
        p->hurry = false;
        for (size_t i = 0; i < p->n; i++) {
                struct stack_member *m = &p->v[i];
                bool named = only && strcmp(m->service, only) == 0;
                bool rival =
                        m->rival && part != PART_EARLY && (goal == STACK_STOP || set == SET_ACTIVE);
                bool concerned = only ? named : (m->set == set && belongs(m, part)) || rival;

                m->stop = goal == STACK_STOP || (rival && !only);
                m->turn = goal == STACK_LOOK || concerned ? TURN_WAITING : TURN_NONE;
        }
}

/* Has m to wait for `other` in this operation? */
static bool waits_for(const struct stack_member *m, const struct stack_member *other)
{
        if (other == m || other->turn == TURN_NONE || other->turn == TURN_OVER)
                return false;
        if (m->stop != other->stop || m->rival || other->rival)
                return false;
        if (!m->stop)
                return needs(m, other);
        if (m->first || other->first)
                return !m->first;
        if (m->mail && other->mail) /* nobody brings them anything to pass on any more */
                return false;
        return needs(other, m);
}

static bool may_begin(const struct stack_plan *p, const struct stack_member *m)
{
        if (p->hurry || p->goal == STACK_LOOK)
                return true;
        for (size_t i = 0; i < p->n; i++)
                if (waits_for(m, &p->v[i]))
                        return false;
        return true;
}

ssize_t stack_plan_next(struct stack_plan *p)
{
        ssize_t waiting = -1;
        bool busy = false;

        for (size_t i = 0; i < p->n; i++) {
                struct stack_member *m = &p->v[i];
                busy = busy || m->turn == TURN_BUSY;
                if (m->turn != TURN_WAITING)
                        continue;
                if (may_begin(p, m)) {
                        m->turn = TURN_BUSY;
                        return (ssize_t)i;
                }
                if (waiting < 0)
                        waiting = (ssize_t)i;
        }
        if (busy || waiting < 0)
                return -1;
        p->v[waiting].turn = TURN_BUSY; /* they wait for one another in a circle: cut it here */
        return waiting;
}

bool stack_plan_over(const struct stack_plan *p)
{
        for (size_t i = 0; i < p->n; i++)
                if (p->v[i].turn == TURN_WAITING || p->v[i].turn == TURN_BUSY)
                        return false;
        return true;
}

struct stack_member *stack_plan_find(struct stack_plan *p, const char *service)
{
        for (size_t i = 0; i < p->n; i++)
                if (strcmp(p->v[i].service, service) == 0)
                        return &p->v[i];
        return NULL;
}
