/* What a rehearsal of a fail-over found, line by line, and the file it is left in for whoever shows
 * it (the web process). The file lies on tmpfs: what was true before a boot says nothing about now.
 *
 *     {"ok":true,"node":"n1","at":"2026-11-28T03:12:07Z","at_ms":81234567,"took_ms":912,
 *      "findings":[{"check":"volume mount","verdict":"ok","message":"…"}]}
 *
 * at_ms is on CLOCK_BOOTTIME, for ages; ok: no finding is "fail". */
#pragma once

#include "lib/buf.h"

#define REHEARSAL_FILE "rehearsal.json" /* beside the control socket */

enum found { FOUND_OK, FOUND_WARN, FOUND_FAIL, FOUND_COUNT_ };
extern const char *const FOUNDS[FOUND_COUNT_]; /* ok, warn, fail */

enum { REHEARSAL_MAX = 64 };

struct rehearsal {
        const char *check; /* of which the next lines are */
        size_t n;
        struct rehearsal_line {
                char check[24];
                enum found found;
                char text[640];
        } v[REHEARSAL_MAX];
};

/* A line too many turns the last one into a failure that says so. */
void rehearsal_add(struct rehearsal *r, enum found found, const char *text);

/* How many lines from `first` on are of this kind. */
size_t rehearsal_count(const struct rehearsal *r, size_t first, enum found found);
