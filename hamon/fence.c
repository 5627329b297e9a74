/* Kill, unmount, prove. Each part goes on even if the one before failed: less that writes is better
 * than more, and only the proof counts. */
#include "hamon/fence.h"

#include "lib/child.h"
#include "lib/diskseq.h"
#include "lib/mountinfo.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum { MOUNTS_MAX = 256, PAUSE_MS = 20 };

const struct fence_rule FENCE_RULE = {
        .cgroup = "/sys/fs/cgroup", .kill = 1700, .umount = 1700, .probe = 700, .hang = 300
};

struct job { /* plain data: goes into the child and comes back */
        struct fence_target target;
        char cgroup[TARGET_PATH];
        msec_t ms;
        unsigned killed, left;
        unsigned n_devs;
        dev_t devs[8];
        bool gone;
};

static int do_kill(void *arg)
{
        struct job *j = arg;

        return fence_kill(j->cgroup, &j->target, j->ms, &j->killed, &j->left);
}

/* ---- mounts ---- */

static bool is_below(const char *path, const char *mount)
{
        size_t len = strlen(mount);

        return len > 1 && strncmp(path, mount, len) == 0 && (path[len] == '\0' || path[len] == '/');
}

struct mounts {
        char *path[MOUNTS_MAX];
        int n;
};

static void add_dev(struct job *j, dev_t dev)
{
        for (unsigned i = 0; i < j->n_devs; i++)
                if (j->devs[i] == dev)
                        return;
        if (dev != 0 && j->n_devs < ARRAY_SIZE(j->devs))
                j->devs[j->n_devs++] = dev;
}

static bool is_volume(const struct job *j, dev_t dev)
{
        for (unsigned i = 0; i < j->n_devs; i++)
                if (j->devs[i] == dev)
                        return true;
        return false;
}

static bool is_from_volume(const struct job *j, const char *source)
{
        struct stat st;

        if (*j->target.device && strcmp(source, j->target.device) == 0)
                return true;
        return *source == '/' && stat(source, &st) == 0 && S_ISBLK(st.st_mode) &&
               is_volume(j, st.st_rdev);
}

/* The number is another disk's by now. */
static bool is_reused(const struct job *j, dev_t dev)
{
        uint64_t now = diskseq(dev);

        return dev == (dev_t)j->target.dev && j->target.seq && now && now != j->target.seq;
}

/* The numbers that are the volume's: of the device, as its name says now and as it was when we were
 * told; of its file system (btrfs has others); and if nothing says, of what is on the mount point.
 * Never that of "/", a directory of which may be bound there. */
static int find_devs(struct job *j, const char *text)
{
        CLEANUP(freep) char *copy = strdup(text);
        bool lost = j->n_devs == 0;
        dev_t root = 0;
        struct mountinfo m;

        if (!copy)
                return -ENOMEM;
        for (char *at = copy; mountinfo_next(&at, &m);) {
                if (strcmp(m.path, "/") == 0)
                        root = m.dev;
                if (is_from_volume(j, m.source) || (lost && strcmp(m.path, j->target.mount) == 0))
                        add_dev(j, m.dev);
        }
        for (unsigned i = 0; i < j->n_devs; i++)
                if (j->devs[i] == root)
                        j->devs[i--] = j->devs[--j->n_devs];
        return 0;
}

/* Every mount of the volume wherever it is (Docker's local volumes are bind mounts of it, and stay
 * if dockerd dies), and whatever is on or below the mount point. */
static int find_mounts(struct job *j, char *text, struct mounts *ret)
{
        struct mountinfo m;

        ret->n = 0;
        int r = find_devs(j, text);
        if (r < 0)
                return r;
        while (mountinfo_next(&text, &m)) {
                if (!is_volume(j, m.dev) && !is_below(m.path, j->target.mount))
                        continue;
                if (strcmp(m.path, "/") == 0)
                        continue;
                if (ret->n == MOUNTS_MAX)
                        return -E2BIG;
                ret->path[ret->n++] = m.path;
        }
        return 0;
}

