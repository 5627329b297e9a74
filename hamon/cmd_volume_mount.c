/* `hamon volume mount`: prove that the volume is attached to us, wait for the device, mount nothing
 * but the expected file system, then the epoch file: ours is written before anything else may be,
 * and a newer one sends us away. Each touch of the volume is made by a child. */
#include "hamon/cmd_volume.h"

#include "hamon/epoch_file.h"
#include "hamon/volume_dev.h"
#include "hamon/volume_locks.h"
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LOOK = 15000, LOOK_AGAIN = 20, UDEV_AFTER = 2000, UDEV_WAIT = 5000, CHECK_WAIT = 20000 };
enum { EPOCH_WAIT = 20000, UMOUNT_WAIT = 20000, SPARE = 1000 };

struct job { /* plain data: each child works on a copy of it */
        struct volume_place place;
        char uuid[64], fstype[32], options[512];
        char found[128]; /* on the device */
        struct epoch_mark ours, file;
        msec_t budget;
        unsigned removed;
};

/* ---- attached ---- */

/* 0, or how it ended. local: the device being there is all there is to see. */
static int prove_attached(struct step *s, const struct job *j)
{
        struct step_seen o;
        char me[PROVIDER_ID_SIZE];
        int r = step_provider(s, (enum config_provider)s->config.volume.provider);

        if (r != 0 || s->config.volume.provider == CONFIG_LOCAL)
                return r;
        step_own_server(s, &o);
        if (!step_went_well(&o))
                return step_end_provider(s, &o);
        str_copy(me, sizeof me, o.seen.server.id);
        step_operate(s, s->provider->ops->volume_get,
                     (struct provider_request){ .id = j->place.id }, LOOK, &o);
        if (!step_went_well(&o))
                return step_end_provider(s, &o);
        const char *server = o.seen.volume.server;
        if (strcmp(server, me) == 0)
                return 0;
        return step_end(s, STEP_FAILED, "volume %s is attached to %s%s, not to us (%s)",
                        j->place.id, *server ? "server " : "none", server, me);
}

/* ---- the device ---- */

/* Sometimes udev has lost the event (csi-driver#278, #571): have the kernel tell it again. */
static void wake_udev(struct step *s)
{
        static const char *const UDEVADM[] = { "/usr/bin/udevadm", "trigger",
                                               "--subsystem-match=block", "--action=add", NULL };
        const struct child_tick tick = { step_pulse, s };
        int code;

        child_program(UDEVADM, NULL, step_left(s, UDEV_WAIT), &tick, NULL, &code);
}

static int no_device(struct step *s, const char *path)
{
        return step_end(s, STEP_TEMPORARY, "there is no %s, although it is attached", path);
}

static int bad_device(struct step *s, const char *path, int r)
{
        if (r == -ENOTBLK)
                return step_end(s, STEP_FAILED, "%s is no block device", path);
        return step_end_error(s, r, path);
}

static int wait_device(struct step *s, const char *path, dev_t *ret)
{
        msec_t began = clock_ms();
        bool woken = false;
        int r;

        while ((r = volume_dev_find(path, ret)) == -ENOENT) {
                if (clock_ms() >= s->deadline - SPARE)
                        return no_device(s, path);
                if (!woken && clock_ms() - began > UDEV_AFTER) {
                        woken = true;
                        wake_udev(s);
                }
                poll(NULL, 0, LOOK_AGAIN);
                step_pulse(s);
        }
        return r < 0 ? bad_device(s, path, r) : 0;
}

static int check_child(void *arg)
{
        struct job *j = arg;

        return volume_dev_check(j->place.device, j->uuid, j->fstype, j->found, sizeof j->found);
}

static int look_child(void *arg)
{
        struct job *j = arg;

        return volume_dev_look(j->place.device, j->uuid, j->fstype, j->found, sizeof j->found);
}

static int check_device(struct step *s, struct job *j, int (*child)(void *arg))
{
        int r = STEP_CHILD(s, child, j, CHECK_WAIT);
        const char *device = j->place.device;

        switch (r) {
        case 0:
                return 0;
        case -EBUSY:
                return step_end(s, STEP_TEMPORARY, "%s is held by something on this node", device);
        case -ENODATA:
                return step_end(s, STEP_FAILED, "there is no file system on %s; one is never made",
                                device);
        case -EMEDIUMTYPE:
                return step_end(s, STEP_FAILED,
                                "on %s there is %s, and [volume] wants %s %s: not mounted", device,
                                j->found, j->fstype, j->uuid);
        case -ETIMEDOUT:
                return step_end(s, STEP_TEMPORARY, "the disk %s does not answer", device);
        default:
                return step_end_error(s, r, device);
        }
}

