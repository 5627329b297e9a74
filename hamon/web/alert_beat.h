/* What a monitor that waits for a sign of life (Uptime Kuma's push) is told. Nobody there to send
 * it is an answer too: such a monitor raises the alarm by itself. Pure. */
#pragma once

#include "hamon/web/alert_target.h"
#include "hamon/web/alert_view.h"

struct alert_beat {
        bool send; /* false: it is another node's to send, or nobody's */
        bool up;
        msec_t ping; /* the canary's delivery; < 0 = not known */
        char text[200];
};

/* SCOPE_NODE: this node, as it is. SCOPE_CLUSTER: the master sends it; with a majority and without
 * a master the speaker does; without a majority nobody, for the other side may well serve. */
void alert_beat_now(const struct alert_view *v, const cJSON *extra, enum alert_scope scope,
                    const char *me, struct alert_beat *ret);
