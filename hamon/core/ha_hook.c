/* The one hook that runs, or is to run. R: one at a time: what runs is killed, and reaped, before
 * the next one starts. R: what did not end well may have a request to the provider on its way:
 * nothing that depends on it happens before that has arrived. */
#include "hamon/core/ha_impl.h"

#include <string.h>

enum { STUCK_MS = 1000, GUARD_TRIES = 2 };

const char *const HA_HOOKS[HOOK_COUNT_] = {
        [HOOK_NONE] = "none", [HOOK_MASTER] = "master", [HOOK_BACKUP] = "backup"
};

const char *const HA_MODES[MODE_COUNT_] = {
        [MODE_PROMOTE] = "promote", [MODE_RECOVER] = "recover", [MODE_SWITCHOVER] = "switchover",
        [MODE_DEMOTE] = "demote",   [MODE_FENCE] = "fence",
};

/* ---- output ---- */

void ha_copy_name(char *to, const char *from)
{
        size_t i = 0;

        for (; i < LEASE_NAME - 1 && from[i]; i++)
                to[i] = from[i];
        memset(to + i, 0, LEASE_NAME - i);
}

struct ha_action *ha_add(struct ha_output *out, enum ha_action_kind kind)
{
        static const struct ha_action EMPTY;
        struct ha_action *a = &out->actions[out->n < HA_ACTIONS ? out->n++ : HA_ACTIONS - 1];

        *a = EMPTY;
        a->kind = kind;
        return a;
}

void ha_alert(struct ha *h, struct ha_output *out, enum ha_alert which)
{
        if (h->told & 1u << which)
                return;
        h->told |= 1u << which;
        ha_add(out, ACTION_ALERT)->alert = which;
}

void ha_calm(struct ha *h, enum ha_alert which)
{
        h->told &= ~(1u << which);
}

/* ---- hooks ---- */

bool ha_hook_runs(const struct ha *h, const struct ha_facts *f)
{
        return f->hook.state == HOOK_RUNNING || (h->hook_id != f->hook.id && h->hook_id != 0);
}

void ha_want_hook(struct ha *h, enum ha_hook hook, enum ha_mode mode, msec_t at)
{
        h->hook = hook;
        h->mode = mode;
        h->hook_due = hook != HOOK_NONE;
        h->hook_at = at;
        h->killing = true; /* whatever runs, if anything does */
        h->kill_at = at;
        h->kills = 0;
        h->hook_ended = false;
        h->tries = 0;
}

static msec_t hook_deadline(const struct ha *h)
{
        if (h->mode == MODE_FENCE)
                return h->config.fence_timeout;
        return h->hook == HOOK_MASTER ? h->config.master_timeout : h->config.backup_timeout;
}

static void start_hook(struct ha *h, msec_t now, struct ha_output *out)
{
        struct ha_action *a = ha_add(out, ACTION_START_HOOK);

        h->hook_due = false;
        if (h->mode == MODE_RECOVER)
                h->assert_at = now + h->config.assert_every;
        a->hook = h->hook;
        a->mode = h->mode;
        a->id = ++h->hook_id;
        a->epoch = h->lead_epoch;
        a->reason = HA_EVENTS[h->why];
        ha_copy_name(a->from, h->from);
        ha_copy_name(a->to, h->to);
        a->deadline = hook_deadline(h);
}

/* What it has sent may still arrive. */
void ha_unquiet(struct ha *h, msec_t now)
{
        h->quiet_at = now + h->config.in_flight;
}

static bool is_due(const struct ha *h, msec_t now)
{
        return h->hook_due && now >= h->hook_at && (h->mode == MODE_FENCE || now >= h->quiet_at);
}

void ha_run_hooks(struct ha *h, const struct ha_facts *f, msec_t now, struct ha_output *out)
{
        bool runs = f->hook.state == HOOK_RUNNING;

        if (h->killing && !runs) {
                if (h->kills > 0)
                        ha_unquiet(h, now);
                h->killing = false;
                h->hook_seen = h->hook_id;
                ha_calm(h, ALERT_HOOK_STUCK);
        }
        if (h->killing) {
                if (now < h->kill_at)
                        return;
                ha_add(out, ACTION_KILL_HOOK);
                if (h->kills++ > 0) {
                        ha_alert(h, out, ALERT_HOOK_STUCK);
                        if (h->state == ST_FENCING)
                                ha_add(out, ACTION_FENCE_NOW);
                }
                h->kill_at = now + STUCK_MS;
                return;
        }
        if (!runs && is_due(h, now))
                start_hook(h, now, out);
}

void ha_again(struct ha *h, msec_t at, struct ha_output *out)
{
        unsigned tries = ++h->tries;

        h->hook_due = true;
        h->hook_at = at;
        if (h->state == ST_FENCING && tries >= GUARD_TRIES) {
                ha_add(out, ACTION_FENCE_NOW);
                ha_alert(h, out, ALERT_FENCE);
        }
}
