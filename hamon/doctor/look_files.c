/* The files hamon init wrote here, against what it would write now: hamon.conf may have changed
 * since, or the package, or a hand was at them. Files that are not its own are nobody's business.
 */
#include "hamon/doctor/doctor.h"

#include "hamon/setup/manifest.h"
#include "hamon/setup/render.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void tell(struct doctor *d, enum flaw_id id, const char *path, const char *what)
{
        struct flaw *f = found(d, id, "%s", what);

        found_at(f, "%s", path);
        found_fix(f, "hamon init --dry-run shows what differs; hamon init");
}

static void compare(struct doctor *d, const struct manifest_entry *e, const char *want)
{
        CLEANUP(freep) char *have = NULL;
        char digest[MANIFEST_DIGEST];
        size_t len;
        int r = read_file(e->path, RENDER_MAX, &have, &len);

        if (r == -ENOENT) {
                tell(d, F_FILE, e->path, "hamon init wrote it, and it is gone");
                return;
        }
        if (r < 0 || str_eq(have, want))
                return;
        manifest_digest(have, len, digest);
        if (str_eq(digest, e->digest))
                tell(d, F_FILE, e->path, "it is as hamon init wrote it, but not as it would today");
        else
                tell(d, F_FILE_HAND, e->path, "it was changed by hand since hamon init wrote it");
}

static void look_one(struct doctor *d, const struct manifest *m, enum render_what what)
{
        CLEANUP(buf_done) struct buf path = BUF(8192), text = BUF(RENDER_MAX), errors = BUF(8192);
        const struct manifest_entry *e = NULL;

        if (render_path(what, &d->config, &path, &errors) == 0)
                e = manifest_find(m, buf_str(&path));
        if (!e)
                return;
        if (render(what, &d->config, &text, &errors) == 0) {
                compare(d, e, buf_str(&text));
                return;
        }
        struct flaw *f = found(d, F_FILE, "it cannot be made any more: %.*s",
                               (int)strcspn(buf_str(&errors), "\n"), buf_str(&errors));
        found_at(f, "%s", e->path);
        found_fix(f, "hamon render %s says why; hamon init", RENDERS[what].name);
}

void look_files(struct doctor *d)
{
        CLEANUP(buf_done) struct buf errors = BUF(8192);
        struct manifest *m = calloc(1, sizeof *m);

        if (m && manifest_load(MANIFEST_FILE, m, &errors) == 0)
                for (unsigned i = 0; i < RENDER_COUNT_; i++)
                        look_one(d, m, (enum render_what)i);
        free(m);
}
