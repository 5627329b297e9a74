/* `hamon volume attach` and `detach`: the fence. The order is always: look, make sure that the old
 * holder does not write, look again, attach, look again. What is never done: take the volume from
 * the holder of the lease (we hold it, so whoever else has the volume does not), or from anybody
 * but the server that was seen to have it. */
#include "hamon/cmd_volume.h"

#include "hamon/core/lease.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { LOOK = 15000, POWEROFF = 30000, MOVE = 90000 };

struct fence {
        struct volume_place place;
        char me[PROVIDER_ID_SIZE]; /* this server, as the provider calls it */
        const char *from;          /* the old holder's node name; "" = not known */
        struct step_seen seen;     /* of the last operation */
};

static const char *old_holder(void)
{
        const char *from = getenv("HAMON_FROM");

        return from ? from : "";
}

static bool operate(struct step *s, struct fence *f, provider_op op, const char *server,
                    msec_t at_most)
{
        step_operate(s, op, (struct provider_request){ .id = f->place.id, .server = server },
                     at_most, &f->seen);
        return step_went_well(&f->seen);
}

/* Where are we, where is the volume. 0, or how it ended. */
static int look(struct step *s, struct fence *f)
{
        int r = volume_place(s, &f->place);

        if (r == 0)
                r = step_provider(s, (enum config_provider)s->config.volume.provider);
        if (r != 0)
                return r;
        f->from = old_holder();
        step_own_server(s, &f->seen);
        if (!step_went_well(&f->seen))
                return step_end_provider(s, &f->seen);
        str_copy(f->me, sizeof f->me, f->seen.seen.server.id);
        return 0;
}

/* ---- the old holder ---- */

/* Does the provider's server belong to the node that held the lease? */
static bool is_old_holder(const struct fence *f, const struct provider_server *server)
{
        return *f->from && (strcmp(f->from, server->name) == 0 || strcmp(f->from, server->id) == 0);
}

/* 1: power it off, 0: need not be, -1: not known, the look failed (f->seen). */
static int wants_poweroff(struct step *s, struct fence *f, const char *server)
{
        switch ((enum config_poweroff)s->config.hetzner.poweroff) {
        case CONFIG_POWEROFF_NEVER:
                return 0;
        case CONFIG_POWEROFF_ALWAYS:
                return 1;
        case CONFIG_POWEROFF_AUTO:
                break;
        }
        if (!(s->flags & STEP_SILENT))
                return 0;
        if (!operate(s, f, s->provider->ops->server_get, server, LOOK))
                return -1;
        if (is_old_holder(f, &f->seen.seen.server))
                return 1;
        step_note(s,
                  "the volume is attached to server %s (%s), which is not the silent node \"%s\": "
                  "it is not powered off, only detached",
                  server, f->seen.seen.server.name, f->from);
        return 0;
}

/* What a live guest does with a disk that is taken from it is not proven, what a switched-off one
 * does is. With auto it is the stronger order where it can be had: detaching is a fence by itself,
 * and a server that cannot be powered off must not keep the mail for ever. 0, or how it ended. */
static int power_off(struct step *s, struct fence *f, const char *server)
{
        bool must = s->config.hetzner.poweroff == CONFIG_POWEROFF_ALWAYS;
        int wanted = wants_poweroff(s, f, server);

        if (wanted == 0)
                return 0;
        if (wanted > 0 && operate(s, f, s->provider->ops->poweroff, server, POWEROFF))
                return 0;
        if (must || s->refused)
                return step_end_provider(s, &f->seen);
        step_note(s, "%s; it is detached without", f->seen.text);
        return 0;
}

static int take_from(struct step *s, struct fence *f, const char *server)
{
        if (!step_confirm(s,
                          "The volume %s is attached to server %s. If that one still has it "
                          "mounted, what it has not written yet is lost.",
                          f->place.id, server))
                return step_end_refused(s);
        int r = power_off(s, f, server);
        if (r != 0)
                return r;
        if (!operate(s, f, s->provider->ops->volume_detach, server, MOVE))
                return step_end_provider(s, &f->seen);
        if (*f->seen.seen.volume.server == '\0')
                return 0;
        return step_end(s, STEP_TEMPORARY, "the volume is still attached to server %s",
                        f->seen.seen.volume.server);
}

