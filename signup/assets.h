/* The portal's static files, read once at start. Each is served under a name with a hash of its
 * content, so that browsers may keep it for ever: signup.css -> <base>/s/signup.3f2a….css. */
#pragma once

#include "lib/buf.h"

struct asset {
        char name[64]; /* as templates call it */
        char path[200];
        const char *type; /* MIME */
        char *data;
        size_t len;
};

struct assets {
        struct asset *v;
        size_t n;
};

/* All files of `dir` with a known ending. Mistakes become lines in `errors`. */
int assets_load(const char *dir, const char *base, struct assets *ret, struct buf *errors);
void assets_free(struct assets *a);

const struct asset *assets_by_name(const struct assets *a, const char *name); /* NULL */
const struct asset *assets_by_path(const struct assets *a, const char *path); /* NULL */
