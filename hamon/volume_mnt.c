/* mountinfo, mount(2), umount2(2). No helper program: mount(8) would look at /etc/fstab and udev.
 */
#include "hamon/volume_mnt.h"

#include "lib/mountinfo.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- looking ---- */

static bool has_word(const char *list, const char *word)
{
        size_t len = strlen(word);

        for (const char *s = list; *s; s += strcspn(s, ","), s += *s == ',')
                if (strcspn(s, ",") == len && strncmp(s, word, len) == 0)
                        return true;
        return false;
}

/* The last one of a directory is the topmost. */
static void find(char *text, const char *where, struct volume_mnt *ret)
{
        struct mountinfo i;

        *ret = (struct volume_mnt){ .count = 0 };
        while (mountinfo_next(&text, &i)) {
                if (strcmp(i.path, where) != 0)
                        continue;
                ret->count++;
                ret->dev = i.dev;
                str_copy(ret->type, sizeof ret->type, i.type);
                str_copy(ret->source, sizeof ret->source, i.source);
                ret->read_only = has_word(i.options, "ro") || has_word(i.super, "ro") ||
                                 has_word(i.super, "emergency_ro");
        }
}

void volume_mnt_parse(const char *text, const char *where, struct volume_mnt *ret)
{
        CLEANUP(freep) char *copy = strdup(text);

        *ret = (struct volume_mnt){ .count = 0 };
        if (copy)
                find(copy, where, ret);
}

int volume_mnt_look(const char *where, struct volume_mnt *ret)
{
        CLEANUP(freep) char *text = NULL;
        int r = mountinfo_read(&text);

        if (r == 0)
                find(text, where, ret);
        return r;
}

bool volume_mnt_is(const struct volume_mnt *m, dev_t device)
{
        struct stat st;

        if (m->count == 0)
                return false;
        return m->dev == device ||
               (stat(m->source, &st) == 0 && S_ISBLK(st.st_mode) && st.st_rdev == device);
}

/* ---- changing ---- */

static const struct {
        const char *word;
        unsigned long flag;
} FLAGS[] = {
        { "noatime", MS_NOATIME },       { "relatime", MS_RELATIME },
        { "nodiratime", MS_NODIRATIME }, { "lazytime", MS_LAZYTIME },
        { "nodev", MS_NODEV },           { "nosuid", MS_NOSUID },
        { "noexec", MS_NOEXEC },         { "dirsync", MS_DIRSYNC },
        { "sync", MS_SYNCHRONOUS },      { "rw", 0 },
};

static bool flag_of(const char *word, size_t len, unsigned long *flags)
{
        for (size_t i = 0; i < ARRAY_SIZE(FLAGS); i++)
                if (strlen(FLAGS[i].word) == len && strncmp(FLAGS[i].word, word, len) == 0) {
                        *flags |= FLAGS[i].flag;
                        return true;
                }
        return false;
}

int volume_mnt_options(const char *words, unsigned long *ret_flags, char *data, size_t size)
{
        unsigned long flags = 0;
        size_t used = 0;

        data[0] = '\0';
        for (const char *s = words; *s; s += *s == ',') {
                size_t len = strcspn(s, ",");
                if (len > 0 && !flag_of(s, len, &flags)) {
                        if (used + len + 2 > size)
                                return -E2BIG;
                        used += (size_t)snprintf(data + used, size - used, "%s%.*s",
                                                 used ? "," : "", (int)len, s);
                }
                s += len;
        }
        *ret_flags = flags;
        return 0;
}

static void closedirp(DIR **d)
{
        if (*d)
                closedir(*d);
}

int volume_mnt_empty(const char *where)
{
        CLEANUP(closedirp) DIR *d = opendir(where);

        if (!d)
                return -errno;
        for (const struct dirent *e = readdir(d); e; e = readdir(d))
                if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
                        return -ENOTEMPTY;
        return 0;
}

int volume_mnt_prepare(const char *where)
{
        char below[4096];

        if (snprintf(below, sizeof below, "%s/", where) >= (int)sizeof below)
                return -ENAMETOOLONG;
        int r = make_parents(below);
        return r < 0 ? r : volume_mnt_empty(where);
}

int volume_mnt_known(const char *fstype)
{
        CLEANUP(freep) char *text = NULL;
        char *rest = NULL;
        int r = read_file("/proc/filesystems", 64L * 1024, &text, NULL);

        if (r < 0)
                return r;
        for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
                const char *tab = strchr(line, '\t'); /* "nodev" or nothing before it */
                if (tab && strcmp(tab + 1, fstype) == 0)
                        return 1;
        }
        return 0;
}

int volume_mnt_mount(const char *device, const char *where, const char *fstype, const char *options)
{
        unsigned long flags;
        char data[512];
        int r = volume_mnt_options(options, &flags, data, sizeof data);

        if (r < 0)
                return r;
        return mount(device, where, fstype, flags, *data ? data : NULL) < 0 ? -errno : 0;
}

int volume_mnt_sync(const char *where)
{
        CLEANUP(closep) int fd = open(where, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (fd < 0)
                return -errno;
        return syncfs(fd) < 0 ? -errno : 0;
}

int volume_mnt_umount(const char *where)
{
        return umount2(where, UMOUNT_NOFOLLOW) < 0 ? -errno : 0;
}
