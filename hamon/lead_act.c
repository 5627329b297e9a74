/* Core's actions are data; here each is carried out. What fails shows in the facts of the next
 * step. */
#include "hamon/lead_impl.h"

#include "hamon/hook_paths.h"
#include "lib/log.h"
#include <inttypes.h>
#include <string.h>

enum { ENV_VALUE = 1024 };

/* ---- hooks ---- */

struct hook_env {
        char text[18][ENV_VALUE];
        const char *list[20];
        size_t n;
};

PRINTF(3, 4) static void put(struct hook_env *e, const char *key, const char *fmt, ...)
{
        char *dst = e->text[e->n];
        va_list ap;

        int len = snprintf(dst, ENV_VALUE, "%s=", key);
        va_start(ap, fmt);
        vsnprintf(dst + len, ENV_VALUE - (size_t)len, fmt, ap);
        va_end(ap);
        e->list[e->n++] = dst;
        e->list[e->n] = NULL;
}

static void put_unclean(struct hook_env *e, const struct lead *l, const char *from, msec_t now)
{
        const struct config *c = l->needs.config;
        CLEANUP(buf_done) struct buf names = BUF(ENV_VALUE);
        bool from_unclean = true;

        for (size_t i = 0; i < c->cluster.nodes.n; i++) {
                struct cluster_node n = config_cluster_node(c, i);
                bool unclean = lead_unclean(l, i, now);
                if (unclean)
                        buf_addf(&names, "%s%s", names.len > 0 ? " " : "", n.name);
                if (str_eq(n.name, from))
                        from_unclean = unclean;
        }
        put(e, "HAMON_UNCLEAN", "%s", buf_str(&names));
        if (*from && !from_unclean)
                put(e, "HAMON_FROM_SILENT", "0"); /* absent: it counts as silent */
}

static void fill_env(struct lead *l, const struct ha_action *a, msec_t now, struct hook_env *e)
{
        char mark[CONFIG_FINGERPRINT];

        put(e, "PATH", "%s", HOOK_PATH);
        put(e, "LC_ALL", "%s", "C");
        put(e, "HAMON_NODE", "%s", l->needs.config->node.name);
        put(e, "HAMON_EPOCH", "%" PRIu64, a->epoch);
        put(e, "HAMON_INCARNATION", "%016" PRIx64, l->ha.lease.incarnation);
        put(e, "HAMON_REASON", "%s", a->reason);
        put(e, "HAMON_FROM", "%s", a->from);
        put_unclean(e, l, a->from, now);
        put(e, "HAMON_TO", "%s", a->to);
        config_fingerprint(l->needs.config, mark);
        put(e, "HAMON_CONFIG", "%s", l->needs.file);
        put(e, "HAMON_CONFIG_MARK", "%s", mark);
        put(e, "HAMON_DEADLINE_MS", "%lld", (long long)a->deadline);
        put(e, "HAMON_MODE", "%s", HA_MODES[a->mode]);
        if (a->mode == MODE_RECOVER && *lead_repair_due(l, now))
                put(e, "HAMON_REPAIR", "%s", lead_repair_due(l, now));
        put(e, "HAMON_HOOKS", "%s", l->needs.config->hooks.dir);
}

void lead_start_hook(struct lead *l, const struct ha_action *a)
{
        CLEANUP(buf_done) struct buf error = BUF(1024);
        struct hook_env env = { .n = 0 };
        struct hook_paths paths;
        msec_t now = loop_now(l->needs.loop);

        fill_env(l, a, now, &env);
        int r = hook_paths(l->needs.config->hooks.dir, l->needs.file, HA_HOOKS[a->hook], &paths);
        const struct hook_run run = { .id = a->id,
                                      .name = HA_HOOKS[a->hook],
                                      .path = paths.hook,
                                      .also = paths.also,
                                      .env = env.list,
                                      .deadline = a->deadline };
        if (r < 0)
                buf_adds(&error, "the path of the hook is too long");
        bool started = r == 0 && hook_start(l->hook, &run, &error) == 0;
        l->hook_refused = started ? 0 : a->id;
        lead_tell_hook(l, a, started ? NULL : buf_str(&error));
        if (a->mode == MODE_RECOVER)
                lead_repair_begin(l, started, now);
        if (!started)
                lead_wake(l);
}

/* ---- words ---- */

static void answered(struct lead *l, const struct ha_action *a)
{
        struct lead_operation *o = &l->operation;

        if (o->number == 0 || o->state != OPERATION_RUNNING)
                return;
        str_copy(o->sentence, sizeof o->sentence, a->comment);
        if (!a->accepted) {
                o->state = OPERATION_FAILED;
                lead_tell_order(l, "refused", o->sentence, true);
                lead_takeover_over(l);
        }
        o->accepted = a->accepted;
}

void lead_act(struct lead *l, const struct ha_action *a, msec_t now)
{
        switch (a->kind) {
        case ACTION_START_HOOK:
                if (a->hook == HOOK_MASTER)
                        lead_hold(l, a, now);
                else
                        lead_start_hook(l, a);
                break;
        case ACTION_KILL_HOOK:
                lead_hold_drop(l);
                hook_kill(l->hook, true);
                break;
        case ACTION_ALERT:
                lead_tell_alert(l, a->alert);
                break;
        case ACTION_NOTE:
                lead_tell_note(l, a);
                break;
        case ACTION_ANSWER:
                answered(l, a);
                break;
        case ACTION_FENCE_NOW:
                guard_fence_now(l->guard);
                break;
        case ACTION_HINT:
        case ACTION_ASK:
                lead_others(l, a);
                break;
        }
}
