/* What the leading part did and why, as events: into the log, the memory behind `hamon why`, the
 * file behind `hamon events`, and the table `event` in the database. Most are edges of what lives
 * elsewhere, so they are told here by comparing with what was told last. */
#include "hamon/lead_impl.h"

#include "lib/log.h"
#include <inttypes.h>
#include <string.h>

enum { STEPS_MAX = 40, ROW_TEXT = 1000 };

/* One sentence each: what a human should know of it. */
static const char *const ALERTS[ALERT_COUNT_] = {
        [ALERT_HALTED] = "the breaker keeps this node from leading; hamon ack closes it",
        [ALERT_STAY] = "this master is unfit, and no other node could do better: it stays",
        [ALERT_PROMOTE] = "this node won the lease and could not become master",
        [ALERT_FENCE] = "what writes here cannot be stopped; the guard was told to fence",
        [ALERT_HOOK_STUCK] = "a hook does not die",
        [ALERT_EPOCH_AHEAD] = "the volume knows a later epoch than the lease row: was that lost?",
        [ALERT_VOLUME_LOST] = "the volume was taken away while this node led",
};

static uint64_t epoch_of(const struct lead *l)
{
        return l->ha.lease.held ? l->ha.lease.epoch : 0;
}

void lead_event(struct lead *l, const struct happening *e)
{
        char text[ROW_TEXT];

        if (l && l->rows && e->kind != EVENT_STEP)
                rows_event(l->rows, e->epoch, EVENTS[e->kind].name,
                           events_text(e, text, sizeof text));
}

void lead_tell(struct lead *l, const struct happening *e)
{
        events_add(l->needs.events, e);
        lead_event(l, e);
}

/* ---- what core wants told ---- */

void lead_tell_note(struct lead *l, const struct ha_action *a)
{
        lead_tell(l, &(struct happening){ .kind = EVENT_STATE,
                                          .epoch = epoch_of(l),
                                          .from = HA_STATES[a->from_state],
                                          .to = HA_STATES[a->to_state],
                                          .reason = HA_EVENTS[a->event],
                                          .detail = a->comment,
                                          .took = -1 });
}

void lead_tell_alert(struct lead *l, enum ha_alert which)
{
        lead_tell(l, &(struct happening){ .kind = EVENT_ALERT,
                                          .epoch = epoch_of(l),
                                          .to = HA_ALERTS[which],
                                          .detail = ALERTS[which],
                                          .took = -1 });
}

/* ---- hooks ---- */

void lead_tell_hook(struct lead *l, const struct ha_action *a, const char *refused)
{
        char detail[256];

        l->steps = 0;
        snprintf(detail, sizeof detail, "%s.sh%s%s%s%s", HA_HOOKS[a->hook],
                 a->from[0] ? " after " : "", a->from, a->to[0] ? " for " : "", a->to);
        lead_tell(l, &(struct happening){ .kind = EVENT_HOOK,
                                          .epoch = a->epoch,
                                          .to = HA_MODES[a->mode],
                                          .reason = a->reason,
                                          .detail = detail,
                                          .took = -1 });
        if (refused)
                lead_tell(l, &(struct happening){ .kind = EVENT_HOOK_END,
                                                  .bad = true,
                                                  .epoch = a->epoch,
                                                  .to = "refused",
                                                  .detail = refused,
                                                  .took = -1 });
}

void lead_tell_end(struct lead *l, const struct hook_result *r)
{
        static const char *const ENDS[] = { [HOOK_OK] = "done",
                                            [HOOK_TEMP] = "temporary",
                                            [HOOK_FAILED] = "failed",
                                            [HOOK_KILLED] = "killed" };
        char detail[HOOK_LAST + 64];

        if (r->end == HOOK_OK)
                detail[0] = '\0'; /* what it wrote to stderr on the way was told already */
        else if (r->overdue)
                snprintf(detail, sizeof detail, "not within its deadline; %s", r->last);
        else if (r->signal)
                snprintf(detail, sizeof detail, "signal %d; %s", r->signal, r->last);
        else
                snprintf(detail, sizeof detail, "exit status %d; %s", r->code, r->last);
        lead_tell(l, &(struct happening){ .kind = EVENT_HOOK_END,
                                          .bad = r->end != HOOK_OK,
                                          .epoch = epoch_of(l),
                                          .to = ENDS[r->end],
                                          .reason = r->id == 0 ? "leftover" : NULL,
                                          .detail = detail[0] ? detail : NULL,
                                          .took = r->took });
}

