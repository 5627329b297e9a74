/* One walk over the folders of the volume. */
#include "hamon/volume_locks.h"

#include <errno.h>
#include <ftw.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OPEN_DIRS = 16, DEPTH_MAX = 16, LOOK_AT_CLOCK = 64 };

static struct walk { /* nftw(3) hands no argument on */
        msec_t end;
        unsigned seen, removed;
} walk;

static bool starts(const char *s, const char *with)
{
        return strncmp(s, with, strlen(with)) == 0;
}

bool volume_locks_is(const char *name)
{
        size_t len = strlen(name);

        if (len < 5 || strcmp(name + len - 5, ".lock") != 0)
                return false;
        return starts(name, "dovecot") || starts(name, ".dovecot") ||
               strcmp(name, "subscriptions.lock") == 0;
}

/* A directory of messages: one of the three that make a Maildir (a mailbox may be called "new"). */
static bool is_messages(const char *path, int base)
{
        static const char *const PARTS[] = { "cur", "new", "tmp" };
        char sibling[4096];
        struct stat st;
        bool one = false;

        for (size_t i = 0; i < ARRAY_SIZE(PARTS); i++)
                one |= strcmp(path + base, PARTS[i]) == 0;
        for (size_t i = 0; one && i < ARRAY_SIZE(PARTS); i++) {
                int n = snprintf(sibling, sizeof sibling, "%.*s%s", base, path, PARTS[i]);
                one = n > 0 && (size_t)n < sizeof sibling && lstat(sibling, &st) == 0 &&
                      S_ISDIR(st.st_mode);
        }
        return one;
}

static int visit(const char *path, const struct stat *st, int type, struct FTW *at)
{
        (void)st;
        if (++walk.seen % LOOK_AT_CLOCK == 0 && clock_ms() > walk.end)
                return FTW_STOP;
        if (type == FTW_D && (at->level > DEPTH_MAX || is_messages(path, at->base)))
                return FTW_SKIP_SUBTREE;
        if (type == FTW_F && volume_locks_is(path + at->base) && unlink(path) == 0)
                walk.removed++;
        return FTW_CONTINUE;
}

int volume_locks_clear(const char *dir, msec_t budget, unsigned *ret_removed)
{
        walk = (struct walk){ .end = clock_ms() + budget };
        int r = nftw(dir, visit, OPEN_DIRS, FTW_PHYS | FTW_MOUNT | FTW_ACTIONRETVAL);

        *ret_removed = walk.removed;
        return r < 0 ? -errno : r == FTW_STOP;
}