/* R: everyone who does not say that nothing writes there: $HAMON_UNCLEAN of the daemon; by hand the
 * old holder, if it is silent. 0, or how it ended. */
static int fence_all(struct step *s, struct fence *f)
{
        const char *listed = getenv("HAMON_UNCLEAN");
        const char *names = listed ? listed : s->flags & STEP_SILENT ? f->from : "";
        char name[LEASE_NAME];

        if (!listed && (s->flags & STEP_SILENT) && !*f->from)
                return step_end(s, STEP_FAILED,
                                "the old holder is silent and nobody says who it was (HAMON_FROM): "
                                "it cannot be fenced");
        for (size_t len; *(names += strspn(names, " ")); names += len) {
                len = strcspn(names, " ");
                if (len >= sizeof name)
                        return step_end(s, STEP_FAILED,
                                        "HAMON_UNCLEAN: no node has so long a name");
                memcpy(name, names, len);
                name[len] = '\0';
                if (strcmp(name, s->config.node.name) != 0 &&
                    !operate(s, f, s->provider->ops->poweroff, name, MOVE))
                        return step_end_provider(s, &f->seen);
        }
        return 0;
}

/* A shared device has no switch outside: the fence command, else the old holder's watchdog, which
 * is why a node of such a cluster does not lead without one. */
static bool watchdog_fences(const struct step *s)
{
        int mode = s->config.watchdog.mode;

        return mode == CONFIG_WATCHDOG_REQUIRED || mode == CONFIG_WATCHDOG_AUTO;
}

static int fence_shared(struct step *s, struct fence *f)
{
        if (s->provider->ops->can_fence(s->provider))
                return fence_all(s, f);
        if (!(s->flags & STEP_SILENT) || strcmp(f->from, s->config.node.name) == 0)
                return 0; /* it let go by itself, or it was us */
        if (watchdog_fences(s)) {
                step_note(s, "\"%s\" is silent; its watchdog has reset it, since it led with one",
                          f->from);
                return 0;
        }
        return step_end(s, STEP_FAILED,
                        "\"%s\" is silent and there is no way to keep it from writing: set [local] "
                        "fence_command or [watchdog] mode; if it is surely off: "
                        "hamon volume attach --no-lease",
                        f->from);
}

/* ---- attach ---- */

static int attach(struct step *s, struct fence *f)
{
        if (!operate(s, f, s->provider->ops->volume_attach, f->me, MOVE))
                return step_end_provider(s, &f->seen);
        if (strcmp(f->seen.seen.volume.server, f->me) != 0)
                return step_end(s, STEP_TEMPORARY,
                                "the volume is attached to \"%s\", not to us (%s)",
                                f->seen.seen.volume.server, f->me);
        return step_end_provider(s, &f->seen);
}

/* Its GET proves nothing: whoever has the device at all sees it. */
static int attach_shared(struct step *s, struct fence *f)
{
        struct volume_mnt m;
        int r = volume_mnt_look(f->place.where, &m);

        if (r == 0 && m.count > 0)
                return step_end(s, STEP_ALREADY, "it is mounted on %s", f->place.where);
        if (!step_confirm(s,
                          "Nothing but a fence keeps another node from writing to %s. If another "
                          "node has it mounted, the file system will be destroyed.",
                          f->place.device))
                return step_end_refused(s);
        r = fence_shared(s, f);
        return r != 0 ? r : attach(s, f);
}

int volume_attach_run(struct step *s)
{
        struct fence f = { .from = "" };
        int r = look(s, &f);

        if (r != 0)
                return r;
        if (s->config.volume.provider == CONFIG_LOCAL)
                return attach_shared(s, &f);
        if (!operate(s, &f, s->provider->ops->volume_get, NULL, LOOK))
                return step_end_provider(s, &f.seen);
        const char *server = f.seen.seen.volume.server;
        if (strcmp(server, f.me) == 0)
                return step_end(s, STEP_ALREADY, "volume %s is attached to us, server %s",
                                f.place.id, f.me);
        if (*server) {
                char other[PROVIDER_ID_SIZE];
                str_copy(other, sizeof other, server);
                r = take_from(s, &f, other);
                if (r != 0)
                        return r;
        } else if (!step_confirm(s, "The volume %s is attached to no server.", f.place.id)) {
                return step_end_refused(s);
        }
        return attach(s, &f);
}

