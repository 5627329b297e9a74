/* The table. What is left out is left out on purpose: each step of a hook, claims that come to
 * nothing, a standby's hook; that a service is unfit comes from the status, which knows how long.
 */
#include "hamon/web/alert_rule.h"

#include <string.h>

enum { SECOND = 1000, MINUTE = 60 * SECOND };

#define WRITES "promoting|master|demoting"
#define CALM   "init|standby|claiming|halted|maintenance"

/* clang-format off: one row, two lines */
const struct alert_rule ALERT_RULES[] = {
        { "state", "claiming", "promoting", NULL, SORT_ONCE, LOG_WARN, "failover",
          "takes over the lead", 0, 0 },
        { "state", "promoting", "master", "hook_ok", SORT_ONCE, LOG_INFO, "promoted",
          "is master now", 0, 0 },
        { "state", "master", "demoting", "unfit|asked", SORT_ONCE, LOG_WARN, "demoted",
          "gives up the lead for cause", 0, 0 },
        { "state", "master|promoting", "demoting", "switchover|maintenance_on", SORT_ONCE, LOG_INFO,
          "demoted", "hands over the lead as it was ordered", 0, 0 },
        { "state", "demoting", "promoting", "way_back", SORT_ONCE, LOG_WARN, "way_back",
          "could not hand over the lead and serves on", 0, 0 },
        { "state", WRITES, "fencing", NULL, SORT_OPEN, LOG_ERROR, "fencing",
          "lost the lead and stops all that writes", 0, 15 * MINUTE },
        { "state", CALM, "fencing", NULL, SORT_OPEN, LOG_WARN, "fencing",
          "stops what runs here without the lead", 5 * SECOND, 15 * MINUTE },
        { "state", "fencing", CALM, NULL, SORT_OVER, LOG_INFO, "fencing",
          "has stopped all that writes, proven", 0, 0 },
        { "state", "halted", "standby|claiming|maintenance", NULL, SORT_OVER, LOG_INFO, "halted",
          "is not held back by the breaker any more", 0, 0 },
        { "alert", NULL, "halted", NULL, SORT_OPEN, LOG_ERROR, "halted",
          "is held back by the breaker", 0, 15 * MINUTE },
        { "alert", NULL, "stay", NULL, SORT_ONCE, LOG_ERROR, "stay", "is unfit and stays master", 0,
          15 * MINUTE },
        { "alert", NULL, "promote_failed", NULL, SORT_ONCE, LOG_ERROR, "promote_failed",
          "could not become master", 0, 15 * MINUTE },
        { "alert", NULL, "fence_failed", NULL, SORT_ONCE, LOG_ERROR, "fence_failed",
          "cannot stop what writes", 0, 15 * MINUTE },
        { "alert", NULL, "hook_stuck", NULL, SORT_ONCE, LOG_ERROR, "hook_stuck",
          "has a hook that does not die", 0, 15 * MINUTE },
        { "alert", NULL, "epoch_ahead", NULL, SORT_ONCE, LOG_ERROR, "epoch_ahead",
          "found a later epoch on the volume", 0, 15 * MINUTE },
        { "alert", NULL, "volume_lost", NULL, SORT_ONCE, LOG_ERROR, "volume_lost",
          "lost the volume while it led", 0, 15 * MINUTE },
        { "guard", NULL, "fenced", NULL, SORT_OPEN, LOG_ERROR, "guard", "was fenced by its guard",
          0, 15 * MINUTE },
        { "guard", NULL, "silent|unready", NULL, SORT_OPEN, LOG_WARN, "guard",
          "has no guard that works: it must not lead", 20 * SECOND, 15 * MINUTE },
        { "guard", NULL, "armed|off", NULL, SORT_OVER, LOG_INFO, "guard", "has its guard back", 0,
          0 },
        { "clock_gap", NULL, NULL, NULL, SORT_ONCE, LOG_WARN, "frozen",
          "was frozen, or its daemon was", 0, 15 * MINUTE },
        { "repair", NULL, "helped", NULL, SORT_ONCE, LOG_INFO, "repair", "restarted what hung", 0,
          15 * MINUTE },
        { "repair", NULL, "failed", NULL, SORT_ONCE, LOG_WARN, "repair",
          "restarted what hung, and it did not help", 0, 15 * MINUTE },
        { "start_again", NULL, "failed", NULL, SORT_ONCE, LOG_WARN, "start_again",
          "has a container that Docker cannot start", 0, 15 * MINUTE },
        { "rejoin", NULL, "failed", NULL, SORT_ONCE, LOG_WARN, "rejoin",
          "has a database that leaves its group again", 0, 15 * MINUTE },
        { "order", NULL, "takeover_forced", NULL, SORT_ONCE, LOG_WARN, "takeover",
          "was ordered to lead by force", 0, 0 },
        { "start", NULL, NULL, NULL, SORT_RESET, LOG_INFO, NULL, NULL, 0, 0 },
};
/* clang-format on */

const size_t N_ALERT_RULES = ARRAY_SIZE(ALERT_RULES);

static bool among(const char *words, const char *word)
{
        size_t len = strlen(word);

        if (!words)
                return true;
        for (;;) {
                size_t n = strcspn(words, "|");
                if (n == len && memcmp(words, word, n) == 0)
                        return true;
                if (!words[n])
                        return false;
                words += n + 1;
        }
}

bool alert_rule_fits(const struct alert_rule *r, const struct event_line *e)
{
        return among(r->kind, e->kind) && among(r->from, e->from) && among(r->to, e->to) &&
               among(r->reason, e->reason);
}

const struct alert_rule *alert_rule_find(const struct event_line *e)
{
        for (size_t i = 0; i < N_ALERT_RULES; i++)
                if (alert_rule_fits(&ALERT_RULES[i], e))
                        return &ALERT_RULES[i];
        return NULL;
}

void alert_rule_message(const struct alert_rule *r, const struct event_line *e, const char *cluster,
                        struct alert_message *ret)
{
        static const enum alert_phase PHASES[] = { [SORT_ONCE] = PHASE_EVENT,
                                                   [SORT_OPEN] = PHASE_OPEN,
                                                   [SORT_OVER] = PHASE_OVER,
                                                   [SORT_RESET] = PHASE_OVER };
        char text[ALERT_TEXT];

        *ret = (struct alert_message){
                .level = r->level, .phase = PHASES[r->sort], .at_ms = e->at_ms, .epoch = e->epoch
        };
        alert_copy(ret->cluster, sizeof ret->cluster, cluster);
        alert_copy(ret->node, sizeof ret->node, e->node);
        snprintf(ret->key, sizeof ret->key, "%s:%.63s", r->key ? r->key : "", ret->node);
        snprintf(ret->title, sizeof ret->title, "%s %s", ret->node, r->sentence ? r->sentence : "");
        alert_copy(ret->text, sizeof ret->text, events_line_text(e, text, sizeof text));
        alert_identify(ret);
}
