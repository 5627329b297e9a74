/* Telling the states apart, and showing them. Writing is plan_write.c. */
#include "hamon/setup/plan.h"

#include "lib/diff.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const struct {
        const char *word;
        const char *note; /* %s: the path */
} STATES[] = {
        [PLAN_SAME] = { "as it is", NULL },
        [PLAN_NEW] = { "new", NULL },
        [PLAN_OURS] = { "changed", NULL },
        [PLAN_EDITED] = { "changed",
                          "it was changed by hand: a copy goes to " PLAN_EDITED_DIR "%s" },
        [PLAN_FOREIGN] = { "replaced", "it is not ours: kept as %s" PLAN_BEFORE },
        [PLAN_MERGE] = { "to be merged by hand", "it is not ours and stays; ours goes to "
                                                 "%s" PLAN_BESIDE },
};

void plan_merge_mark(const char *text, char *ret, size_t size)
{
        char digest[MANIFEST_DIGEST];

        manifest_digest(text, strlen(text), digest);
        snprintf(ret, size, "# mailcow-ha: merged %.12s", digest);
}

/* A line of its own. */
static bool has_line(const char *text, const char *line)
{
        size_t len = strlen(line);

        for (const char *p = text; *p; p += strcspn(p, "\n"), p += *p == '\n')
                if (strncmp(p, line, len) == 0 && strchr("\r\n", p[len]))
                        return true; /* NUL too */
        return false;
}

static enum plan_state state_of(const struct plan *p, const struct plan_file *f)
{
        const struct manifest_entry *e = manifest_find(&p->manifest, f->path);
        char digest[MANIFEST_DIGEST], mark[64];

        if (!f->have)
                return PLAN_NEW;
        if (str_eq(f->have, f->text))
                return PLAN_SAME;
        if (f->kind == PLAN_PERSON || f->kind == PLAN_KEPT)
                return PLAN_OURS;
        manifest_digest(f->have, strlen(f->have), digest);
        if (e)
                return str_eq(e->digest, digest) ? PLAN_OURS : PLAN_EDITED;
        if (f->kind != PLAN_HAND)
                return PLAN_FOREIGN;
        plan_merge_mark(f->text, mark, sizeof mark);
        return has_line(f->have, mark) ? PLAN_SAME : PLAN_MERGE;
}

static int read_have(struct plan_file *f, struct buf *errors)
{
        size_t len;
        int r = read_file(f->path, PLAN_FILE_MAX, &f->have, &len);

        if (r == -ENOENT || r == -ENOTDIR)
                return 0;
        if (r == 0 && strlen(f->have) != len)
                r = -EILSEQ;
        if (r == -EILSEQ)
                buf_addf(errors, "%s: it is no text; move it away\n", f->path);
        else if (r < 0)
                buf_addf(errors, "%s: %s\n", f->path, strerror(-r));
        return r < 0 ? -EINVAL : 0;
}

static int copy_masked(const char *text, void (*mask)(const char *, struct buf *), char **ret)
{
        CLEANUP(buf_done) struct buf out = BUF(2L * PLAN_FILE_MAX);

        mask(text, &out);
        *ret = strdup(buf_str(&out));
        return out.error ? out.error : *ret ? 0 : -ENOMEM;
}

static void file_done(struct plan_file *f)
{
        char *const all[] = { f->path, f->text, f->shown, f->have, f->have_shown };

        if (f->kind == PLAN_SECRET && f->text)
                explicit_bzero(f->text, strlen(f->text));
        if (f->kind == PLAN_SECRET && f->have)
                explicit_bzero(f->have, strlen(f->have));
        for (size_t i = 0; i < ARRAY_SIZE(all); i++)
                free(all[i]);
        *f = (struct plan_file){ .path = NULL };
}

static int fill(struct plan *p, struct plan_file *f, const struct plan_file *from,
                void (*mask)(const char *, struct buf *), struct buf *errors)
{
        f->path = strdup(from->path);
        f->text = strdup(from->text);
        if (!f->path || !f->text)
                return -ENOMEM;
        int r = read_have(f, errors);
        if (r == 0 && mask)
                r = copy_masked(f->text, mask, &f->shown);
        if (r == 0 && mask && f->have)
                r = copy_masked(f->have, mask, &f->have_shown);
        if (r == 0)
                f->state = state_of(p, f);
        return r;
}

int plan_add(struct plan *p, const struct plan_file *f, void (*mask)(const char *, struct buf *),
             struct buf *errors)
{
        if (p->n == PLAN_MAX)
                return -E2BIG;
        struct plan_file *own = &p->files[p->n];
        *own = (struct plan_file){
                .kind = f->kind, .help = f->help, .after = f->after, .mode = f->mode
        };
        int r = fill(p, own, f, mask, errors);
        if (r < 0)
                file_done(own);
        else
                p->n++;
        return r;
}

void plan_done(struct plan *p)
{
        while (p->n > 0)
                file_done(&p->files[--p->n]);
}

size_t plan_changes(const struct plan *p)
{
        size_t n = 0;

        for (size_t i = 0; i < p->n; i++)
                n += p->files[i].state != PLAN_SAME;
        return n;
}

size_t plan_merges(const struct plan *p)
{
        size_t n = 0;

        for (size_t i = 0; i < p->n; i++)
                n += p->files[i].state == PLAN_MERGE;
        return n;
}

static void show(const struct plan_file *f, struct buf *out)
{
        const char *old = f->have_shown ? f->have_shown : f->have;
        const char *fresh = f->shown ? f->shown : f->text;

        buf_addf(out, "# %s: %s; %s\n", f->path, STATES[f->state].word, f->help);
        if (STATES[f->state].note) {
                buf_adds(out, "# ");
                buf_addf(out, STATES[f->state].note, f->path);
                buf_adds(out, "\n");
        }
        if (f->kind == PLAN_SECRET)
                buf_addf(out, "# what is in it is not shown; mode %o\n", (unsigned)f->mode);
        else
                diff_unified(old ? old : "", fresh, f->have ? f->path : "/dev/null", f->path, out);
        buf_adds(out, "\n");
}

void plan_show(const struct plan *p, struct buf *out)
{
        for (size_t i = 0; i < p->n; i++)
                if (p->files[i].state != PLAN_SAME)
                        show(&p->files[i], out);
}