/* ---- mount ---- */

static int mount_child(void *arg)
{
        const struct job *j = arg;
        int r = volume_mnt_prepare(j->place.where);

        return r < 0 ? r : volume_mnt_mount(j->place.device, j->place.where, j->fstype, j->options);
}

static int umount_child(void *arg)
{
        const struct job *j = arg;

        return volume_mnt_umount(j->place.where);
}

/* ext: after an I/O error read-only rather than on and on over what is broken. */
static void set_options(const struct config *c, struct job *j)
{
        bool ext = strncmp(j->fstype, "ext", 3) == 0;

        snprintf(j->options, sizeof j->options, "%s%s", c->volume.options,
                 ext && !strstr(c->volume.options, "errors=") ? ",errors=remount-ro" : "");
}

static int not_mounted(struct step *s, const struct job *j, int r)
{
        const char *where = j->place.where;

        switch (r) {
        case -ENOTEMPTY:
                return step_end(s, STEP_FAILED,
                                "%s is not empty: something was written into it while nothing was "
                                "mounted there, and would be hidden. Move it away",
                                where);
        case -ENOTDIR:
                return step_end(s, STEP_FAILED, "%s is no directory", where);
        case -EINVAL:
                return step_end(s, STEP_FAILED, "mount %s: the kernel refuses %s with options %s",
                                where, j->fstype, j->options);
        case -ETIMEDOUT:
                return step_end(s, STEP_TEMPORARY, "the disk does not answer: mount of %s hangs",
                                where);
        default:
                return step_end_error(s, r, where);
        }
}

static int mount_it(struct step *s, struct job *j)
{
        set_options(&s->config, j);
        if (!step_may(s)) /* nothing is more of a write than replaying the journal */
                return step_end_refused(s);
        int r = STEP_CHILD(s, mount_child, j, s->timeout);
        return r < 0 ? not_mounted(s, j, r) : 0;
}

/* It must not stay: whoever looks next would take it for ours. */
static void umount_again(struct step *s, struct job *j)
{
        int r = STEP_CHILD(s, umount_child, j, UMOUNT_WAIT);

        if (r < 0)
                step_note(s, "umount of %s: %s", j->place.where, strerror(-r));
}

/* ---- the epoch ---- */

static int read_child(void *arg)
{
        struct job *j = arg;

        return epoch_file_read(j->place.where, &j->file);
}

static int write_child(void *arg)
{
        const struct job *j = arg;

        return epoch_file_write(j->place.where, &j->ours);
}

static int aside_child(void *arg)
{
        const struct job *j = arg;

        return epoch_file_set_aside(j->place.where);
}

/* Who we are, to be written into the file. */
static int learn_ours(struct step *s, struct job *j)
{
        const char *env = getenv("HAMON_INCARNATION");
        char *end = NULL;

        if (s->flags & STEP_NO_LEASE)
                return 0;
        j->ours =
                (struct epoch_mark){ .epoch = s->grant.epoch, .incarnation = s->grant.incarnation };
        str_copy(j->ours.holder, sizeof j->ours.holder, s->grant.holder);
        if (j->ours.incarnation == 0 && env) {
                j->ours.incarnation = strtoull(env, &end, 16);
                if (end == env || *end)
                        j->ours.incarnation = 0;
        }
        if (j->ours.incarnation != 0)
                return 0;
        return step_end(s, STEP_FAILED,
                        "neither the daemon nor HAMON_INCARNATION tells our incarnation");
}

/* The row is behind the volume: it was lost, or restored. The lease jumps, and then we may. */
static int too_old(struct step *s, struct job *j)
{
        const struct epoch_mark *f = &j->file;
        int r = step_tell_epoch(s, f->epoch);

        if (r < 0)
                step_note(s, "the daemon could not be told of epoch %" PRIu64 ": %s", f->epoch,
                          strerror(-r));
        return step_end(s, STEP_TEMPORARY,
                        "the volume was last held by %s in epoch %" PRIu64 ", and ours is %" PRIu64
                        ": not mounted; the lease goes beyond it",
                        f->holder, f->epoch, j->ours.epoch);
}

