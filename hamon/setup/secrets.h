/* The secrets that all nodes share, each a file of its own: made once, on the first node, and never
 * shown. */
#pragma once

#include "hamon/config.h"

struct secret_row {
        const char *help;
        size_t offset;     /* of its file's name in struct config */
        const char *after; /* command that makes a new one count */
};

extern const struct secret_row SECRETS[];
extern const size_t N_SECRETS;

const char *secret_path(const struct secret_row *row, const struct config *c); /* "" = none */

/* 64 hex digits and a line end. */
enum { SECRET_TEXT = 66 };
int secret_make(char ret[SECRET_TEXT]);

/* A random (version 4) UUID, as text. */
enum { UUID_TEXT = 37 };
int secret_uuid(char ret[UUID_TEXT]);
