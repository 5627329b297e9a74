/* `hamon rotate`: a new secret in place of an old one, while everything runs. What only one side
 * has to know (the token) is proven and written. What both sides have to know (the database's
 * password, the cluster's secret) is changed in two steps: first both are taken, then, when every
 * node has the new one, --finish ends the old one. */
#pragma once

#include "hamon/config.h"

struct rotate {
        const struct config *c;
        const char *file; /* hamon.conf */
        bool yes;
};

/* Returns 0, 1, EX_USAGE, EX_CONFIG, EX_NOPERM. */
int rotate_command(const char *file, int argc, char **argv);

/* The steps: 0 or -errno, what is wrong said on standard error. Each may be run again after any
 * end. */
int rotate_token(const struct rotate *r);
int rotate_database(const struct rotate *r);
int rotate_database_finish(const struct rotate *r);
int rotate_secret(const struct rotate *r);
int rotate_secret_finish(const struct rotate *r);

/* `text` as the first line of a file only root may read; said if it fails. */
int rotate_write(const char *path, const char *first, const char *second);
/* What brings the files to the others: "hamon init --copy n2 n3". */
void rotate_say_copy(const struct rotate *r);
bool rotate_agreed(const struct rotate *r, const char *question);