static int damaged(struct step *s, struct job *j)
{
        if (!(s->flags & STEP_FORCE_EPOCH))
                return step_end(s, STEP_FAILED,
                                "%s/" EPOCH_FILE " is damaged: who had this volume last is not "
                                "known, so it is not mounted. If no other node has it: hamon "
                                "volume mount --force-epoch puts the file aside",
                                j->place.where);
        int r = STEP_CHILD(s, aside_child, j, EPOCH_WAIT);
        return r < 0 ? step_end_error(s, r, EPOCH_FILE) : 0;
}

/* 0: it stands in the file that the volume is ours. */
static int take_epoch(struct step *s, struct job *j)
{
        int r = STEP_CHILD(s, read_child, j, EPOCH_WAIT);
        bool known = r == 0;

        if (r == -EBADMSG) {
                r = damaged(s, j);
                if (r != 0)
                        return r;
        } else if (r < 0 && r != -ENOENT) {
                return step_end_error(s, r, EPOCH_FILE);
        }
        if (s->flags & STEP_NO_LEASE)
                return 0; /* there is nothing of ours to write */
        if (known) {
                switch (epoch_file_compare(&j->file, &j->ours)) {
                case EPOCH_SAME:
                        return 0;
                case EPOCH_AHEAD:
                        return too_old(s, j);
                case EPOCH_OLDER:
                        break;
                }
        }
        if (!step_may(s))
                return step_end_refused(s);
        r = STEP_CHILD(s, write_child, j, EPOCH_WAIT);
        return r < 0 ? step_end_error(s, r, EPOCH_FILE) : 0;
}

/* ---- lock files ---- */

static int locks_child(void *arg)
{
        struct job *j = arg;

        return volume_locks_clear(j->place.where, j->budget, &j->removed);
}

/* A help, not a condition. */
static void clear_locks(struct step *s, struct job *j)
{
        j->budget = s->config.volume.lock_scan;
        if (j->budget == 0)
                return;
        int r = STEP_CHILD(s, locks_child, j, j->budget + SPARE);
        if (r < 0)
                step_note(s, "looking for stale lock files: %s", strerror(-r));
        else if (r > 0)
                step_note(s, "not all folders were looked at for stale lock files within "
                             "[volume] lock_scan");
        if (j->removed > 0)
                step_note(s, "stale lock files of Dovecot removed: %u", j->removed);
        if (s->json)
                cJSON_AddNumberToObject(s->json, "locks_removed", j->removed);
}

/* ---- all of it ---- */

/* 1 it is mounted already, 0 it is not, else how it ended with an exit code in *code. */
static int already_mounted(struct step *s, const struct job *j, dev_t device, int *code)
{
        struct volume_mnt m;
        int r = volume_mnt_look(j->place.where, &m);

        if (r < 0)
                *code = step_end_error(s, r, "/proc/self/mountinfo");
        else if (m.count > 0 && !volume_mnt_is(&m, device))
                *code = step_end(s, STEP_FAILED, "something else is mounted on %s: %s",
                                 j->place.where, m.source);
        else if (m.count > 1)
                *code = step_end(s, STEP_FAILED,
                                 "%u mounts lie over each other on %s; hamon "
                                 "volume umount takes them away",
                                 m.count, j->place.where);
        else if (m.count == 1 && m.read_only)
                *code = step_end(s, STEP_FAILED,
                                 "%s is mounted read-only: the disk had errors, or was taken away",
                                 j->place.where);
        else
                return m.count == 1;
        return -1;
}

static int finish(struct step *s, struct job *j, bool fresh)
{
        int r = take_epoch(s, j);

        if (r != 0) {
                if (fresh)
                        umount_again(s, j);
                return r;
        }
        if (fresh)
                clear_locks(s, j);
        return step_end(s, fresh ? STEP_DONE : STEP_ALREADY, "%s is mounted on %s", j->place.device,
                        j->place.where);
}

/* What hamon.conf says. 0, or how it ended. */
static int learn_place(struct step *s, struct job *j)
{
        const struct config *c = &s->config;
        int code = volume_place(s, &j->place);

        if (code != 0)
                return code;
        if (!*c->volume.uuid)
                return step_end(s, STEP_FAILED,
                                "[volume] uuid must be set: nothing else is ever mounted");
        str_copy(j->uuid, sizeof j->uuid, c->volume.uuid);
        str_copy(j->fstype, sizeof j->fstype, c->volume.fstype);
        return 0;
}

