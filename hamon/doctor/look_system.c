/* The machine: what is mounted and what would be, room on the disks, units that start at boot, the
 * interface, the fence of last resort, who sets the clock. */
#include "hamon/doctor/doctor.h"

#include "hamon/volume_mnt.h"
#include "hamon/volume_place.h"
#include <blkid/blkid.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <net/if.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { FILE_MAX = 256 * 1024, FULL_PERCENT = 95 };

#define WANTS "/etc/systemd/system/"

/* ---- the volume ---- */

/* Is it this file system that the first word of a line of fstab means? */
static bool means_volume(const struct doctor *d, const char *device, const char *what,
                         const char *where)
{
        const struct config *c = &d->config;

        if (strncasecmp(what, "UUID=", 5) == 0)
                return *c->volume.uuid && strcasecmp(what + 5, c->volume.uuid) == 0;
        return (*device && str_eq(what, device)) ||
               (*c->volume.mount && str_eq(where, c->volume.mount));
}

static bool has_option(const char *options, const char *want)
{
        size_t len = strlen(want);

        for (const char *p = options; *p; p += *p == ',') {
                size_t n = strcspn(p, ",");
                if (n == len && strncmp(p, want, n) == 0)
                        return true;
                p += n;
        }
        return false;
}

static void look_fstab_line(struct doctor *d, const char *device, char *line, unsigned number)
{
        char *word[4] = { NULL }, *rest = NULL;

        for (size_t i = 0; i < ARRAY_SIZE(word); i++)
                if (!(word[i] = strtok_r(i == 0 ? line : NULL, " \t", &rest)))
                        return;
        if (*word[0] == '#' || !means_volume(d, device, word[0], word[1]) ||
            has_option(word[3], "noauto"))
                return;
        struct flaw *f = found(d, F_FSTAB, "%s would be mounted at %s at boot", word[0], word[1]);
        found_at(f, "/etc/fstab:%u", number);
        found_fix(f, "sed -i '%us/^/#/' /etc/fstab && systemctl daemon-reload", number);
}

static void look_fstab(struct doctor *d, const char *device)
{
        CLEANUP(freep) char *text = NULL;
        unsigned number = 0;

        if (read_file("/etc/fstab", FILE_MAX, &text, NULL) < 0)
                return;
        for (char *line = text, *end; line; line = end) {
                end = strchr(line, '\n');
                if (end)
                        *end++ = '\0';
                look_fstab_line(d, device, line, ++number);
        }
}

/* Something lies in the mount point while nothing is mounted there. */
static void look_mount_point(struct doctor *d, const char *where)
{
        struct volume_mnt m = { .count = 0 };
        char name[256] = "";
        struct dirent *e;

        if (volume_mnt_look(where, &m) < 0 || m.count > 0)
                return;
        DIR *dir = opendir(where);
        if (!dir)
                return;
        while (!*name && (e = readdir(dir)))
                if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
                        str_copy(name, sizeof name, e->d_name);
        closedir(dir);
        if (!*name)
                return;
        struct flaw *f = found(d, F_MOUNT_BUSY, "%s is not mounted and holds \"%s\"", where, name);
        found_at_key(d, f, &d->config.volume.mount);
        found_fix(f, "look at it, then: mv %s %s.found && mkdir %s", where, where, where);
}

static void free_probe(blkid_probe *p)
{
        blkid_free_probe(*p); /* NULL is fine */
}

