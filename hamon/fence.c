/* Kill, unmount, prove. Each part goes on even if the one before failed: less that writes is better
 * than more, and only the proof counts. */
#include "hamon/fence.h"

#include "lib/child.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum { MOUNTS_MAX = 256, MOUNTINFO_MAX = 4 * 1024 * 1024, PAUSE_MS = 20 };

const struct fence_rule FENCE_RULE = {
        .cgroup = "/sys/fs/cgroup", .kill = 2000, .umount = 2000, .probe = 1000
};

struct job { /* plain data: goes into the child and comes back */
        struct fence_target target;
        char cgroup[TARGET_PATH];
        msec_t ms;
        unsigned killed, left;
        dev_t dev, mount_dev; /* of the device; of what was mounted (btrfs: another number). 0: ? */
        bool gone;
};

static int do_kill(void *arg)
{
        struct job *j = arg;

        return fence_kill(j->cgroup, &j->target, j->ms, &j->killed, &j->left);
}

/* ---- mounts ---- */

/* \040 and the like in /proc/self/mountinfo, in place. */
static void unescape(char *s)
{
        char *to = s;

        for (; *s; s++) {
                if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' &&
                    s[3] >= '0' && s[3] <= '7') {
                        *to++ = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0'));
                        s += 3;
                } else {
                        *to++ = *s;
                }
        }
        *to = '\0';
}

static bool is_below(const char *path, const char *mount)
{
        size_t len = strlen(mount);

        return len > 1 && strncmp(path, mount, len) == 0 && (path[len] == '\0' || path[len] == '/');
}

struct line {
        dev_t dev;
        char *path;
};

/* "36 35 98:0 /root /mount/point options …" */
static bool parse_line(char *text, struct line *ret)
{
        char *save = NULL, *word[5];
        unsigned major, minor;

        for (size_t i = 0; i < ARRAY_SIZE(word); i++)
                if (!(word[i] = strtok_r(i ? NULL : text, " ", &save)))
                        return false;
        if (sscanf(word[2], "%u:%u", &major, &minor) != 2) /* NOLINT(cert-err34-c) the kernel's */
                return false;
        unescape(word[4]);
        *ret = (struct line){ makedev(major, minor), word[4] };
        return true;
}

/* The mounts that are the volume's: of its device wherever they are (Docker's local volumes are
 * bind mounts of it, and stay if dockerd dies), and all on or below the mount point. */
static int find_mounts(struct job *j, char *text, char *found[MOUNTS_MAX])
{
        static struct line lines[4096];
        size_t n_lines = 0;
        dev_t root = 0;
        char *save = NULL;
        int n = 0;

        for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
                if (n_lines == ARRAY_SIZE(lines))
                        return -E2BIG;
                if (!parse_line(l, &lines[n_lines]))
                        continue;
                if (*j->target.mount && strcmp(lines[n_lines].path, j->target.mount) == 0)
                        j->mount_dev = lines[n_lines].dev;
                if (strcmp(lines[n_lines].path, "/") == 0)
                        root = lines[n_lines].dev;
                n_lines++;
        }
        if (j->mount_dev == root) /* a directory of the root file system, bound there */
                j->mount_dev = 0;
        if (j->dev == root)
                j->dev = 0;
        for (size_t i = 0; i < n_lines; i++) {
                const struct line *l = &lines[i];
                bool ours = (j->dev && l->dev == j->dev) ||
                            (j->mount_dev && l->dev == j->mount_dev) ||
                            is_below(l->path, j->target.mount);
                if (!ours || strcmp(l->path, "/") == 0)
                        continue;
                if (n == MOUNTS_MAX)
                        return -E2BIG;
                found[n++] = l->path;
        }
        return n;
}

/* What was mounted last goes first. */
static int do_umount(void *arg)
{
        struct job *j = arg;
        msec_t end = clock_ms() + j->ms;
        char *found[MOUNTS_MAX];
        struct stat st;

        if (*j->target.device && stat(j->target.device, &st) == 0 && S_ISBLK(st.st_mode))
                j->dev = st.st_rdev;
        for (;;) {
                CLEANUP(freep) char *text = NULL;
                int error = 0;
                int r = read_file("/proc/self/mountinfo", MOUNTINFO_MAX, &text, NULL);
                int n = r < 0 ? r : find_mounts(j, text, found);
                if (n <= 0)
                        return n;
                for (int i = n - 1; i >= 0; i--)
                        if (umount2(found[i], UMOUNT_NOFOLLOW) < 0)
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
        dev_t dev = j->dev ? j->dev : j->mount_dev;
        char path[64];

        snprintf(path, sizeof path, "/sys/dev/block/%u:%u", major(dev), minor(dev));
        if (major(dev) != 0 && access(path, F_OK) == 0)
                return -EBUSY;
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

static int part(struct job *j, int (*fn)(void *arg), msec_t ms, msec_t *ret_took)
{
        msec_t began = clock_ms();

        j->ms = ms - ms / 4; /* its own deadline comes first: then it can say what it saw */
        int r = child_call(fn, j, sizeof *j, ms, NULL);
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
        int killed = part(&j, do_kill, rule->kill, &f.kill_ms);
        int umounted = part(&j, do_umount, rule->umount, &f.umount_ms);
        if (*t->device)
                probe = part(&j, do_probe, rule->probe, &f.probe_ms);

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