/* What was mounted last goes first. */
static int do_umount(void *arg)
{
        struct job *j = arg;
        msec_t end = clock_ms() + j->ms;
        struct mounts found;
        struct stat st;

        if (*j->target.device && stat(j->target.device, &st) == 0 && S_ISBLK(st.st_mode))
                add_dev(j, st.st_rdev);
        if (!is_reused(j, (dev_t)j->target.dev)) /* R: never another disk's mounts */
                add_dev(j, (dev_t)j->target.dev);
        for (;;) {
                CLEANUP(freep) char *text = NULL;
                int error = 0;
                int r = mountinfo_read(&text);
                if (r < 0)
                        return r;
                r = find_mounts(j, text, &found);
                if (r < 0 || found.n == 0)
                        return r;
                for (int i = found.n - 1; i >= 0; i--)
                        if (umount2(found.path[i], UMOUNT_NOFOLLOW) < 0)
                                error = -errno;
                if (error == 0)
                        continue; /* look again: that there is nothing more is what counts */
                if (clock_ms() >= end)
                        return error;
                poll(NULL, 0, PAUSE_MS);
        }
}

/* ---- the proof ---- */

/* No such device: then it is free, unless only its name is gone. */
static int is_gone(struct job *j)
{
        char path[64];

        for (unsigned i = 0; i < j->n_devs; i++) {
                if (is_reused(j, j->devs[i]))
                        continue;
                snprintf(path, sizeof path, "/sys/dev/block/%u:%u", major(j->devs[i]),
                         minor(j->devs[i]));
                if (access(path, F_OK) == 0)
                        return -EBUSY;
        }
        j->gone = true;
        return 0;
}

static int do_probe(void *arg)
{
        struct job *j = arg;
        msec_t end = clock_ms() + j->ms;
        struct stat st;

        for (;;) {
                CLEANUP(closep)
                int fd = open(j->target.device, O_RDONLY | O_EXCL | O_NONBLOCK | O_CLOEXEC);
                if (fd >= 0) /* on anything but a block device O_EXCL means nothing */
                        return fstat(fd, &st) == 0 && S_ISBLK(st.st_mode) ? 0 : -ENOTBLK;
                if (errno == ENOENT || errno == ENXIO || errno == ENODEV || errno == ENOMEDIUM)
                        return is_gone(j);
                if (errno != EBUSY || clock_ms() >= end)
                        return -errno;
                poll(NULL, 0, PAUSE_MS);
        }
}

/* ---- all of it ---- */

static int part(struct job *j, int (*fn)(void *arg), msec_t ms, msec_t hang, msec_t *ret_took)
{
        msec_t began = clock_ms();

        j->ms = ms;
        int r = child_call(fn, j, sizeof *j, ms + hang, NULL);
        *ret_took = clock_ms() - began;
        return r;
}

void fence_run(const struct fence_target *t, const struct fence_rule *rule,
               struct fence_result *ret)
{
        struct job j = { .target = *t };
        struct fence_result f = { .free = false };
        int probe = 0;

        str_copy(j.cgroup, sizeof j.cgroup, rule->cgroup);
        int killed = part(&j, do_kill, rule->kill, rule->hang, &f.kill_ms);
        int umounted = part(&j, do_umount, rule->umount, rule->hang, &f.umount_ms);
        if (*t->device)
                probe = part(&j, do_probe, rule->probe, rule->hang, &f.probe_ms);

        f.killed = j.killed;
        f.left = j.left;
        f.unmounted = umounted == 0;
        f.gone = j.gone;
        f.total_ms = f.kill_ms + f.umount_ms + f.probe_ms;
        /* An O_EXCL that succeeded says all. Without one, both others must have gone well. */
        bool proven = *t->device && probe == 0 && !j.gone;
        f.free = proven || (probe == 0 && killed == 0 && umounted == 0);
        if (f.free)
                snprintf(f.text, sizeof f.text, "%s",
                         proven ? "the volume is free" : "nothing here uses the volume");
        else if (probe < 0)
                snprintf(f.text, sizeof f.text, "the volume is not proven free: %s",
                         strerror(-probe));
        else if (umounted < 0)
                snprintf(f.text, sizeof f.text, "cannot unmount: %s", strerror(-umounted));
        else
                snprintf(f.text, sizeof f.text, "%u containers do not die: %s", f.left,
                         strerror(-killed));
        f.error = f.free ? 0 : probe < 0 ? probe : umounted < 0 ? umounted : killed;
        *ret = f;
}
