/* PARTS[]: what `hamond web` does besides answering. Each part is one object on the loop, told of
 * every snapshot (once per check.interval, also while the daemon is silent), and each says what it
 * found out under its own name in snap.extra. A part's row stands in the part's own file. */
#pragma once

#include "hamon/config.h"
#include "hamon/web/snap.h"
#include "lib/loop.h"

struct part_needs {
        struct loop *loop;
        const struct config *config;
};

struct part_row {
        const char *name;
        /* 0 and *ret = NULL: it is switched off. It logs what is wrong itself; a part that cannot
         * start ends the program. */
        int (*create)(const struct part_needs *needs, void **ret);
        void (*destroy)(void *part);
        void (*snap)(void *part, const struct snap *snap); /* may be NULL */
        void (*report)(const void *part, cJSON *into);     /* may be NULL */
};

extern const struct part_row *const PARTS[]; /* NULL-terminated, in the order they are told */

struct parts;
int parts_new(const struct part_needs *needs, struct parts **ret);
void parts_free(struct parts *p);
void parts_snap(struct parts *p, const struct snap *snap);
void parts_report(const struct parts *p, cJSON *into);
