/* Files that are to be as the plan says: what differs is shown, then written one by one, each
 * atomically. Killed at any moment, the same plan goes on where it stopped. What is there already
 * is one of these: */
#pragma once

#include "hamon/setup/manifest.h"

enum plan_state {
        PLAN_SAME,    /* as it is to be */
        PLAN_NEW,     /* not there */
        PLAN_OURS,    /* as we wrote it once: replaced */
        PLAN_EDITED,  /* ours, changed by hand since: a copy is kept, then replaced */
        PLAN_FOREIGN, /* never ours: kept as FILE.before-mailcow-ha, then replaced */
        PLAN_MERGE,   /* foreign, and only a person can merge it: ours is written beside it */
};

enum plan_kind {
        PLAN_FILE,
        PLAN_SECRET, /* what is in it is not shown, nor its digest noted */
        PLAN_PERSON, /* a person's own file, of which we change values: no copy, no manifest */
        PLAN_KEPT,   /* the same, and what it was at first is kept as FILE.before-mailcow-ha */
        PLAN_HAND,   /* if it is foreign, it is merged by hand */
};

#define PLAN_BEFORE     ".before-mailcow-ha" /* behind the name of a foreign file */
#define PLAN_BESIDE     ".mailcow-ha"        /* behind the name of one to be merged by hand */
#define PLAN_EDITED_DIR "/var/lib/mailcow-ha/edited"

struct plan_file {
        enum plan_kind kind;
        const char *help;  /* one line; lives as long as the plan */
        const char *after; /* command that makes it count, NULL = none */
        mode_t mode;
        char *path;
        char *text, *shown;      /* what it is to be; for people's eyes (NULL = the same) */
        char *have, *have_shown; /* NULL = not there */
        enum plan_state state;
};

enum { PLAN_MAX = 24, PLAN_FILE_MAX = 256 * 1024 };

struct plan {
        struct plan_file files[PLAN_MAX];
        size_t n;
        struct manifest manifest;
        const char *manifest_file;
};

/* Of `f` all but kind, help, after and mode is copied; `mask` (may be NULL) makes what is shown. A
 * directory or what cannot be read is a line in `errors`, -EINVAL. */
int plan_add(struct plan *p, const struct plan_file *f, void (*mask)(const char *, struct buf *),
             struct buf *errors);
void plan_done(struct plan *p);

size_t plan_changes(const struct plan *p); /* files that differ */
void plan_show(const struct plan *p, struct buf *out);

/* Write what differs. -errno at the first that fails, which is a line in `errors`. */
int plan_write(struct plan *p, struct buf *errors);

/* Files left for a person to merge. */
size_t plan_merges(const struct plan *p);

/* A copy of a file that was changed by hand: PLAN_EDITED_DIR and its path. */
int plan_keep_edited(const char *path, const char *text, size_t len, struct buf *errors);

/* The line that says that this version was merged: "# mailcow-ha: merged 0123456789ab". */
void plan_merge_mark(const char *text, char *ret, size_t size);