int volume_mount_run(struct step *s)
{
        struct job j = { .budget = 0 };
        dev_t device = 0;
        int code = learn_place(s, &j);

        if (code != 0)
                return code;
        if (!step_confirm(s,
                          "%s will be mounted on %s without asking who has the lease, and the "
                          "epoch file will not be written.",
                          j.place.device, j.place.where))
                return step_end_refused(s);
        code = learn_ours(s, &j);
        if (code == 0 && !(s->flags & STEP_NO_LEASE))
                code = prove_attached(s, &j);
        if (code == 0)
                code = wait_device(s, j.place.device, &device);
        if (code != 0)
                return code;
        int there = already_mounted(s, &j, device, &code);
        if (there < 0)
                return code;
        if (there == 0) {
                code = check_device(s, &j, check_child);
                if (code == 0)
                        code = mount_it(s, &j);
                if (code != 0)
                        return code;
        }
        return finish(s, &j, there == 0);
}

/* ---- rehearsal ---- */

enum { MODPROBE_WAIT = 5000 };

static int empty_child(void *arg)
{
        const struct job *j = arg;

        return volume_mnt_empty(j->place.where);
}

/* Can the kernel mount it, and is there a place for it? False: a sentence was said. */
static bool rehearse_place(struct step *s, struct job *j)
{
        const char *const modprobe[] = { "/sbin/modprobe", "-n", "-q", j->fstype, NULL };
        const struct child_tick tick = { step_pulse, s };
        unsigned long flags;
        char data[512];
        int code = 0;

        set_options(&s->config, j);
        if (volume_mnt_options(j->options, &flags, data, sizeof data) < 0) {
                step_end(s, STEP_FAILED, "[volume] options are too long");
                return false;
        }
        if (volume_mnt_known(j->fstype) == 0 &&
            (child_program(modprobe, NULL, step_left(s, MODPROBE_WAIT), &tick, NULL, &code) < 0 ||
             code != 0)) {
                step_end(s, STEP_FAILED, "the kernel here knows no file system %s", j->fstype);
                return false;
        }
        int r = STEP_CHILD(s, empty_child, j, LOOK);
        if (r < 0 && r != -ENOENT) /* which it will make */
                not_mounted(s, j, r);
        return r == 0 || r == -ENOENT;
}

/* It comes with the attachment: will it have the name that is waited for? */
static void rehearse_name(struct step *s, const struct job *j)
{
        const char *path = j->place.device;
        struct step_seen o, me;

        step_own_server(s, &me);
        step_operate(s, s->provider->ops->volume_get,
                     (struct provider_request){ .id = j->place.id }, LOOK, &o);
        if (!step_went_well(&me) || !step_went_well(&o))
                return; /* said where the attachment is looked at */
        const struct provider_volume *v = &o.seen.volume;
        if (strcmp(v->server, me.seen.server.id) == 0)
                no_device(s, path);
        else if (!*v->device || strcmp(v->device, path) == 0)
                step_found(s, FOUND_OK, "once attached it is %s, to be mounted on %s", path,
                           j->place.where);
        else
                step_found(
                        s, *s->config.volume.device ? FOUND_WARN : FOUND_FAIL,
                        "the provider says that it will be %s, and %s is waited for: is [volume] "
                        "device right?",
                        v->device, path);
}

static void rehearse_device(struct step *s, struct job *j)
{
        if (check_device(s, j, look_child) == 0)
                step_found(s, FOUND_OK, "%s is %s, to be mounted on %s", j->place.device, j->found,
                           j->place.where);
}

void volume_mount_rehearse(struct step *s)
{
        struct job j = { .budget = 0 };
        dev_t device = 0;
        int code;

        if (learn_place(s, &j) != 0 ||
            step_provider(s, (enum config_provider)s->config.volume.provider) != 0)
                return;
        int r = volume_dev_find(j.place.device, &device);
        if (r < 0 && r != -ENOENT) {
                bad_device(s, j.place.device, r);
                return;
        }
        int there = already_mounted(s, &j, device, &code);
        if (there > 0)
                step_found(s, FOUND_OK, "%s is mounted on %s", j.place.device, j.place.where);
        if (there != 0 || !rehearse_place(s, &j))
                return;
        if (r == 0)
                rehearse_device(s, &j);
        else if (s->config.volume.provider == CONFIG_LOCAL)
                step_end(s, STEP_FAILED, "there is no %s on this node", j.place.device);
        else
                rehearse_name(s, &j);
}
