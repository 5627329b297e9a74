/* The guard as this node's leading part sees it: told each new deadline, and asked whether it
 * lives. Nobody leads without a guard that has said that it knows: the main process may stop at any
 * moment, and then only the guard ends what writes here. */
#include "hamon/lead_impl.h"

#include "hamon/volume_dev.h"
#include "hamon/volume_place.h"
#include "lib/diskseq.h"
#include "lib/log.h"
#include <errno.h>
#include <string.h>

enum { STOP_WAIT_MS = 500 };

bool lead_guarded(const struct lead *l, msec_t now)
{
        return guard_acked(l->guard) > now;
}

/* So that the guard knows the device when its name has gone. Names in /dev never hang. Each epoch
 * begins anew: the number of the time before may be another disk's. */
static void note_device(struct lead *l)
{
        dev_t dev;

        if (l->target_epoch != l->ha.lead_epoch)
                l->target.dev = l->target.seq = 0;
        l->target_epoch = l->ha.lead_epoch;
        if (strncmp(l->target.device, "/dev/", 5) == 0 &&
            volume_dev_find(l->target.device, &dev) == 0) {
                l->target.dev = dev;
                l->target.seq = diskseq(dev);
        }
}

void lead_guard_carry(struct lead *l)
{
        const struct ha_output *o = &l->out;

        if (o->guard == GUARD_ARM) {
                note_device(l);
                guard_set(l->guard, GUARD_SET_ARM, o->guard_deadline, l->ha.lead_epoch, &l->target);
        } else if (o->guard == GUARD_OFF) {
                guard_set(l->guard, GUARD_SET_OFF, 0, l->ha.lead_epoch, &l->target);
        }
}

void lead_target(struct lead *l, const struct fence_target *t)
{
        if (!l)
                return;
        l->target.n = t->n;
        memcpy(l->target.id, t->id, sizeof l->target.id);
        lead_wake(l);
}

/* A deadline of which nobody will tell it any more is only good where something may write. */
void lead_stop(struct lead *l)
{
        const struct guard_answer *a = l ? guard_seen(l->guard) : NULL;
        struct guard_message off = { .verb = GUARD_SAY_OFF, .epoch = l ? l->ha.lead_epoch : 0 };
        struct guard_answer answer;
        char path[LEAD_PATH + 16];

        if (!a || a->mode != GUARD_IS_ARMED || l->out.guard != GUARD_OFF)
                return;
        snprintf(path, sizeof path, "%s/guard.sock", l->dir);
        int r = guard_ask(path, &off, STOP_WAIT_MS, &answer);
        if (r < 0)
                log_event(LOG_WARN, "guard", LS("error", strerror(-r)),
                          LS("msg", "was not told that nothing writes here"));
}

static void on_guard(void *arg)
{
        struct lead *l = arg;

        lead_tell_guard(l);
        lead_wake(l);
}

int lead_guard_start(struct lead *l)
{
        const struct config *c = l->needs.config;
        struct volume_place place;
        char path[LEAD_PATH + 16];

        if (volume_place_find(c, &place) == 0 &&
            (!str_copy(l->target.device, sizeof l->target.device, place.device) ||
             !str_copy(l->target.mount, sizeof l->target.mount, place.where))) {
                log_event(LOG_ERROR, "config", LS("key", "volume"), LS("error", "too long"));
                return -ENAMETOOLONG;
        }
        snprintf(path, sizeof path, "%s/guard.sock", l->dir);
        return guard_new(l->needs.loop, path, on_guard, l, &l->guard);
}
