/* The table of `hamon volume …`, where the volume is, its label, and umount. */
#include "hamon/cmd_volume.h"

#include "hamon/providers.h"
#include "hamon/volume_dev.h"
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

enum {
        MINUTE = 60000,
        LOOK_AGAIN = 50,
        PROOF = 5000,
        ONE_UMOUNT = 20000,
        LABEL_WAIT = 10000,
        LOOK_OURS = 15000
};

/* ---- the place ---- */

int volume_place(struct step *s, struct volume_place *ret)
{
        int r = volume_place_find(&s->config, ret);

        if (r == 0)
                return 0;
        if (r == -ENOENT)
                step_end(s, STEP_FAILED, "[volume] provider and mount must be set");
        else
                step_end(s, STEP_FAILED, "[volume] mount: %s cannot be a mount point",
                         s->config.volume.mount);
        return EX_CONFIG;
}

struct proof {
        char device[256];
};

static int prove(void *arg)
{
        const struct proof *p = arg;
        int r = volume_dev_free(p->device);

        return r == -ENOENT ? 0 : r;
}

int volume_prove_free(struct step *s, const char *device, msec_t at_most)
{
        struct proof p;

        str_copy(p.device, sizeof p.device, device);
        return STEP_CHILD(s, prove, &p, at_most);
}

int volume_prove_ours(struct step *s, const struct volume_place *place)
{
        struct step_seen me, volume;
        int r = step_provider(s, (enum config_provider)s->config.volume.provider);

        if (r != 0)
                return r;
        step_own_server(s, &me);
        if (!step_went_well(&me))
                return step_end_provider(s, &me);
        step_operate(s, s->provider->ops->volume_get, (struct provider_request){ .id = place->id },
                     LOOK_OURS, &volume);
        if (!step_went_well(&volume))
                return step_end_provider(s, &volume);
        const char *holder = volume.seen.volume.server;
        if (!*holder || strcmp(holder, me.seen.server.id) == 0)
                return 0;
        return step_end(s, STEP_FAILED,
                        "the volume is attached to server %s: while another one has it, nothing is "
                        "done with it here",
                        holder);
}

/* ---- umount ---- */

struct umount {
        char where[4096];
        bool sync;
};

static int umount_child(void *arg)
{
        const struct umount *u = arg;

        if (u->sync)
                volume_mnt_sync(u->where); /* a dead disk cannot be written back: umount decides */
        return volume_mnt_umount(u->where);
}

/* Until nothing is mounted there. -EBUSY: somebody uses it, and did until the time was up. */
static int umount_all(struct step *s, const char *where, struct volume_mnt *m, bool *changed)
{
        struct umount u = { .sync = true };
        int r;

        str_copy(u.where, sizeof u.where, where);
        while ((r = volume_mnt_look(where, m)) == 0 && m->count > 0) {
                r = STEP_CHILD(s, umount_child, &u, ONE_UMOUNT);
                if (r == 0 || r == -EINVAL) {
                        *changed = true;
                        continue;
                }
                if (r != -EBUSY || clock_ms() >= s->deadline)
                        return r;
                u.sync = false; /* what is written meanwhile, umount writes back */
                poll(NULL, 0, LOOK_AGAIN);
                step_pulse(s);
        }
        return r;
}

/* A copy of the mount in a container keeps the device; it may be just about to end. */
static int wait_free(struct step *s, const char *device)
{
        int r;

        while ((r = volume_prove_free(s, device, PROOF)) == -EBUSY && clock_ms() < s->deadline) {
                poll(NULL, 0, LOOK_AGAIN);
                step_pulse(s);
        }
        return r;
}

int volume_umount_run(struct step *s)
{
        struct volume_place p;
        struct volume_mnt m;
        bool changed = false;
        int r = volume_place(s, &p);

        if (r != 0)
                return r;
        r = umount_all(s, p.where, &m, &changed);
        if (r == -EBUSY)
                return step_end(s, STEP_TEMPORARY, "%s is still in use", p.where);
        if (r == -ETIMEDOUT)
                return step_end(s, STEP_TEMPORARY, "the disk does not answer: umount of %s hangs",
                                p.where);
        if (r < 0)
                return step_end_error(s, r, p.where);
        r = wait_free(s, p.device);
        if (r == -EBUSY)
                return step_end(s, STEP_TEMPORARY,
                                "nothing is mounted on %s, but %s is still held: a container has a "
                                "copy of the mount, or it is mounted elsewhere",
                                p.where, p.device);
        if (r < 0)
                return step_end_error(s, r, p.device);
        return step_end(s, changed ? STEP_DONE : STEP_ALREADY,
                        "nothing is mounted on %s, %s is free", p.where, p.device);
}

/* ---- label ---- */

/* For people who look at the provider's console. Nothing ever decides by it. */
static int label_run(struct step *s)
{
        struct volume_place p;
        struct step_seen o;
        char label[PROVIDER_ID_SIZE + 24];
        int r = volume_place(s, &p);

        if (r == 0)
                r = step_provider(s, (enum config_provider)s->config.volume.provider);
        if (r != 0)
                return r;
        snprintf(label, sizeof label, "%.*s.%" PRIu64, 40, s->grant.holder, s->grant.epoch);
        step_operate(s, s->provider->ops->volume_label,
                     (struct provider_request){ .id = p.id, .label = label }, LABEL_WAIT, &o);
        return step_end_provider(s, &o);
}

/* ---- the table ---- */

static const struct step_verb VERBS[] = {
        { .name = "attach",
          .flags = STEP_COMMON | STEP_REPAIR | STEP_SILENT,
          .needs_lease = true,
          .timeout = 2 * MINUTE,
          .run = volume_attach_run },
        { .name = "detach",
          .flags = STEP_COMMON | STEP_REPAIR,
          .needs_lease = true,
          .timeout = 2 * MINUTE,
          .run = volume_detach_run },
        { .name = "mount",
          .flags = STEP_COMMON | STEP_REPAIR | STEP_FORCE_EPOCH,
          .needs_lease = true,
          .timeout = 2 * MINUTE,
          .run = volume_mount_run },
        { .name = "umount", .flags = STEP_COMMON, .timeout = MINUTE / 2, .run = volume_umount_run },
        { .name = "format",
          .flags = STEP_TIMEOUT | STEP_YES,
          .timeout = 10 * MINUTE,
          .run = volume_format_run },
        { .name = "grow", .flags = STEP_TIMEOUT, .timeout = 10 * MINUTE, .run = volume_grow_run },
        { .name = "check",
          .flags = STEP_TIMEOUT | STEP_YES,
          .timeout = 240 * MINUTE,
          .run = volume_check_run },
        { .name = "label",
          .flags = STEP_COMMON,
          .needs_lease = true,
          .timeout = MINUTE / 4,
          .run = label_run },
};

int volume_command(const char *file, int argc, char **argv)
{
        if (argc > 0 && strcmp(argv[0], "status") == 0)
                return providers_volume(file, argc, argv);
        return step_main("volume", VERBS, ARRAY_SIZE(VERBS), file, argc, argv);
}
