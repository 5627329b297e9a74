/* Each thing that can be wrong is one list of names, so that a node without containers is one line
 * and not eighteen. Those of optional services are warnings. */
#include "hamon/cmd_stack_rehearse.h"

#include "hamon/cmd_stack_door.h"
#include "hamon/stack_ports.h"
#include "hamon/stack_sets.h"
#include <string.h>

enum { NAMES = 400 };

static bool is_dead(const struct stack_member *m)
{
        return m->set == SET_ACTIVE && (m->state == CTR_DEAD || m->state == CTR_REMOVING);
}

static bool is_cold(const struct stack_member *m)
{
        return m->set == SET_WARM && m->state != CTR_RUNNING;
}

static bool is_ill(const struct stack_member *m)
{
        return m->set == SET_WARM && m->state == CTR_RUNNING && m->health == HEALTH_UNHEALTHY;
}

static bool is_unseen(const struct stack_member *m)
{
        return m->set != SET_IGNORED && m->failed;
}

static bool starts_by_itself(const struct stack_member *m)
{
        return m->set == SET_ACTIVE && *m->policy && strcmp(m->policy, "no") != 0;
}

static bool lost_its_image(const struct stack_member *m)
{
        return m->set != SET_IGNORED && m->image_is == IMAGE_GONE;
}

static bool has_newer_image(const struct stack_member *m)
{
        return m->set != SET_IGNORED && m->image_is == IMAGE_OTHER;
}

static const struct row {
        bool (*is)(const struct stack_member *m);
        enum found found;
        const char *what, *then;
} ROWS[] = {
        { is_dead, FOUND_FAIL, "dead",
          "create them again (docker compose up --no-start --force-recreate)" },
        { is_cold, FOUND_FAIL, "warm, and not running",
          "a takeover would have to wait for them: hamon stack start --set warm" },
        { is_ill, FOUND_FAIL, "warm, and unhealthy", "see docker compose logs" },
        { is_unseen, FOUND_FAIL, "the engine says nothing about", "see journalctl -u docker" },
        { starts_by_itself, FOUND_WARN, "active, and started by Docker at boot",
          "the next start here sets restart: no; docker update --restart no does it now" },
        { lost_its_image, FOUND_WARN, "without the image they were made from",
          "they start, but could not be made anew: docker compose pull" },
        { has_newer_image, FOUND_WARN, "older than the image that is here",
          "docker compose up --no-start makes them anew" },
};

static void apply(struct step *s, const struct stack_plan *p, const struct row *row, bool optional)
{
        CLEANUP(buf_done) struct buf names = BUF(NAMES);

        for (size_t i = 0; i < p->n; i++)
                if (p->v[i].optional == optional && row->is(&p->v[i]))
                        buf_addf(&names, "%s%s", names.len > 0 ? ", " : "", p->v[i].service);
        if (names.len > 0)
                step_found(s, optional ? FOUND_WARN : row->found, "%s: %s%s; %s", row->what,
                           optional ? "(optional) " : "", buf_str(&names), row->then);
}

static void rehearse_missing(struct step *s, const struct stack_plan *p, enum set set)
{
        CLEANUP(buf_done) struct buf need = BUF(NAMES), want = BUF(NAMES);

        stack_sets_missing(&s->config, p, set, false, &need);
        stack_sets_missing(&s->config, p, set, true, &want);
        if (need.len > 0)
                step_found(s, FOUND_FAIL, STACK_NO_CONTAINER, buf_str(&need));
        if (want.len > 0)
                step_found(s, FOUND_WARN, "(optional) " STACK_NO_CONTAINER, buf_str(&want));
}

/* What is not up would find its ports taken. Returns how many are free. */
static size_t rehearse_ports(struct step *s, const struct stack_member *m)
{
        size_t free_ones = 0;
        char who[64];

        for (size_t i = 0; i < m->n_ports; i++) {
                const struct stack_port *port = &m->ports[i];
                int r = stack_ports_taken(port, who, sizeof who);
                if (r == 1)
                        step_found(s, m->optional ? FOUND_WARN : FOUND_FAIL,
                                   "%s: port %s%s%u is taken by %s", m->service, port->address,
                                   *port->address ? ":" : "", port->port, who);
                else if (r < 0)
                        step_end_error(s, r, "looking for listeners");
                else
                        free_ones++;
        }
        return free_ones;
}

void stack_rehearse(struct step *s, const struct stack_plan *p)
{
        size_t first = s->rehearsal->n, active = 0, warm = 0, ports = 0;

        rehearse_missing(s, p, SET_ACTIVE);
        rehearse_missing(s, p, SET_WARM);
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
                apply(s, p, &ROWS[i], false);
                apply(s, p, &ROWS[i], true);
        }
        for (size_t i = 0; i < p->n; i++) {
                const struct stack_member *m = &p->v[i];
                active += m->set == SET_ACTIVE;
                warm += m->set == SET_WARM && m->state == CTR_RUNNING;
                if (m->set == SET_ACTIVE && !stack_is_up(m->state))
                        ports += rehearse_ports(s, m);
        }
        door_close(s, DOOR_ALL); /* as a question, in a rehearsal */
        if (rehearsal_count(s->rehearsal, first, FOUND_FAIL) == 0)
                step_found(s, FOUND_OK,
                           "%zu active containers are here, %zu warm ones run, %zu ports are free",
                           active, warm, ports);
}