/* A hook of a chatty operator must not push all else out of the memory: beyond some lines it only
 * goes to the log. */
void lead_tell_step(void *arg, uint64_t id, const char *line, msec_t since)
{
        struct lead *l = arg;

        if (l->steps++ < STEPS_MAX)
                lead_tell(l, &(struct happening){ .kind = EVENT_STEP,
                                                  .epoch = epoch_of(l),
                                                  .detail = line,
                                                  .took = since });
        else
                log_event(LOG_INFO, "hook_output", LI("hook", id), LS("line", line));
}

/* ---- the operator ---- */

void lead_tell_order(struct lead *l, const char *to, const char *detail, bool bad)
{
        lead_tell(l, &(struct happening){ .kind = EVENT_ORDER,
                                          .bad = bad,
                                          .epoch = epoch_of(l),
                                          .to = to,
                                          .detail = detail && *detail ? detail : NULL,
                                          .took = -1 });
}

/* ---- edges ---- */

/* After each step: did the lease come or go? */
void lead_tell_lease(struct lead *l, enum ha_state before)
{
        bool adopted = before == ST_INIT && l->ha.state == ST_MASTER;
        const struct ha *h = &l->ha;
        uint64_t told = l->lease_told;
        uint64_t held = h->lease.held ? h->lease.epoch : 0;

        if (told == held)
                return;
        l->lease_told = held;
        if (told) {
                bool released = h->released_epoch == told;
                lead_tell(l, &(struct happening){ .kind = EVENT_LEASE,
                                                  .bad = !released,
                                                  .epoch = told,
                                                  .to = released ? "released" : "lost",
                                                  .took = -1 });
        }
        if (held)
                lead_tell(l, &(struct happening){ .kind = EVENT_LEASE,
                                                  .epoch = held,
                                                  .to = adopted ? "kept" : "won",
                                                  .took = -1 });
}

void lead_tell_guard(struct lead *l)
{
        static const char *const MODES[] = {
                [GUARD_IS_OFF] = "off", [GUARD_IS_ARMED] = "armed", [GUARD_HAS_FENCED] = "fenced"
        };
        const struct guard_answer *a = guard_seen(l->guard);
        const char *now = "silent", *detail = NULL;

        if (guard_alive(l->guard) && !guard_ready(l->guard)) {
                now = "unready";
                detail = "it lacks the watchdog it needs: this node must not lead";
        } else if (guard_alive(l->guard) && a && a->mode <= GUARD_HAS_FENCED) {
                now = MODES[a->mode];
                detail = a->mode == GUARD_HAS_FENCED ? a->text : NULL;
        }
        if (l->guard_told && strcmp(l->guard_told, now) == 0)
                return;
        bool bad = detail || strcmp(now, "silent") == 0;
        lead_tell(l, &(struct happening){ .kind = EVENT_GUARD,
                                          .bad = bad,
                                          .epoch = a ? a->epoch : 0,
                                          .from = l->guard_told,
                                          .to = now,
                                          .detail = detail,
                                          .took = -1 });
        l->guard_told = now;
}

/* The second answer, or silence, in a row: one lost packet is no news. */
void lead_tell_peer(struct lead *l, size_t node, const struct peer_answer *a)
{
        struct lead_other *o = &l->others[node];

        if (o->told && o->told_end == a->end)
                return;
        o->told = true;
        o->told_end = a->end;
        const struct cluster_node n = config_cluster_node(l->needs.config, node);
        lead_tell(l, &(struct happening){ .kind = EVENT_PEER,
                                          .bad = a->end != PEER_ANSWERED,
                                          .from = n.name,
                                          .to = PEER_ENDS[a->end],
                                          .detail = a->end == PEER_ANSWERED ? NULL : a->text,
                                          .took = -1 });
}