/* ---- detach ---- */

/* Not mounted here, and nothing here holds the device. 0, or how it ended. */
static int refuse_if_used(struct step *s, const struct fence *f)
{
        struct volume_mnt m;
        int r = volume_mnt_look(f->place.where, &m);

        if (r == 0 && m.count > 0)
                return step_end(s, STEP_FAILED, "it is mounted on %s; hamon volume umount first",
                                f->place.where);
        if (r == 0)
                r = volume_prove_free(s, f->place.device, LOOK);
        if (r == -EBUSY)
                return step_end(s, STEP_TEMPORARY, "something on this node still holds %s",
                                f->place.device);
        return r < 0 ? step_end_error(s, r, f->place.device) : 0;
}

int volume_detach_run(struct step *s)
{
        struct fence f = { .from = "" };
        char server[PROVIDER_ID_SIZE];
        int r = look(s, &f);

        if (r != 0)
                return r;
        if (!operate(s, &f, s->provider->ops->volume_get, NULL, LOOK))
                return step_end_provider(s, &f.seen);
        str_copy(server, sizeof server, f.seen.seen.volume.server);
        bool ours = strcmp(server, f.me) == 0;
        if (!*server || (!ours && !(s->flags & STEP_NO_LEASE)))
                return step_end(s, STEP_ALREADY, "volume %s is attached to %s%s, not to us",
                                f.place.id, *server ? "server " : "none", server);
        if (ours && (r = refuse_if_used(s, &f)) != 0)
                return r;
        if (!step_confirm(s, "The volume %s will be detached from server %s%s.", f.place.id, server,
                          ours ? " (this one)" : ", which may still write to it"))
                return step_end_refused(s);
        operate(s, &f, s->provider->ops->volume_detach, server, MOVE);
        return step_end_provider(s, &f.seen);
}

/* ---- rehearsal ---- */

static void rehearse_shared(struct step *s)
{
        if (s->provider->ops->can_fence(s->provider))
                step_found(s, FOUND_OK, "whoever may still write is fenced by local.fence_command");
        else if (watchdog_fences(s))
                step_found(s, FOUND_OK, "a silent holder has been reset by its own watchdog");
        else
                step_found(s, FOUND_FAIL,
                           "a holder that falls silent could not be kept from writing: set [local] "
                           "fence_command or [watchdog] mode");
}

static void rehearse_holder(struct step *s, struct fence *f, const char *server)
{
        if (operate(s, f, s->provider->ops->server_get, server, LOOK))
                step_found(s, FOUND_OK,
                           "volume %s is attached to server %s (%s), and could be taken from it",
                           f->place.id, server, f->seen.seen.server.name);
        else
                step_found(s, FOUND_WARN, "volume %s is attached to server %s: %s", f->place.id,
                           server, f->seen.text);
}

void volume_attach_rehearse(struct step *s)
{
        struct fence f = { .from = "" };

        if (look(s, &f) != 0)
                return;
        if (s->config.volume.provider == CONFIG_LOCAL) {
                rehearse_shared(s);
                return;
        }
        const struct provider_server me = f.seen.seen.server;
        if (!operate(s, &f, s->provider->ops->volume_get, NULL, LOOK)) {
                step_end_provider(s, &f.seen);
                return;
        }
        const struct provider_volume v = f.seen.seen.volume;
        if (strcmp(v.location, me.location) != 0)
                step_found(
                        s, FOUND_FAIL,
                        "volume %s is in %s and this server, %s, in %s: it can never be attached "
                        "here",
                        f.place.id, v.location, me.name, me.location);
        else if (strcmp(v.server, me.id) == 0)
                step_found(s, FOUND_OK, "volume %s is attached to us, server %s (%s)", f.place.id,
                           me.id, me.name);
        else if (*v.server)
                rehearse_holder(s, &f, v.server);
        else
                step_found(s, FOUND_OK, "volume %s is attached to none; this is server %s (%s)",
                           f.place.id, me.id, me.name);
}
