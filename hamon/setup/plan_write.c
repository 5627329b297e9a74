/* Writing a plan. A foreign file gets a second name before the first one is taken from it, so that
 * there is no moment at which it could be lost; what was written is in the manifest before the next
 * file is. */
#include "hamon/setup/plan.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_SIZE = 4096 };

static int failed(struct buf *errors, const char *path, int r)
{
        buf_addf(errors, "%s: %s\n", path, strerror(-r));
        return r;
}

/* FILE.before-mailcow-ha is there: of a run that was killed, or of another time. */
static int same_content(const char *a, const char *b)
{
        CLEANUP(freep) char *x = NULL;
        CLEANUP(freep) char *y = NULL;

        int r = read_file(a, PLAN_FILE_MAX, &x, NULL);
        if (r == 0)
                r = read_file(b, PLAN_FILE_MAX, &y, NULL);
        if (r < 0)
                return r;
        return str_eq(x, y) ? 0 : -EEXIST;
}

static int keep_foreign(const char *path, bool once, struct buf *errors)
{
        char before[PATH_SIZE];

        int n = snprintf(before, sizeof before, "%s%s", path, PLAN_BEFORE);
        if (n < 0 || (size_t)n >= sizeof before)
                return failed(errors, path, -ENAMETOOLONG);
        if (link(path, before) == 0 || (once && errno == EEXIST))
                return 0;
        int r = errno == EEXIST ? same_content(path, before) : -errno;
        if (r == -EEXIST)
                buf_addf(errors,
                         "%s: it is not ours, and %s, of another time, is not the same: move one "
                         "of them away\n",
                         path, before);
        else if (r < 0)
                failed(errors, before, r);
        return r;
}

int plan_keep_edited(const char *path, const char *text, size_t len, struct buf *errors)
{
        char copy[PATH_SIZE];

        int n = snprintf(copy, sizeof copy, "%s%s", PLAN_EDITED_DIR, path);
        if (n < 0 || (size_t)n >= sizeof copy)
                return failed(errors, path, -ENAMETOOLONG);
        int r = make_parents(copy);
        if (r == 0)
                r = write_file_durable(copy, 0600, text, len);
        return r < 0 ? failed(errors, copy, r) : 0;
}

/* For a person to merge, with the line that says so on top. */
static int write_beside(const struct plan_file *f, struct buf *errors)
{
        CLEANUP(buf_done) struct buf text = BUF(2L * PLAN_FILE_MAX);
        char beside[PATH_SIZE], mark[64];

        int n = snprintf(beside, sizeof beside, "%s%s", f->path, PLAN_BESIDE);
        if (n < 0 || (size_t)n >= sizeof beside)
                return failed(errors, f->path, -ENAMETOOLONG);
        plan_merge_mark(f->text, mark, sizeof mark);
        buf_addf(&text, "%s\n%s", mark, f->text);
        int r = text.error ? text.error
                           : write_file_durable(beside, f->mode, buf_str(&text), text.len);
        return r < 0 ? failed(errors, beside, r) : 0;
}

static int write_one(const struct plan_file *f, struct buf *errors)
{
        int r = make_parents(f->path);

        if (r < 0)
                return failed(errors, f->path, r);
        if (f->state == PLAN_EDITED)
                r = plan_keep_edited(f->path, f->have, strlen(f->have), errors);
        else if (f->state == PLAN_FOREIGN || (f->kind == PLAN_KEPT && f->have))
                r = keep_foreign(f->path, f->kind == PLAN_KEPT, errors);
        if (r < 0)
                return r;
        r = write_file_durable(f->path, f->mode, f->text, strlen(f->text));
        return r < 0 ? failed(errors, f->path, r) : 0;
}

/* A file that is as it is to be was written by us too, or might have been: killed before it was
 * noted, or by a hand that copied it. */
static int note(struct plan *p, const struct plan_file *f, bool *ret_new)
{
        const struct manifest_entry *e = manifest_find(&p->manifest, f->path);
        char digest[MANIFEST_DIGEST];

        manifest_digest(f->text, strlen(f->text), digest);
        if (f->kind == PLAN_PERSON || f->kind == PLAN_KEPT || f->kind == PLAN_SECRET ||
            (e && str_eq(e->digest, digest)))
                return 0;
        *ret_new = true;
        return manifest_set(&p->manifest, f->path, digest);
}

static int write_and_note(struct plan *p, struct plan_file *f, struct buf *errors)
{
        bool fresh = false;
        int r = 0;

        if (f->state == PLAN_MERGE)
                return write_beside(f, errors);
        if (f->state != PLAN_SAME)
                r = write_one(f, errors);
        else if (!str_eq(f->have, f->text))
                return 0; /* merged by hand: not ours */
        if (r == 0)
                r = note(p, f, &fresh);
        if (r == 0 && fresh) {
                r = manifest_save(p->manifest_file, &p->manifest);
                if (r < 0)
                        failed(errors, p->manifest_file, r);
        }
        return r;
}

int plan_write(struct plan *p, struct buf *errors)
{
        for (size_t i = 0; i < p->n; i++) {
                int r = write_and_note(p, &p->files[i], errors);
                if (r < 0)
                        return r;
        }
        return 0;
}
