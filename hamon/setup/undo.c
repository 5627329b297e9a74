/* `hamon init --undo`: the manifest, backwards. Our own directory stays: the package takes it away
 * when it is purged. */
#include "hamon/setup/init.h"
#include "hamon/setup/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OWN_DIR "/etc/mailcow-ha/"

enum { PATH_SIZE = 4096 };

struct undo {
        struct manifest manifest;
        bool dry;
        struct buf *said, *errors;
};

static int failed(struct undo *u, const char *path, int r)
{
        buf_addf(u->errors, "%s: %s\n", path, strerror(-r));
        return r;
}

/* What is there is ours unless a hand was at it: then a copy is kept. */
static int keep_hand(struct undo *u, const struct manifest_entry *e, bool *ret_there)
{
        CLEANUP(freep) char *have = NULL;
        char digest[MANIFEST_DIGEST];
        size_t len;
        int r = read_file(e->path, PLAN_FILE_MAX, &have, &len);

        *ret_there = r != -ENOENT && r != -ENOTDIR;
        if (!*ret_there)
                return 0;
        if (r < 0)
                return failed(u, e->path, r);
        manifest_digest(have, len, digest);
        if (str_eq(digest, e->digest))
                return 0;
        buf_addf(u->said, "%s was changed by hand: a copy is in %s%s\n", e->path, PLAN_EDITED_DIR,
                 e->path);
        return u->dry ? 0 : plan_keep_edited(e->path, have, len, u->errors);
}

/* A directory of drop-ins that was made for ours. */
static void remove_empty_parent(const char *path)
{
        static const char TAIL[] = ".service.d";
        char dir[PATH_SIZE];

        if (!str_copy(dir, sizeof dir, path))
                return;
        char *slash = strrchr(dir, '/');
        if (!slash)
                return;
        *slash = '\0';
        size_t len = strlen(dir);
        if (len > sizeof TAIL && strcmp(dir + len - sizeof TAIL + 1, TAIL) == 0)
                rmdir(dir);
}

static int take_away(struct undo *u, const char *path, bool there)
{
        char before[PATH_SIZE];

        int n = snprintf(before, sizeof before, "%s%s", path, PLAN_BEFORE);
        if (n < 0 || (size_t)n >= sizeof before)
                return failed(u, path, -ENAMETOOLONG);
        bool back = access(before, F_OK) == 0;
        if (back || there)
                buf_addf(u->said, "%s: %s\n", path, back ? "as it was before" : "taken away");
        if (u->dry)
                return 0;
        int r = back ? rename(before, path) : there ? unlink(path) : 0;
        if (r < 0)
                return failed(u, path, -errno);
        remove_empty_parent(path);
        return 0;
}

static int undo_one(struct undo *u, const struct manifest_entry *e)
{
        bool there;
        int r = keep_hand(u, e, &there);

        if (r == 0)
                r = take_away(u, e->path, there);
        if (r < 0 || u->dry)
                return r;
        manifest_drop(&u->manifest, e->path);
        r = manifest_save(MANIFEST_FILE, &u->manifest);
        return r < 0 ? failed(u, MANIFEST_FILE, r) : 0;
}

int init_undo(bool dry, struct buf *said, struct buf *errors)
{
        struct undo *u = calloc(1, sizeof *u);

        if (!u)
                return -ENOMEM;
        *u = (struct undo){ .dry = dry, .said = said, .errors = errors };
        int r = manifest_load(MANIFEST_FILE, &u->manifest, errors);
        for (size_t i = u->manifest.n; r == 0 && i-- > 0;) {
                const struct manifest_entry e = u->manifest.entries[i];
                if (strncmp(e.path, OWN_DIR, strlen(OWN_DIR)) != 0)
                        r = undo_one(u, &e);
        }
        free(u);
        return r;
}
