/* ROUTES[]: every path that is answered, one row each. Answers are made from a snapshot alone: no
 * I/O, no waiting, so they are quick whatever hangs. */
#pragma once

#include "hamon/config.h"
#include "hamon/web/snap.h"
#include "lib/buf.h"

enum { REPLY_MAX = 8 * 1024 * 1024 };

struct view { /* borrowed */
        const struct snap *snap;
        const struct config *config;
        msec_t now; /* loop time */
};

struct reply {
        int status;
        const char *type; /* Content-Type */
        bool keep;        /* never changes: whoever has it need not ask again */
        struct buf body;
};

struct route {
        const char *path;
        void (*answer)(const struct view *v, const struct route *row, struct reply *r);
        const char *help;
        bool (*health)(const struct view *v, cJSON *into); /* or a part by name: health.h */
        const char *part;
};

extern const struct route ROUTES[];
extern const size_t N_ROUTES;

/* 404 if there is no such path, 500 if the answer could not be made. `r` is a zeroed one, with
 * buf_done() for its body afterwards. */
void route_answer(const struct view *v, const char *path, struct reply *r);

/* How long ago the daemon said what we know; -1 = never. Older than check.stale: it is silent. */
msec_t view_age(const struct view *v);
bool view_silent(const struct view *v);