/* Reads only, and without O_EXCL, which a mount of the daemon's would trip over. */
static void look_uuid(struct doctor *d, const char *device)
{
        CLEANUP(closep) int fd = open(device, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        const char *want = d->config.volume.uuid, *uuid = NULL;

        if (fd < 0)
                return;
        CLEANUP(free_probe) blkid_probe p = blkid_new_probe();
        if (!p || blkid_probe_set_device(p, fd, 0, 0) < 0)
                return;
        blkid_probe_enable_superblocks(p, 1);
        blkid_probe_set_superblocks_flags(p, BLKID_SUBLKS_UUID);
        if (blkid_do_safeprobe(p) != 0 || blkid_probe_lookup_value(p, "UUID", &uuid, NULL) != 0)
                uuid = NULL;
        if (uuid && strcasecmp(uuid, want) == 0)
                return;
        struct flaw *f = found(d, F_VOLUME_UUID, "on %s is %s, hamon.conf says %s", device,
                               uuid ? uuid : "no file system", want);
        found_at_key(d, f, &d->config.volume.uuid);
        if (uuid)
                found_fix(f, "if it is the right volume: [volume]\nuuid = %s", found_word(uuid));
        else
                found_fix(f, "if it is new: mkfs.ext4 %s, then blkid %s tells the uuid", device,
                          device);
}

static void look_volume(struct doctor *d)
{
        struct volume_place p = { .device = "" };
        int r = volume_place_find(&d->config, &p);

        if (r == -ENOENT)
                return;
        look_fstab(d, p.device);
        if (r < 0)
                return;
        look_mount_point(d, p.where);
        if (*p.device && access(p.device, F_OK) == 0)
                look_uuid(d, p.device);
}

/* ---- disks ---- */

static unsigned percent(uint64_t used, uint64_t all)
{
        return all > 0 ? (unsigned)(used * 100 / all) : 0;
}

static void look_disk(struct doctor *d, const char *path, dev_t *ret_dev)
{
        struct statvfs v;
        struct stat st;

        if (!*path || stat(path, &st) < 0 || st.st_dev == *ret_dev || statvfs(path, &v) < 0)
                return;
        *ret_dev = st.st_dev;
        unsigned blocks = percent(v.f_blocks - v.f_bfree, v.f_blocks - v.f_bfree + v.f_bavail);
        unsigned files = percent(v.f_files - v.f_ffree, v.f_files);
        if (blocks < FULL_PERCENT && files < FULL_PERCENT)
                return;
        struct flaw *f = found(d, F_DISK, "the file system of %s is full to %u %%%s", path,
                               MAX(blocks, files), files > blocks ? " of its inodes" : "");
        found_at(f, "%s", path);
        found_fix(f, "du -xh --max-depth=2 %s | sort -h | tail; docker system df", path);
}

static void look_disks(struct doctor *d)
{
        char events[4096];
        dev_t last = 0;

        str_copy(events, sizeof events, d->config.log.events);
        look_disk(d, d->config.mailcow.dir, &last);
        look_disk(d, *events ? dirname(events) : "", &last);
        look_disk(d, d->config.volume.mount, &last);
}

/* ---- what starts at boot ---- */

static bool wanted(const char *unit)
{
        static const char *const DIRS[] = { WANTS "multi-user.target.wants",
                                            WANTS "sysinit.target.wants",
                                            WANTS "default.target.wants" };
        char path[300];
        struct stat st;

        for (size_t i = 0; i < ARRAY_SIZE(DIRS); i++) {
                snprintf(path, sizeof path, "%s/%s.service", DIRS[i], unit);
                if (lstat(path, &st) == 0)
                        return true;
        }
        return false;
}

static void look_unit(struct doctor *d, const char *unit)
{
        if (wanted(unit))
                return;
        struct flaw *f = found(d, F_BOOT, "%s.service is not started at boot", unit);
        found_at(f, WANTS "multi-user.target.wants");
        found_fix(f, "systemctl enable %s", unit);
}

static void look_units(struct doctor *d)
{
        static const char *const CLOCKS[] = { "systemd-timesyncd", "chrony", "ntpsec", "ntp",
                                              "openntpd" };
        bool clock = false;

        look_unit(d, "hamon");
        look_unit(d, "docker");
        if (d->config.cluster.nodes.n > 0)
                look_unit(d, "hamon-guard");
        if (access("/etc/keepalived/keepalived.conf", F_OK) == 0)
                look_unit(d, "keepalived");
        for (size_t i = 0; i < ARRAY_SIZE(CLOCKS); i++)
                clock = clock || wanted(CLOCKS[i]);
        if (clock)
                return;
        struct flaw *f = found(d, F_CLOCK, "nothing that sets the clock is started at boot");
        found_at(f, WANTS "sysinit.target.wants");
        found_fix(
                f,
                "apt-get install -y systemd-timesyncd && systemctl enable --now systemd-timesyncd");
}

/* ---- address and fence ---- */

static void look_interface(struct doctor *d)
{
        const struct config *c = &d->config;
        struct flaw *f;

        if (c->ip.provider == CONFIG_NONE)
                return;
        if (if_nametoindex(c->ip.interface) == 0) {
                f = found(d, F_INTERFACE, "there is no interface \"%s\"", c->ip.interface);
                found_at_key(d, f, &c->ip.interface);
                found_fix(f, "[ip]\ninterface = the one that `ip -br link` shows with the public "
                             "address");
        }
        if (c->ip.outbound && access("/usr/sbin/nft", X_OK) < 0) {
                f = found(d, F_NFT, "there is no /usr/sbin/nft for the source NAT");
                found_at_key(d, f, &c->ip.outbound);
                found_fix(f, "apt-get install -y nftables");
        }
}

static void look_fence(struct doctor *d)
{
        const struct config *c = &d->config;
        const char *command = c->local.fence_command, *wrong = NULL;
        struct flaw *f;
        struct stat st;

        if (config_needs_watchdog(c) && access(c->watchdog.device, F_OK) < 0) {
                f = found(d, F_FENCE, "a watchdog is needed, and %s is not there",
                          c->watchdog.device);
                found_at_key(d, f, &c->watchdog.device);
                found_fix(f, "modprobe softdog && echo softdog >/etc/modules-load.d/softdog.conf\n"
                             "or give [local] fence_command");
        }
        if (c->volume.provider != CONFIG_LOCAL || !*command)
                return;
        if (stat(command, &st) < 0)
                wrong = strerror(errno);
        else if (!S_ISREG(st.st_mode) || access(command, X_OK) < 0)
                wrong = "it is no program";
        else if (st.st_uid != 0 || st.st_mode & (S_IWGRP | S_IWOTH))
                wrong = "others than root may write it";
        if (!wrong)
                return;
        f = found(d, F_FENCE, "%s: %s", command, wrong);
        found_at_key(d, f, &c->local.fence_command);
        found_fix(f, "chown root:root %s && chmod 755 %s", command, command);
}

void look_system(struct doctor *d)
{
        look_volume(d);
        look_disks(d);
        look_units(d);
        look_interface(d);
        look_fence(d);
}
